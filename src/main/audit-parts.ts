// The key that seals the audit, and where the head of its chain is kept.

import { join } from 'node:path';
import { fileAnchor, type Anchor } from '../audit/anchor.ts';
import { sealKey, type SealKey } from '../audit/seal.ts';
import type { Config } from '../config.ts';
import { developmentSecret } from './development-secret.ts';

export interface AuditParts {
  readonly key: SealKey;
  readonly anchor: Anchor | null;
}

/**
 * null: nothing is sealed. `makes`: a process that brings its own database, or verifies it, has a key
 * of its own where none is set, in development.
 */
export function auditParts(
  { auditKey, auditAnchorFile, production, dataDir }: Config,
  { makes }: { readonly makes: boolean },
): AuditParts | null {
  const own = auditKey === null && makes && !production;
  const text = own ? developmentSecret(dataDir, 'audit-key') : auditKey;
  if (text === null) return null;
  const key = sealKey(text);
  const file = auditAnchorFile ?? (own ? join(dataDir, 'audit-anchor.jsonl') : null);
  return { key, anchor: file === null ? null : fileAnchor(file, key) };
}
