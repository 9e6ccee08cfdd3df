// What the clients ask for: the mix of plain, guarded, cancelled and session runs, drawn from the
// seed.

import type { OpKind } from './history.ts';
import type { Plan, PlannedCall } from './model.ts';
import type { Random } from '../test/rig/random.ts';

const MIX: readonly (readonly [OpKind, number])[] = [
  ['plain', 30],
  ['approve', 18],
  ['reject', 10],
  ['two-pauses', 10],
  ['operator', 10],
  ['cancel', 14],
  ['session', 16],
];

/** `only`: of the mix, those kinds; for a planted bug that few of them would meet. */
export function drawKind(random: Random, only?: readonly string[]): OpKind {
  const mix = only === undefined ? MIX : MIX.filter(([kind]) => only.includes(kind));
  let left = random.int(
    1,
    mix.reduce((sum, [, share]) => sum + share, 0),
  );
  for (const [kind, share] of mix) if ((left -= share) <= 0) return kind;
  return 'plain';
}

export interface Drawn extends Plan {
  /** Of a cancelled one: once it is paused, or so many ms after its start. */
  readonly cancel: { readonly paused: true } | { readonly afterMs: number } | undefined;
}

export function drawPlan(op: string, kind: OpKind, random: Random): Drawn {
  let n = 0;
  const call = (...tools: readonly string[]): PlannedCall => ({
    tool: random.pick(tools),
    args: { text: `${op} ${++n}` },
  });
  const free = (): PlannedCall => call('note', 'post');
  const guarded = (): PlannedCall => call('mail', 'pay');
  const plan = (steps: Plan['steps'], talk = 2, cancel?: Drawn['cancel']): Drawn => ({
    op,
    steps,
    talk,
    cancel,
  });
  switch (kind) {
    case 'plain':
      return plan(
        random.pick([[[free()]], [[free()], [free()]], [[free(), free()]], []]),
        random.int(0, 20),
      );
    case 'approve':
    case 'reject':
      return plan(
        random.pick([
          [[guarded()]],
          [[free()], [guarded()]],
          [[guarded(), guarded()]],
          [[guarded(), free()]],
        ]),
      );
    case 'two-pauses':
    case 'operator':
      return plan([[guarded()], [guarded()]]);
    case 'cancel':
      if (random.chance(0.3)) return plan([[guarded()]], 2, { paused: true });
      return plan(random.pick([[], [[free()]], [[free()], [free()]]]), 60, {
        afterMs: random.int(0, 1800),
      });
    case 'session':
      return plan(random.pick([[], [], [[free()]]]), random.int(0, 6));
  }
}
