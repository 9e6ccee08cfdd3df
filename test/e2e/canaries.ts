// Secrets that can be recognised wherever they turn up, in whatever spelling, and the search for
// them.

import { randomBytes } from 'node:crypto';

const NAMES = [
  ...[
    'JWT_SECRET',
    'OPENAI_API_KEY',
    'OPENAI_BASE_URL',
    'DATABASE_URL',
    'MIGRATION_DATABASE_URL',
    'TEMPORAL_API_KEY',
  ],
  ...[
    'TEMPORAL_TLS_CLIENT_KEY',
    'TEMPORAL_UI_URL',
    'LOOK_TOKEN',
    'PAY_TOKEN',
    'FAIL_TOKEN',
    'NOTE_TOKEN',
  ],
] as const;
export type CanaryName = (typeof NAMES)[number];

/**
 * Of letters, digits and dashes: such a one passes where a stranger one would be refused for its
 * looks (as a code of an error).
 */
const plain = (): string => `sk-c4n4ry-${randomBytes(12).toString('hex')}`;
/** With what is written differently in an address, in JSON and in base64. */
const odd = (): string => `c4n4ry/${randomBytes(12).toString('hex')}+"~==`;

export const CANARY: Readonly<Record<CanaryName, string>> = Object.fromEntries(
  NAMES.map((name) => [
    name,
    ['LOOK_TOKEN', 'FAIL_TOKEN', 'JWT_SECRET'].includes(name) ? odd() : plain(),
  ]),
) as Record<CanaryName, string>;

/**
 * As they stand, in an address, in JSON (once and twice), in hexadecimal, and in base64 at any
 * offset.
 */
export function spellingsOf(secret: string): readonly string[] {
  const quoted = JSON.stringify(secret).slice(1, -1);
  const base64 = [0, 1, 2].map((before) => {
    const text = Buffer.from(' '.repeat(before) + secret).toString('base64');
    // Without the characters at either end that the neighbours have a part in.
    return text.slice(before === 0 ? 0 : before + 1, -4);
  });
  return [
    ...new Set([
      ...[
        secret,
        quoted,
        JSON.stringify(quoted).slice(1, -1),
        encodeURIComponent(secret),
        encodeURI(secret),
      ],
      ...[
        Buffer.from(secret).toString('hex'),
        ...base64,
        ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
      ],
    ]),
  ];
}

/** Which of the secrets stand where, each with a bit of what is around it. */
export function found(
  secrets: Readonly<Record<string, string>>,
  places: Readonly<Record<string, string>>,
): readonly string[] {
  return Object.entries(places).flatMap(([place, text]) =>
    Object.entries(secrets).flatMap(([name, secret]) => {
      const at = spellingsOf(secret).map((spelling) => text.indexOf(spelling));
      const first = at.find((index) => index >= 0);
      return first === undefined
        ? []
        : [`${name} in ${place}: …${text.slice(Math.max(0, first - 150), first + 60)}…`];
    }),
  );
}
