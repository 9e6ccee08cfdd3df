// Content encodings undone, within a size. Imports nothing of the project.

import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
} from 'node:zlib';

interface Packed {
  readonly bytes: Buffer;
  readonly truncated: boolean;
  readonly contentEncoding: string | undefined;
  readonly maxBytes: number;
}
interface Unpacked {
  readonly bytes: Buffer;
  readonly truncated: boolean;
}

/** A body that is not what its header says stays as it is. */
export async function unpacked(packed: Packed): Promise<Unpacked> {
  let { bytes, truncated } = packed;
  // The last one named was put on last.
  const names = (packed.contentEncoding ?? '')
    .toLowerCase()
    .split(/\s*,\s*/)
    .reverse();
  for (const name of names) {
    if (bytes.length === 0 || name === '' || name === 'identity') continue;
    const one = await unpackedOnce(bytes, name, truncated, packed.maxBytes);
    if (one === undefined) break;
    ({ bytes, truncated } = one);
  }
  return bytes.length > packed.maxBytes
    ? { bytes: bytes.subarray(0, packed.maxBytes), truncated: true }
    : { bytes, truncated };
}

// What was cut off in the middle is unpacked as far as it goes.
const CUT = { finishFlush: constants.Z_SYNC_FLUSH };

function decoderOf(bytes: Buffer, name: string) {
  switch (name) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip(CUT);
    case 'deflate':
      // Some send it without the header that the name demands.
      return ((bytes[0] ?? 0) & 0x0f) === 8 && bytes.readUInt16BE(0) % 31 === 0
        ? createInflate(CUT)
        : createInflateRaw(CUT);
    case 'br':
      return createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH });
    default:
      return undefined;
  }
}

function unpackedOnce(
  bytes: Buffer,
  name: string,
  cut: boolean,
  maxBytes: number,
): Promise<Unpacked | undefined> {
  if (bytes.length < 2) return Promise.resolve(undefined);
  const decoder = decoderOf(bytes, name);
  if (decoder === undefined) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let length = 0;
    const finish = (result: Unpacked | undefined): void => {
      decoder.destroy();
      resolve(result);
    };
    const sofar = (): Buffer => Buffer.concat(pieces).subarray(0, maxBytes);
    decoder.on('data', (piece: Buffer) => {
      pieces.push(piece);
      length += piece.length;
      if (length > maxBytes) finish({ bytes: sofar(), truncated: true });
    });
    decoder.on('end', () => finish({ bytes: sofar(), truncated: cut }));
    decoder.on('error', () => finish(length > 0 ? { bytes: sofar(), truncated: true } : undefined));
    decoder.end(bytes);
  });
}
