// A bounded number of things at once, and those that wait in the order of their owners' turns: an
// owner with three hundred waiting ones holds another's first one up by one, not by three hundred.

export interface FairTurns {
  /** Resolves when it is this owner's turn, with what gives the place back; once. */
  readonly take: (owner: string) => Promise<() => void>;
}

export function createFairTurns(atOnce: number): FairTurns {
  let places = atOnce;
  // Insertion order is the order of turns: an owner that was served goes to the end.
  const waiting = new Map<string, (() => void)[]>();

  function next(): void {
    const [first] = waiting;
    if (first === undefined || places === 0) return;
    const [owner, turns] = first;
    waiting.delete(owner);
    const begin = turns.shift();
    if (turns.length > 0) waiting.set(owner, turns);
    begin?.();
  }
  function place(): () => void {
    places--;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      places++;
      next();
    };
  }

  return {
    take: (owner) => {
      if (places > 0) return Promise.resolve(place());
      return new Promise((resolve) => {
        const turns = waiting.get(owner) ?? [];
        turns.push(() => resolve(place()));
        waiting.set(owner, turns);
      });
    },
  };
}
