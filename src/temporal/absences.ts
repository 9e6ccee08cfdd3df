// Decides when a workflow that Temporal does not know is really gone: after two looks with time in
// between, and not while most runs are missing at once. Then Temporal itself has changed, and
// nothing is concluded from its answers.

/** An answer of a server that has just come up, or of a replica that lags behind, is soon another. */
export const LOOK_AGAIN_AFTER_MS = 10_000;
/** As many are lost by accidents of their own. */
const A_FEW = 2;
/** A run that has not been looked at for so long has ended. */
const FORGOTTEN_AFTER_MS = 600_000;
const LOG_EVERY_MS = 60_000;

export interface Absences {
  /** The run's workflow is there. */
  readonly found: (runId: string) => void;
  /** It is not; true where that counts now. `confirmed`: by an operator. */
  readonly missing: (runId: string, confirmed: boolean) => boolean;
}

export function createAbsences(
  log: { readonly error: (o: object, m: string) => void },
  clock: () => number = () => performance.now(),
): Absences {
  const lookedAt = new Map<string, number>();
  const missingSince = new Map<string, number>();
  let loggedAt = -Infinity;

  function forgetOld(now: number): void {
    for (const [runId, at] of lookedAt) {
      if (now - at < FORGOTTEN_AFTER_MS) break; // in the order of their looks
      lookedAt.delete(runId);
      missingSince.delete(runId);
    }
  }
  function looked(runId: string, now: number): void {
    lookedAt.delete(runId);
    lookedAt.set(runId, now);
    forgetOld(now);
  }
  const tooMany = (): boolean => missingSince.size > A_FEW && missingSince.size * 2 > lookedAt.size;

  return {
    found: (runId) => {
      looked(runId, clock());
      missingSince.delete(runId);
    },
    missing: (runId, confirmed) => {
      const now = clock();
      looked(runId, now);
      const since = missingSince.get(runId);
      if (since === undefined) missingSince.set(runId, now);
      if (since === undefined || now - since < LOOK_AGAIN_AFTER_MS) return false;
      if (confirmed || !tooMany()) {
        missingSince.delete(runId);
        return true;
      }
      if (now - loggedAt >= LOG_EVERY_MS) {
        loggedAt = now;
        log.error(
          { missing: missingSince.size, of: lookedAt.size },
          `Temporal does not know ${missingSince.size} of ${lookedAt.size} open runs. Nothing is concluded from that: they stay as they are. If Temporal was set up anew or restored from a backup, follow docs/operations.md, "When Temporal is another one".`,
        );
      }
      return false;
    },
  };
}
