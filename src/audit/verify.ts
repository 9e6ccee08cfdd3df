// Whether the audit is what was written: each seal is made anew from the line that it stands for and
// the seal before.

import { countUnsealed, readSeals, type StoredSeal } from '../store/audit-seals.ts';
import type { Store } from '../store/database/access.ts';
import { isSigned, type Anchor } from './anchor.ts';
import { sealOf, type SealKey } from './seal.ts';

export interface Verified {
  readonly sealed: number;
  /** Written lately, and not sealed yet. */
  readonly unsealed: number;
  readonly anchored: number;
  /** Sentences; none: it is whole. */
  readonly problems: readonly string[];
}

const SEALS_AT_ONCE = 1000;
/** A transaction may commit so long after it wrote its line. */
const LATE_MS = 600_000;

export async function verifyAudit(
  store: Pick<Store, 'asReconciler'>,
  key: SealKey,
  anchor: Anchor | null,
): Promise<Verified> {
  const problems: string[] = [];
  const anchors = new Map<number, string>();
  for (const one of (await anchor?.read()) ?? []) {
    if (isSigned(key, one)) anchors.set(one.seq, one.mac);
    else
      problems.push(`The head at seal ${one.seq} that ${anchor?.place} has is not signed by us.`);
  }
  const walk = createWalk(key, anchors, problems);
  for (let seq = 0; ;) {
    const from = seq;
    const seals = await store.asReconciler((tx) => readSeals(tx, from, SEALS_AT_ONCE));
    for (const seal of seals) walk.take(seal);
    seq = seals.at(-1)?.seq ?? 0;
    if (seals.length < SEALS_AT_ONCE) break;
  }
  const sealed = walk.end();
  const { lines, old } = await store.asReconciler(countUnsealed);
  if (old > 0)
    problems.push(
      `${old} lines older than an hour are not sealed: they were put in behind the back of Holdpoint, or nothing was sealed since.`,
    );
  return { sealed, unsealed: lines, anchored: anchors.size, problems };
}

function createWalk(key: SealKey, anchors: ReadonlyMap<number, string>, problems: string[]) {
  let expected = 1;
  let before = '';
  let latest = 0;

  function problemOf(seal: StoredSeal): string | undefined {
    const { seq, lineId, line, sealedAt, keyId } = seal;
    if (seq !== expected)
      return `Seals ${expected} to ${seq - 1} are missing: lines were taken out with them.`;
    if (keyId !== key.id) return `Seal ${seq} was made with another AUDIT_KEY.`;
    if (line === null) return `Line ${lineId} was taken out (seal ${seq}).`;
    if (sealOf(key, before, { seq, sealedAt, line }) !== seal.mac)
      return `Line ${lineId} or its seal ${seq} was changed.`;
    const at = Date.parse(line.at);
    if (at < latest - LATE_MS)
      return `Line ${lineId} says ${line.at}, but was sealed after lines of ${new Date(latest).toISOString()}: it was put in later.`;
    latest = Math.max(latest, at);
    return undefined;
  }
  return {
    take: (seal: StoredSeal): void => {
      const problem = problemOf(seal);
      if (problem !== undefined) problems.push(problem);
      const anchored = anchors.get(seal.seq);
      if (anchored !== undefined && anchored !== seal.mac)
        problems.push(`Seal ${seal.seq} is not the one that was kept outside the database.`);
      expected = seal.seq + 1;
      before = seal.mac;
    },
    /** How many seals there were to walk. */
    end: (): number => {
      const last = Math.max(0, ...anchors.keys());
      if (last >= expected)
        problems.push(
          `The record ends at seal ${expected - 1}, but seal ${last} was kept outside the database: its end was cut off, or an older backup was restored.`,
        );
      return expected - 1;
    },
  };
}
