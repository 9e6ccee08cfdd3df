// Why a document cannot be taken in: a stable code and a sentence for whoever gave it. Imports
// nothing.

export const DOCUMENT_FAILURE = [
  'EMPTY',
  'BROKEN',
  'ENCRYPTED',
  'IMAGE_ONLY',
  'WRONG_TYPE',
  'UNSUPPORTED_TYPE',
  'TOO_LARGE',
  'TOO_COMPLEX',
  'UNREACHABLE',
  'EMBEDDING_REFUSED',
  'TERMINATED',
  'INTERNAL',
] as const;
export type DocumentFailureCode = (typeof DOCUMENT_FAILURE)[number];

export interface DocumentFailure {
  readonly code: DocumentFailureCode;
  /** A sentence: no stack, path or host. */
  readonly message: string;
}

export class DocumentError extends Error {
  readonly failure: DocumentFailure;
  constructor(code: DocumentFailureCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'DocumentError';
    this.failure = { code, message };
  }
}
