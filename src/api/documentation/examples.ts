// The document's examples, by operation and what they are of (`body`, or a status): recorded from a
// running server by examples/record.ts, never written by hand. A test holds each against its
// schema.

import examples from './examples.json' with { type: 'json' };

export type Examples = Readonly<
  Record<string, { readonly summary?: string; readonly value: unknown }>
>;

export const EXAMPLES: Readonly<Record<string, Examples>> = examples;
