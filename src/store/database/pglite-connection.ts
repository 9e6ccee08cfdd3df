// The driver's connection to PGlite. The one that PGlite ships calls into the database once a
// protocol message, five times a statement; this one once a statement.

import type { PGlite } from '@electric-sql/pglite';
import { PglitePgConnection } from '@electric-sql/pglite/node-postgres';
import { serialize } from 'pg-protocol';

/** What node-postgres' pool takes in place of an address. */
export const batchedConnection = (lite: PGlite): object => ({
  connection: new BatchedConnection(lite),
  user: 'postgres',
  database: 'postgres',
});

class BatchedConnection extends PglitePgConnection {
  readonly #lite: PGlite;
  #messages: Uint8Array[] = [];
  #last: Promise<unknown> = Promise.resolve();

  constructor(lite: PGlite) {
    super({ pglite: lite });
    this.#lite = lite;
  }
  override parse(query: Parameters<typeof serialize.parse>[0]): void {
    this.#messages.push(serialize.parse(query));
  }
  override bind(config: Parameters<typeof serialize.bind>[0]): void {
    this.#messages.push(serialize.bind(config));
  }
  override describe(what: Parameters<typeof serialize.describe>[0]): void {
    this.#messages.push(serialize.describe(what));
  }
  override execute(config: Parameters<typeof serialize.execute>[0]): void {
    this.#messages.push(serialize.execute(config));
  }
  override close(what: Parameters<typeof serialize.close>[0]): void {
    this.#messages.push(serialize.close(what));
  }
  override query(text: string): void {
    this.#send(serialize.query(text));
  }
  override sync(): void {
    this.#send(serialize.sync());
  }
  #send(message: Uint8Array): void {
    const batch = Buffer.concat([...this.#messages, message]);
    this.#messages = [];
    this.#last = this.#last
      .then(() => this.#lite.execProtocolStream(batch, { throwOnError: false }))
      .then((answers) => {
        for (const answer of answers) {
          if (this.listenerCount('message') > 0) this.emit('message', answer);
          this.emit(answer.name === 'error' ? 'errorMessage' : answer.name, answer);
        }
      })
      .catch((error: unknown) => void this.emit('error', error));
  }
}
