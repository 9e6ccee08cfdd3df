// How one setting's text becomes a value: each parser gives the value, or a sentence that follows
// the setting's name. Reads no environment (config.ts does) and keeps no state.

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';

export type Parsed<T> = { readonly value: T } | { readonly problem: string };

export const wholeNumber =
  (min: number, max: number) =>
  (text: string): Parsed<number> => {
    const value = Number(text);
    return /^\d+$/.test(text) && value >= min && value <= max
      ? { value }
      : { problem: `is "${text}", but must be a whole number from ${min} to ${max}` };
  };

export const oneOf =
  <T extends string>(choices: readonly T[]) =>
  (text: string): Parsed<T> => {
    const value = choices.find((choice) => choice === text);
    return value === undefined
      ? { problem: `is "${text}", but must be one of ${choices.join(', ')}` }
      : { value };
  };

export const word = (text: string): Parsed<string> => ({ value: text });

/** A name to be found on PATH, or a path: absolute, since it is run from another folder. */
export const program = (text: string): Parsed<string> => ({
  value: text.includes('/') ? resolve(text) : text,
});

/** The text is never quoted in the problem: an address may hold a password. */
export const address =
  (protocols: readonly string[]) =>
  (text: string): Parsed<string> =>
    protocols.includes(URL.canParse(text) ? new URL(text).protocol : '')
      ? { value: text }
      : {
          problem: `must be an address that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
        };

/** Paths are put behind it: a fragment would swallow them, a query stays behind them. */
export const modelAddress = (text: string): Parsed<string> =>
  text.includes('#')
    ? { problem: 'must not have a fragment (#…): the path of each request is put behind it' }
    : address(['http:', 'https:'])(text);

/** Of a page: what follows its path would be lost in links made of it. */
export const pageAddress = (text: string): Parsed<string> => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    `${url.search}${url.hash}${url.username}${url.password}` === ''
    ? { value: url.href.replace(/\/+$/, '') }
    : {
        problem: 'must be an http or https address without query, fragment, user name or password',
      };
};

export const hostAndPort = (text: string): Parsed<string> =>
  /^(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}$/.test(text)
    ? { value: text }
    : { problem: `is "${text}", but must be host:port` };

export const yesOrNo = (text: string): Parsed<boolean> =>
  /^(true|1|yes)$/i.test(text)
    ? { value: true }
    : /^(false|0|no)$/i.test(text)
      ? { value: false }
      : { problem: 'must be true or false' };

/** HS256 with a key shorter than its hash can be guessed from one token. */
export const key = (text: string): Parsed<string> =>
  Buffer.byteLength(text) >= 32
    ? { value: text }
    : { problem: `must be at least 32 bytes long, it has ${Buffer.byteLength(text)}` };

/** A secret alone in a file, as container runtimes mount it; a line's end behind it is not of it. */
export const secretFile = (path: string): Parsed<string> => {
  const content = fileContent(path);
  if ('problem' in content) return content;
  const text = new TextDecoder().decode(content.value).trim();
  return text === '' ? { problem: `names the file "${path}", which is empty` } : { value: text };
};

export const fileContent = (path: string): Parsed<Uint8Array> => {
  try {
    return { value: new Uint8Array(readFileSync(path)) };
  } catch {
    return { problem: `names the file "${path}", which cannot be read` };
  }
};

/** Web origins with commas between, as browsers write them: no path, no `*`. */
export const origins = (text: string): Parsed<readonly string[]> => {
  const value = text.split(',').flatMap((item) => item.trim() || []);
  const bad = value.filter(
    (item) => !/^https?:[^*]*$/.test(item) || !URL.canParse(item) || new URL(item).origin !== item,
  );
  return bad.length === 0
    ? { value }
    : {
        problem: `has "${bad.join('", "')}", but each must be an origin like https://app.example.org, without a path`,
      };
};

function exceptionProblem(text: string): string | undefined {
  const [base = '', bits] = text.split('/');
  if (bits === undefined)
    return /^(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?$/.test(text) || isIP(text) ? undefined : text;
  const family = isIP(base);
  return family !== 0 && /^\d+$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)
    ? undefined
    : text;
}

/** `host`, `host:port` or CIDR, with commas between. */
export const exceptions = (text: string): Parsed<readonly string[]> => {
  const value = text.split(',').flatMap((item) => item.trim() || []);
  const bad = value.flatMap((item) => exceptionProblem(item) ?? []);
  return bad.length === 0
    ? { value }
    : { problem: `has "${bad.join('", "')}", but each must be host, host:port or CIDR` };
};
