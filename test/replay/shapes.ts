// The shapes of a run of which a history is kept from every release.

export const SHAPES = [
  'completed',
  'tool',
  'parallel-tools',
  'refused-call',
  'paused-open',
  'approved',
  'rejected',
  'edited',
  'two-of-three-approved',
  'two-pauses',
  'expired',
  'cancelled-running',
  'cancelled-paused',
  'failed-by-budget',
  'model-refused',
  'unknown-outcome',
  'operator-approved',
  'signals-that-changed-nothing',
  'worker-killed',
  'follow-ups',
  'settled-without-store',
  'decided-without-store',
] as const;
export type Shape = (typeof SHAPES)[number];
