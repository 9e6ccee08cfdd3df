// Vectors from any server of the OpenAI family: POST /embeddings. Checks that what comes back is
// one vector of numbers for each text, in their order.

import { z } from 'zod';
import { retryAfterMs } from '../../egress/retry-after.ts';
import { EmbeddingError, type Embedder } from '../embedder.ts';
import { createConnection, type ProxySettings } from './connection.ts';

export interface EmbeddingsOptions {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly model: string;
  readonly proxy?: ProxySettings | undefined;
}

/** A batch is a second's work; a cold start of a local server is over by then. */
const ANSWER_MS = 60_000;
/** 64 vectors of 4,096 numbers of 20 characters are a quarter of it. */
const ANSWER_MAX_BYTES = 32 * 2 ** 20;
const REFUSED = [400, 401, 403, 404, 405, 413, 415, 422];

const AnswerSchema = z.object({
  data: z.array(
    z.object({ index: z.int().nonnegative().optional(), embedding: z.array(z.number()) }),
  ),
});

export function createOpenAiEmbedder(options: EmbeddingsOptions): Embedder {
  const send = createConnection({ ...options, path: 'embeddings' });
  return {
    model: options.model,
    embed: async (texts, signal) => {
      const stop = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
      let answer: { readonly status: number; readonly retryAfter: string | null; text: string };
      try {
        const body = { model: options.model, input: texts, encoding_format: 'float' };
        const response = await send(JSON.stringify(body), stop);
        answer = {
          status: response.status,
          retryAfter: response.headers.get('retry-after'),
          text: await readText(response.body),
        };
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof EmbeddingError) throw error;
        throw new EmbeddingError('AWAY', 'the embedding server does not answer', undefined, error);
      }
      const { status } = answer;
      if (status !== 200)
        throw new EmbeddingError(
          REFUSED.includes(status) ? 'REFUSED' : 'AWAY',
          `the embedding server answered with the status ${status}`,
          retryAfterMs(answer.retryAfter ?? undefined),
        );
      return vectorsIn(answer.text, texts.length);
    },
  };
}

async function readText(body: AsyncIterable<Uint8Array> | null): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > ANSWER_MAX_BYTES)
      throw new EmbeddingError('REFUSED', 'the embedding server answered with too much');
  }
  return Buffer.concat(chunks).toString();
}

function vectorsIn(text: string, count: number): readonly (readonly number[])[] {
  const odd = (what: string): EmbeddingError =>
    new EmbeddingError('AWAY', `the embedding server's answer ${what}`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw odd('is no JSON');
  }
  const answer = AnswerSchema.safeParse(parsed);
  if (!answer.success) throw odd('holds no vectors');
  const { data } = answer.data;
  if (data.length !== count) throw odd('has another number of vectors than was asked for');
  const vectors = data
    .map((one, i) => ({ at: one.index ?? i, values: one.embedding }))
    .toSorted((a, b) => a.at - b.at)
    .map((one) => one.values);
  const dims = vectors[0]?.length ?? 0;
  if (dims === 0 || vectors.some((v) => v.length !== dims || !v.some((x) => x !== 0)))
    throw odd('has vectors that cannot be compared');
  return vectors;
}
