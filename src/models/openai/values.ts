// Reading what a server sent without trusting its shape, and joining what it sent in pieces.

export type Fields = Readonly<Record<string, unknown>>;

export const recordOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};

export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** A string, or the text parts of a list of parts (Mistral). */
export const textOf = (value: unknown): string =>
  typeof value === 'string'
    ? value
    : listOf(value)
        .map((part) => textOf(recordOf(part)['text']))
        .join('');

/** Thoughts among the parts of a content (Mistral). */
export const thoughtOf = (value: unknown): string =>
  listOf(value)
    .map((part) => textOf(recordOf(part)['thinking']))
    .join('');

/**
 * Later fields win; null says nothing. In place: copied for each piece, they would cost the square of
 * what was sent.
 */
export function mergeInto(merged: Record<string, unknown>, more: Fields): void {
  for (const [name, value] of Object.entries(more)) {
    if (value === null || value === undefined) continue;
    const there = Object.hasOwn(merged, name) ? merged[name] : undefined;
    if (isPlain(there) && isPlain(value))
      mergeInto(there as Record<string, unknown>, recordOf(value));
    else
      Object.defineProperty(merged, name, {
        value,
        ...{ writable: true, enumerable: true, configurable: true },
      });
  }
}

const isPlain = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Of an entry of a list: what comes in pieces. Everything else comes once. */
const IN_PIECES: ReadonlySet<string> = new Set([
  'text',
  'summary',
  'thinking',
  'data',
  'signature',
]);

interface Entry {
  readonly pieces: Map<string, string[]>;
  fields: Record<string, unknown>;
}

export interface ListMerger {
  /** A fragment of the list, with its own text as it came. */
  take(entries: unknown): void;
  list(): readonly Fields[];
}

/**
 * `reasoning_details` and its like: entries come in fragments, a signature in one of its own
 * without text. Fragments of one entry have its type and index, or follow each other without an
 * index; another id is another entry.
 */
export function createListMerger(): ListMerger {
  const entries: Entry[] = [];
  const byKey = new Map<string, Entry>();

  function entryOf(fragment: Fields): Entry {
    const key = `${String(fragment['type'])} ${String(fragment['index'])}`;
    const there = byKey.get(key);
    const id = fragment['id'];
    const other =
      there !== undefined &&
      typeof id === 'string' &&
      typeof there.fields['id'] === 'string' &&
      there.fields['id'] !== id;
    const follows = fragment['index'] !== undefined || there === entries.at(-1);
    if (there !== undefined && !other && follows) return there;
    const entry: Entry = { pieces: new Map(), fields: {} };
    entries.push(entry);
    byKey.set(key, entry);
    return entry;
  }

  function takeOne(fragment: Fields): void {
    const entry = entryOf(fragment);
    for (const [name, value] of Object.entries(fragment)) {
      if (!IN_PIECES.has(name) || typeof value !== 'string') {
        if (value !== null || !(name in entry.fields)) entry.fields[name] = value;
        continue;
      }
      const pieces = entry.pieces.get(name);
      if (pieces === undefined) entry.pieces.set(name, [value]);
      // Sent whole once more, as signatures and encrypted data are.
      else if (name === 'text' || name === 'thinking' || pieces.at(-1) !== value)
        pieces.push(value);
      entry.fields[name] = '';
    }
  }

  return {
    take(given) {
      for (const fragment of listOf(given)) takeOne(recordOf(fragment));
    },
    list: () =>
      entries.map(({ fields, pieces }) => ({
        ...fields,
        ...Object.fromEntries([...pieces].map(([name, texts]) => [name, texts.join('')])),
      })),
  };
}
