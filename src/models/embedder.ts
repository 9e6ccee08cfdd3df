// The port that vectors come through: texts in, one vector each out, all of one length. Which server
// gives them is its adapter's.

export interface Embedder {
  /** As the server knows it; vectors of another model are never compared with its. */
  readonly model: string;
  /** Throws EmbeddingError, or the signal's reason. */
  readonly embed: (
    texts: readonly string[],
    signal: AbortSignal,
  ) => Promise<readonly (readonly number[])[]>;
}

/** REFUSED: asking again is no use. */
export type EmbeddingFault = 'AWAY' | 'REFUSED';

export class EmbeddingError extends Error {
  override readonly name = 'EmbeddingError';
  readonly fault: EmbeddingFault;
  /** How long the server asked to be left alone, where it did. */
  readonly afterMs: number | undefined;
  constructor(fault: EmbeddingFault, message: string, afterMs?: number, cause?: unknown) {
    super(message, { cause });
    this.fault = fault;
    this.afterMs = afterMs;
  }
}
