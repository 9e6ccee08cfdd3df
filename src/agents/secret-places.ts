// `${NAME}` in an agent file: where it may be and which names it may have. Values are never
// looked at here, but for being set.

import { secretNames } from '../tools/places.ts';
import type { FileProblem, Path } from './file-problem.ts';

export const secretProblem =
  (secret: (name: string) => string | undefined, isOwnSetting: (name: string) => boolean) =>
  (name: string): string | undefined => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      return `has \${${name}}, which is no name of an environment variable`;
    // Whatever the SDK comes to read of TLS material is ours too.
    if (isOwnSetting(name) || name.startsWith('TEMPORAL_TLS'))
      return `names ${name}, which is a setting of Holdpoint's own`;
    return (secret(name) ?? '') === ''
      ? `names ${name}, which is not set in the environment`
      : undefined;
  };

/** Elsewhere it would be sent as it is, and its writer would take it for filled. */
export function misplacedSecrets(file: unknown): readonly FileProblem[] {
  return strings(file, [])
    .filter(
      ({ text, path, isKey }) =>
        secretNames(text).some((name) => /^[A-Za-z_]\w*$/.test(name)) && (isKey || !mayStand(path)),
    )
    .map(({ path }) => ({
      path,
      message: 'has a ${NAME}, which is filled in url and headers of http and mcp only',
    }));
}

/** `$NAME` as a shell has it: sent as it is, it would be a wrong password. */
export function bareSecrets(file: unknown): readonly FileProblem[] {
  return strings(file, [])
    .filter(({ path, isKey }) => !isKey && mayStand(path))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/\$([A-Z_][A-Z0-9_]+)\b/g)].map(([, name = '']) => ({
        path,
        message: `has $${name} without braces, which is not filled in: write \${${name}}`,
      })),
    );
}

const mayStand = ([tools, , place, part, ...rest]: Path): boolean =>
  tools === 'tools' &&
  (place === 'http' || place === 'mcp') &&
  ((part === 'url' && rest.length === 0) || (part === 'headers' && rest.length === 1));

interface Found {
  readonly path: Path;
  readonly text: string;
  readonly isKey: boolean;
}

/** Recursive: a file's depth is bounded when it is read. */
function strings(value: unknown, path: Path): readonly Found[] {
  if (typeof value === 'string') return [{ path, text: value, isKey: false }];
  if (Array.isArray(value)) return value.flatMap((item: unknown, i) => strings(item, [...path, i]));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => [
    { path: [...path, key], text: key, isKey: true },
    ...strings(item, [...path, key]),
  ]);
}
