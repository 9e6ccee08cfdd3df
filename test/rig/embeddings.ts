// A server of vectors in front of a model's: /v1/embeddings is answered here, by the words of each
// text, so that texts which share words are near; everything else goes on to the model.

import { createHash } from 'node:crypto';
import { bodyOf, serve } from './http-server.ts';

const DIMS = 64;

/** Each word points one way; a text is the sum of its words. */
export function vectorOf(text: string): readonly number[] {
  const values = Array.from({ length: DIMS }, () => 0.001);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    const at = createHash('md5').update(word).digest().readUInt16LE() % DIMS;
    values[at] = (values[at] ?? 0) + 1;
  }
  return values;
}

export interface Embeddings {
  /** For OPENAI_BASE_URL. */
  readonly url: string;
  /** How often each text was embedded. */
  readonly texts: ReadonlyMap<string, number>;
  /** From now on only so many requests more are answered; the others wait. undefined: all. */
  readonly answer: (requests: number | undefined) => void;
  /** Requests that wait. */
  readonly waiting: () => number;
  readonly close: () => Promise<void>;
}

export async function startEmbeddings(modelUrl: string): Promise<Embeddings> {
  const texts = new Map<string, number>();
  let left: number | undefined;
  let held: (() => void)[] = [];
  const server = await serve(async (request, response) => {
    const body = await bodyOf(request);
    if (request.url !== '/v1/embeddings') {
      const passed = await fetch(new URL(request.url ?? '', modelUrl), {
        method: request.method ?? 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      response.writeHead(passed.status, {
        'content-type': passed.headers.get('content-type') ?? 'application/json',
      });
      return void response.end(Buffer.from(await passed.arrayBuffer()));
    }
    while (left === 0 && !response.destroyed)
      await new Promise<void>((go) => {
        held.push(go);
        response.once('close', () => {
          held = held.filter((one) => one !== go);
          go();
        });
      });
    if (response.destroyed) return;
    if (left !== undefined) left--;
    const { input } = JSON.parse(body) as { readonly input: readonly string[] };
    for (const text of input) texts.set(text, (texts.get(text) ?? 0) + 1);
    const data = input.map((text, index) => ({ index, embedding: vectorOf(text) }));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ data }));
  });
  return {
    url: `http://127.0.0.1:${server.port}/v1`,
    texts,
    answer: (requests) => {
      left = requests;
      const go = held;
      held = [];
      for (const one of go) one();
    },
    waiting: () => held.length,
    close: server.close,
  };
}
