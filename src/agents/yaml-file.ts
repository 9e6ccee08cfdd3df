// One YAML file as data with lines: duplicate keys, tags, alias bombs and what JSON cannot hold are
// problems, never surprises. Knows nothing of agents.

import { isMap, isNode, isScalar, LineCounter, parseDocument, type Document } from 'yaml';
import { parseStrict } from '../json/strict.ts';
import type { Path } from './file-problem.ts';

export interface LineProblem {
  readonly line: number;
  readonly message: string;
}
export type YamlFile =
  | { readonly ok: true; readonly value: unknown; readonly lineOf: (path: Path) => number }
  | { readonly ok: false; readonly problems: readonly LineProblem[] };

/** Uses of aliases, counted through: an agent file repeats a header or two. */
const MAX_ALIASES = 100;
const MAX_BYTES = 1_048_576;
// A file's own limits are wider than a message's: instructions and schemas are written by the
// operator.
const LIMITS = { maxDepth: 64, maxKeys: 20_000 };

export function readYaml(text: string): YamlFile {
  if (Buffer.byteLength(text) > MAX_BYTES)
    return oneProblem(1, `is larger than ${MAX_BYTES} bytes`);
  try {
    return parse(text);
  } catch (error) {
    // Too deep for the parser's recursion, or aliases that would multiply.
    return oneProblem(
      1,
      error instanceof ReferenceError
        ? 'uses too many aliases'
        : 'cannot be read: it is nested too deeply',
    );
  }
}

const oneProblem = (line: number, message: string): YamlFile => ({
  ok: false,
  problems: [{ line, message }],
});

function parse(text: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    strict: true,
    logLevel: 'error',
  });
  // A warning is a tag that is not resolved: the value would not be what its writer meant.
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0)
    return {
      ok: false,
      problems: faults.map((fault) => ({
        line: lines.linePos(fault.pos[0]).line || 1,
        message: oneLine(fault.message),
      })),
    };
  const lineOf = (path: Path): number => lines.linePos(offsetOf(document, path)).line || 1;
  const raw: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
  if (raw === null || raw === undefined) return oneProblem(1, 'is empty');
  // Through JSON, for what a snapshot cannot keep: NUL, halves of characters, rounded integers,
  // __proto__.
  const value = parseStrict(JSON.stringify(raw), LIMITS);
  return value.ok
    ? { ok: true, value: value.value, lineOf }
    : oneProblem(lineOf(value.path), value.problem);
}

const oneLine = (message: string): string => message.split('\n')[0] ?? '';

/**
 * Of the key where there is one, of the entry in a list; of the nearest part above where the path
 * leads nowhere.
 */
function offsetOf(document: Document, path: Path): number {
  let node: unknown = document.contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const [i, step] of path.entries()) {
    if (isMap(node)) {
      const pair = node.items.find(
        ({ key }) => (isScalar(key) ? String(key.value) : String(key)) === String(step),
      );
      if (pair === undefined) break;
      offset = (isNode(pair.key) ? pair.key.range?.[0] : undefined) ?? offset;
      node = pair.value;
    } else {
      const next: unknown = document.getIn(path.slice(0, i + 1), true);
      if (!isNode(next)) break;
      offset = next.range?.[0] ?? offset;
      node = next;
    }
  }
  return offset;
}
