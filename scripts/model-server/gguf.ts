// Writes a GGUF file (version 3): the container llama.cpp reads models from. Only the value types a
// small model needs.

export type GgufValue =
  | { readonly type: 'u32' | 'f32'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'f32s' | 'i32s'; readonly value: readonly number[] };

export interface GgufTensor {
  readonly name: string;
  /**
   * Row length first, as ggml counts: a matrix of `rows` outputs over `columns` inputs is [columns,
   * rows].
   */
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Type numbers of the format. */
const TYPE = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const;
const TENSOR_F32 = 0;
/** The format's default: every tensor begins at a multiple of it. */
const ALIGNMENT = 32;

export function ggufFile(
  values: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): Buffer {
  const pieces: Buffer[] = [];
  let length = 0;
  const put = (piece: Buffer): void => {
    pieces.push(piece);
    length += piece.length;
  };
  const u32 = (value: number): void => {
    const piece = Buffer.alloc(4);
    piece.writeUInt32LE(value);
    put(piece);
  };
  const u64 = (value: number): void => {
    const piece = Buffer.alloc(8);
    piece.writeBigUInt64LE(BigInt(value));
    put(piece);
  };
  const f32 = (value: number): void => {
    const piece = Buffer.alloc(4);
    piece.writeFloatLE(value);
    put(piece);
  };
  const string = (text: string): void => {
    const bytes = Buffer.from(text);
    u64(bytes.length);
    put(bytes);
  };
  const list = <T>(type: number, items: readonly T[], one: (item: T) => void): void => {
    u32(TYPE.array);
    u32(type);
    u64(items.length);
    for (const item of items) one(item);
  };
  const pad = (): void => put(Buffer.alloc((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT));

  put(Buffer.from('GGUF'));
  u32(3);
  u64(tensors.length);
  u64(Object.keys(values).length);
  for (const [key, entry] of Object.entries(values)) {
    string(key);
    switch (entry.type) {
      case 'u32':
        u32(TYPE.u32);
        u32(entry.value);
        break;
      case 'f32':
        u32(TYPE.f32);
        f32(entry.value);
        break;
      case 'bool':
        u32(TYPE.bool);
        put(Buffer.from([entry.value ? 1 : 0]));
        break;
      case 'string':
        u32(TYPE.string);
        string(entry.value);
        break;
      case 'strings':
        list(TYPE.string, entry.value, string);
        break;
      case 'f32s':
        list(TYPE.f32, entry.value, f32);
        break;
      case 'i32s':
        list(TYPE.i32, entry.value, u32);
        break;
    }
  }
  let offset = 0;
  for (const { name, shape, data } of tensors) {
    string(name);
    u32(shape.length);
    for (const size of shape) u64(size);
    u32(TENSOR_F32);
    u64(offset);
    offset += Math.ceil(data.byteLength / ALIGNMENT) * ALIGNMENT;
  }
  for (const { data } of tensors) {
    pad();
    put(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  }
  return Buffer.concat(pieces);
}
