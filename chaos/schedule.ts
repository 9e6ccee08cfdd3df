// What is done to the product and when: drawn from a seed, printed one JSON line a fault, read back
// from such a file. The clients' plans are drawn from the same seed; what the machine's timing adds
// is the only thing a replay can't repeat.

import { readFileSync } from 'node:fs';
import { createRandom, type Random } from '../test/rig/random.ts';

export const FAULTS = [
  ...([
    'kill-api',
    'kill-worker',
    'kill-both-apis',
    'kill-both-workers',
    'kill-all',
    'stop-api',
    'stop-worker',
    'stop-all',
  ] as const),
  ...([
    'after-commit-before-start',
    'after-start-before-reply',
    'after-effect-before-record',
    'after-decision-before-signal',
  ] as const),
  ...([
    'lost-commit-api',
    'lost-commit-worker',
    'lost-commit-any-api',
    'lost-commit-any-worker',
    'pg-kill',
    'pg-stop',
    'pg-disk-full',
    'temporal-kill',
  ] as const),
  ...(['net-delay', 'net-cut', 'net-deaf', 'net-blackhole'] as const),
  ...([
    'model-cut-text',
    'model-cut-arguments',
    'model-hang',
    'model-429',
    'model-html',
    'model-3mb',
    'model-loop',
  ] as const),
  ...([
    'tool-slow',
    'tool-drop',
    'tool-500',
    'worker-memory',
    'clock-forward',
    'clock-back',
    'clock-minute',
  ] as const),
  ...(['reset-first', 'reset-last', 'reset-ended', 'terminate'] as const),
] as const;
export type FaultKind = (typeof FAULTS)[number];

export const LINKS = [
  'api-pg',
  'api-temporal',
  'worker-pg',
  'worker-temporal',
  'worker-model',
] as const;
export type LinkName = (typeof LINKS)[number];

export interface Fault {
  /** ms after the load began. */
  readonly at: number;
  readonly fault: FaultKind;
  /** 1 or 2: which of the two processes. */
  readonly which: 1 | 2;
  readonly link: LinkName;
  readonly ms: number;
}

export interface Schedule {
  readonly seed: number;
  readonly seconds: number;
  /** How long the clients begin new runs; the rest is for settling and checking. */
  readonly loadMs: number;
  readonly faults: readonly Fault[];
}

/**
 * A hang is noticed after 60 s of silence, a 429's wait is capped at 60 s: they must be early
 * enough to be over at the end.
 */
const EARLY: readonly FaultKind[] = ['model-hang', 'model-429'];

/**
 * The two-minute form: restarts of half the system are left out, they take longer than is there.
 */
const SHORT: readonly FaultKind[] = [
  ...([
    'kill-api',
    'kill-worker',
    'stop-worker',
    'pg-kill',
    'temporal-kill',
    'net-cut',
    'net-blackhole',
    'net-deaf',
  ] as const),
  ...([
    'after-commit-before-start',
    'after-start-before-reply',
    'after-effect-before-record',
    'after-decision-before-signal',
  ] as const),
  ...(['lost-commit-api', 'lost-commit-worker', 'tool-slow', 'tool-drop', 'tool-500'] as const),
  ...(['lost-commit-any-worker', 'reset-last', 'terminate'] as const),
  ...([
    'model-cut-text',
    'model-cut-arguments',
    'model-hang',
    'model-429',
    'model-html',
    'model-3mb',
    'model-loop',
  ] as const),
];

const SHORT_FORM_S = 240;
const MOST_AT_ONCE = 3;
const OVERLAP_SHARE = 0.4;
/** Of the long form's random second half. */
const EVERY_MS = 8000;

/** `only`: those faults and no others, for the planted bugs. */
export function drawSchedule(seed: number, seconds: number, only?: readonly FaultKind[]): Schedule {
  const random = createRandom(seed);
  const short = seconds < SHORT_FORM_S;
  const loadMs = short ? Math.round(seconds * 620) : (seconds - 110) * 1000;
  const kinds = only ?? (short ? SHORT : FAULTS);
  const early = kinds.filter((kind) => EARLY.includes(kind));
  const others = random.shuffled(kinds.filter((kind) => !EARLY.includes(kind)));
  const [first, last] = [3000, loadMs - (short ? 6000 : 20_000)];
  while (!short && only === undefined && (last - first) / others.length > EVERY_MS)
    others.push(random.pick(kinds.filter((kind) => !EARLY.includes(kind))));
  const step = (last - first) / Math.max(1, others.length);
  const faults = [
    ...early.map((kind, i) => draw(random, kind, 1500 + 2000 * i, short)),
    ...others.map((kind, i) =>
      draw(random, kind, Math.round(first + step * (i + random.next() * 0.8)), short),
    ),
  ];
  const inOrder = faults.sort((a, b) => a.at - b.at);
  return { seed, seconds, loadMs, faults: short ? inOrder : overlapping(inOrder, random) };
}

/**
 * Two or three at once: what heals from one fault need not heal from two. The others keep their
 * places, so that there is time to recover in between.
 */
function overlapping(faults: readonly Fault[], random: Random): readonly Fault[] {
  let together = 1;
  let last = 0;
  return faults.map((fault) => {
    const joins = last > 0 && together < MOST_AT_ONCE && random.chance(OVERLAP_SHARE);
    together = joins ? together + 1 : 1;
    last = joins ? last + random.int(0, 1200) : fault.at;
    return { ...fault, at: last };
  });
}

/** A zombie is stopped for longer than the 5 s of the heartbeat timeout. */
function draw(random: Random, fault: FaultKind, at: number, short: boolean): Fault {
  const ms = fault.startsWith('stop-')
    ? random.int(6500, 9000)
    : short
      ? random.int(1500, 3500)
      : random.int(2000, 8000);
  return { at, fault, which: random.pick([1, 2] as const), link: random.pick(LINKS), ms };
}

export function printSchedule({ faults, ...head }: Schedule): readonly string[] {
  return [JSON.stringify(head), ...faults.map((fault) => JSON.stringify(fault))];
}

export function readSchedule(file: string): Schedule {
  const [head, ...faults] = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as unknown);
  return { ...(head as Omit<Schedule, 'faults'>), faults: faults as Fault[] };
}
