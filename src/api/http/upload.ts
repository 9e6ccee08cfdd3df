// A form with one file (multipart/form-data): the file's bytes, its name and type as the client declares
// them, and the other fields, checked like a body. Bounded and paced like every body.

import { Busboy } from '@fastify/busboy';
import type { z } from 'zod';
import { AppError } from '../../contract/errors.ts';
import type { ApiContext } from './api-context.ts';
import { readBodyBytes } from './body.ts';
import { validate } from './validate.ts';

export interface UploadedFile {
  readonly fileName: string;
  /** With its parameters. */
  readonly mediaType: string;
  readonly bytes: Buffer;
}

export interface Upload {
  readonly file: UploadedFile;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface UploadLimits {
  /** Of the file. */
  readonly maxBytes: number;
  readonly fields: z.ZodType<Readonly<Record<string, unknown>>>;
}

/** Boundaries, headers and the other fields. */
const AROUND_BYTES = 64 * 1024;
const FIELDS_MAX = 10;

export const isForm = ({ request }: ApiContext): boolean =>
  request.type.trim().toLowerCase() === 'multipart/form-data';

export async function readUpload(
  ctx: ApiContext,
  { maxBytes, fields: schema }: UploadLimits,
): Promise<Upload> {
  return readBodyBytes(ctx, maxBytes + AROUND_BYTES, async (bytes) => {
    const { file, fields } = await parse(ctx, bytes);
    if (file === undefined)
      throw new AppError('INVALID_REQUEST', 'The form has no file: it needs a field "file".', {
        errors: [{ path: 'file', message: 'is required' }],
      });
    if (file.bytes.length > maxBytes)
      throw new AppError('PAYLOAD_TOO_LARGE', `The file is larger than ${maxBytes} bytes.`);
    return { file, fields: validate(schema, fields, 'body') };
  });
}

interface Parsed {
  readonly file: UploadedFile | undefined;
  readonly fields: Readonly<Record<string, string>>;
}

const malformed = (why: string, cause?: unknown): AppError =>
  new AppError('INVALID_REQUEST', `The form cannot be read: ${why}.`, { cause });

function parse(ctx: ApiContext, bytes: Buffer): Promise<Parsed> {
  return new Promise((resolve, reject) => {
    let form: InstanceType<typeof Busboy>;
    try {
      form = new Busboy({
        headers: { 'content-type': ctx.get('Content-Type') },
        limits: { fields: FIELDS_MAX, files: 1, parts: FIELDS_MAX + 1 },
      });
    } catch (cause) {
      return reject(malformed('it names no boundary', cause));
    }
    const fields: Record<string, string> = Object.create(null) as Record<string, string>;
    let file: UploadedFile | undefined;
    form.on('file', (name, stream, fileName, _encoding, mediaType) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        if (name === 'file') file = { fileName, mediaType, bytes: Buffer.concat(chunks) };
        else reject(malformed('a file may only stand in the field "file"'));
      });
    });
    form.on('field', (name, value) => {
      if (name in fields) reject(malformed('a field stands in it twice'));
      fields[name] = value;
    });
    const tooMany = (): void => reject(malformed('it has more parts than are taken'));
    form.on('filesLimit', tooMany).on('fieldsLimit', tooMany).on('partsLimit', tooMany);
    form.on('error', (cause) => reject(malformed('it is not what its headers say', cause)));
    form.on('finish', () => resolve({ file, fields: { ...fields } }));
    form.end(bytes);
  });
}
