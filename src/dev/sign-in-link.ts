// Development's way into the console: a code that `npm start` prints in a link, good for one
// sign-in within ten minutes. It is behind # in the address, which no browser sends on.

import { randomBytes, timingSafeEqual } from 'node:crypto';

const LIFE_MS = 10 * 60_000;

export interface SignInLink {
  /** Of the page at `url`. */
  readonly link: (url: string) => string;
  /** The token, for the right code, once and in time. */
  readonly exchange: (code: string) => Promise<string | undefined>;
}

export function createSignInLink(makeToken: () => Promise<string>): SignInLink {
  const code = randomBytes(24).toString('base64url');
  const endsAt = Date.now() + LIFE_MS;
  let used = false;
  return {
    link: (url) => `${url}/#code=${code}`,
    exchange: async (given) => {
      const [a, b] = [Buffer.from(given), Buffer.from(code)];
      if (used || Date.now() > endsAt || a.length !== b.length || !timingSafeEqual(a, b))
        return undefined;
      used = true;
      return makeToken();
    },
  };
}
