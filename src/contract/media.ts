// Which media are taken, and what their bytes look like: the declared type must be the one that the
// bytes show.

export const MEDIA_MAX_BYTES = 10 * 2 ** 20;
export const MEDIA_MAX_COUNT = 8;
export const MEDIA_TOTAL_MAX_BYTES = 20 * 2 ** 20;

export type MediaKind = 'vision' | 'audio';

const ascii = (bytes: Uint8Array, from: number, to: number): string =>
  String.fromCharCode(...bytes.subarray(from, to));

interface MediaType {
  /** What an agent must have to take it. */
  readonly kind: MediaKind;
  readonly matches: (bytes: Uint8Array) => boolean;
}

const wav: MediaType = {
  kind: 'audio',
  matches: (b) => ascii(b, 0, 4) === 'RIFF' && ascii(b, 8, 12) === 'WAVE',
};
// An ID3 tag, or a frame of layer III: eleven bits of sync, MPEG 1, 2 or 2.5.
const mp3: MediaType = {
  kind: 'audio',
  matches: (b) =>
    ascii(b, 0, 3) === 'ID3' ||
    (b[0] === 0xff && ((b[1] ?? 0) & 0xe6) === 0xe2 && ((b[1] ?? 0) & 0x18) !== 0x08),
};

const TYPES: ReadonlyMap<string, MediaType> = new Map([
  ['image/png', { kind: 'vision', matches: (b) => ascii(b, 0, 8) === '\x89PNG\r\n\x1a\n' }],
  [
    'image/jpeg',
    { kind: 'vision', matches: (b) => b[0] === 0xff && b[1] === 0xd8 && b[2] === 0xff },
  ],
  ['image/gif', { kind: 'vision', matches: (b) => /^GIF8[79]a/.test(ascii(b, 0, 6)) }],
  [
    'image/webp',
    { kind: 'vision', matches: (b) => ascii(b, 0, 4) === 'RIFF' && ascii(b, 8, 12) === 'WEBP' },
  ],
  ['audio/wav', wav],
  ['audio/x-wav', wav],
  ['audio/mpeg', mp3],
  ['audio/mp3', mp3],
] satisfies [string, MediaType][]);

export const MEDIA_TYPES: readonly string[] = [...TYPES.keys()];

export const mediaType = (type: string): MediaType | undefined => TYPES.get(type);

/** Why these bytes cannot be taken as of this type; undefined: they can. */
export function mediaProblem(type: string, bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return 'is empty';
  if (bytes.length > MEDIA_MAX_BYTES) return `is larger than ${MEDIA_MAX_BYTES} bytes`;
  return mediaType(type)?.matches(bytes) === true ? undefined : `is not of the type ${type}`;
}
