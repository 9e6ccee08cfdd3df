// A reply as its provider gave it, kept beside what is made of it: within its run it goes back to
// the same model with the same ids and fields. JSON text in the store. Imports nothing but the port.

import type { CallFields, ModelReply } from './model.ts';

export interface CameAs {
  /** The model that was asked. */
  readonly model: string;
  /** Of the message: reasoning under the name it came by. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** In call order. */
  readonly calls: readonly (CallFields & { readonly id: string })[];
}

export const cameAsText = (reply: ModelReply, asked: string): string =>
  JSON.stringify({
    model: asked,
    fields: reply.fields ?? {},
    calls: reply.toolCalls.map(({ id, fields, functionFields }) => ({
      id,
      ...(fields === undefined ? {} : { fields }),
      ...(functionFields === undefined ? {} : { functionFields }),
    })),
  } satisfies CameAs);

/** undefined: a reply of a release that did not keep it. */
export const readCameAs = (text: string | null): CameAs | undefined =>
  text === null ? undefined : (JSON.parse(text) as CameAs);
