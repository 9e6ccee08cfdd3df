// The shapes of a run of which a history is kept from every release since they came.

const FIRST_SHAPES = [
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
export type FirstShape = (typeof FIRST_SHAPES)[number];

const KEPT_SHAPES = [
  'waited-for-model',
  'model-away-for-longer-than-patience',
  'cancelled-waiting-for-model',
  'taken-up-again',
  'taken-up-with-an-unknown-outcome',
  'rejected-before',
  'one-of-two-rejected-before',
  'rejected-too-often',
  'go-between-did-not-know',
  'held-by-operator',
  'held-and-rejected-by-operator',
] as const;
export type KeptShape = (typeof KEPT_SHAPES)[number];

export type Shape = FirstShape | KeptShape;

const FIRST_RELEASE = '0.1.0';

export const shapesOf = (release: string): readonly Shape[] =>
  release === FIRST_RELEASE ? FIRST_SHAPES : [...FIRST_SHAPES, ...KEPT_SHAPES];
