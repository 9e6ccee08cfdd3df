// What an approval must cover, hashed from the contract's words without the product's code: what a
// test or the chaos program holds the product's hash against.

import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import type declared from 'canonicalize';

const canonicalize = createRequire(import.meta.url)('canonicalize') as typeof declared.default;

export interface HashedParts {
  readonly org: string;
  readonly runId: string;
  readonly callId: string;
  readonly tool: string;
  readonly toolVersion: string;
  /** As JSON text. */
  readonly arguments: string;
}

/** undefined: these arguments are no JSON, and nothing can have approved them. */
export function argumentsHash(parts: HashedParts): string | undefined {
  try {
    const value = { v: 1, ...parts, arguments: JSON.parse(parts.arguments) as unknown };
    return createHash('sha256')
      .update(canonicalize(value) ?? '')
      .digest('hex');
  } catch {
    return undefined;
  }
}
