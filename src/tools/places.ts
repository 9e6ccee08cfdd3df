// The two kinds of places in an HTTP tool's declaration: `${NAME}`, a secret, and `{name}`, an
// argument. Used where a file is checked and where a call is made, so that both see the same
// places. Imports nothing.

// One pattern for both, in one pass: what is filled in is never looked at again.
const PLACE = /\$\{([^{}]*)\}|\{([^{}]*)\}/g;
const SECRET = /\$\{([^{}]*)\}/g;

/** Origin (or the secret in its place), path, query; a fragment is never sent. */
export interface UrlTemplate {
  readonly origin: string;
  readonly path: string;
  readonly query: string;
}

export function splitUrl(url: string): UrlTemplate {
  const [, origin = '', path = '', query = ''] =
    /^((?:[a-z][a-z0-9+.-]*:\/\/|(?=\$\{))[^/?#]*)?([^?#]*)(\?[^#]*)?/i.exec(url) ?? [];
  return { origin, path, query };
}

export const secretNames = (text: string): readonly string[] =>
  [...text.matchAll(SECRET)].map((match) => match[1] ?? '');

export const argumentNames = (text: string): readonly string[] =>
  [...text.matchAll(PLACE)].flatMap((match) => match[2] ?? []);

export const fillSecrets = (text: string, secret: (name: string) => string): string =>
  text.replace(SECRET, (_, name: string) => secret(name));

export const fillPlaces = (
  text: string,
  secret: (name: string) => string,
  argument: (name: string) => string,
): string =>
  text.replace(PLACE, (_, secretName: string | undefined, name: string | undefined) =>
    secretName === undefined ? argument(name ?? '') : secret(secretName),
  );
