// How much of the bodies that are being read is held in memory at once, in this process and for one
// caller. Small bodies are always taken: a vote never waits for another caller's pictures.

/** Four bodies of the largest kind, and room for what they become while they are parsed. */
const TOTAL_BYTES = 128 * 2 ** 20;
/** Two of the largest: no caller takes it all. */
const CALLER_BYTES = 64 * 2 ** 20;
/** Of each body; what a connection may cost anyhow. */
const FREE_BYTES = 64 * 1024;

export interface BodyBudget {
  readonly open: (caller: string) => BodyShare;
}

export interface BodyShare {
  /** False, and nothing is taken, where there is no room for so many bytes more. */
  readonly take: (bytes: number) => boolean;
  readonly close: () => void;
}

export function createBodyBudget(): BodyBudget {
  const ofCallers = new Map<string, number>();
  let total = 0;
  const add = (caller: string, bytes: number): void => {
    total += bytes;
    const now = (ofCallers.get(caller) ?? 0) + bytes;
    if (now === 0) ofCallers.delete(caller);
    else ofCallers.set(caller, now);
  };
  return {
    open: (caller) => {
      let seen = 0;
      let taken = 0;
      return {
        take: (bytes) => {
          seen += bytes;
          const more = Math.max(0, seen - FREE_BYTES) - taken;
          if (total + more > TOTAL_BYTES) return false;
          if ((ofCallers.get(caller) ?? 0) + more > CALLER_BYTES) return false;
          taken += more;
          add(caller, more);
          return true;
        },
        close: () => {
          add(caller, -taken);
          taken = 0;
        },
      };
    },
  };
}
