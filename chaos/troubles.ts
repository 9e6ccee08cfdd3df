// When which fault was in force, and what it can explain: an answer, a failure, a silence. Only
// what was really injected explains anything.

import type { Outcome } from './report.ts';
import type { FaultKind, LinkName } from './schedule.ts';

export interface Trouble {
  readonly kind: FaultKind;
  readonly link: LinkName;
  readonly which: 1 | 2;
  readonly from: number;
  readonly to: number;
}

/** The bound on recovery after a restart: so long after its end a fault still explains something. */
export const RESTARTED_MS = 10_000;
/** The bound where another worker lives: the heartbeat timeout of 5 s and the retry's second. */
export const TAKEN_OVER_MS = 6000;

export const troublesOf = (outcomes: readonly Outcome[]): readonly Trouble[] =>
  outcomes.flatMap(({ fault, at, result }) =>
    result.injected
      ? [
          {
            ...{ kind: fault.fault, link: fault.link, which: fault.which },
            ...{ from: at, to: result.healedAt },
          },
        ]
      : [],
  );

/** Was any such fault in force in this time, or had it ended so shortly before? */
export const during = (
  troubles: readonly Trouble[],
  from: number,
  to: number,
  fits: (trouble: Trouble) => boolean,
  afterMs: number = RESTARTED_MS,
): boolean => troubles.some((one) => one.from <= to && from <= one.to + afterMs && fits(one));

const OF_WORKERS: readonly FaultKind[] = [
  ...(['kill-worker', 'kill-both-workers', 'stop-worker', 'worker-memory'] as const),
  ...(['lost-commit-worker', 'lost-commit-any-worker', 'after-effect-before-record'] as const),
];
const OF_APIS: readonly FaultKind[] = [
  ...(['kill-api', 'kill-both-apis', 'stop-api', 'lost-commit-api'] as const),
  'lost-commit-any-api',
  ...(['after-commit-before-start', 'after-start-before-reply'] as const),
  ...(['after-decision-before-signal'] as const),
];

const isNet = (kind: FaultKind): boolean => kind.startsWith('net-');
/** What only changes what the model or a tool says, not who can be reached. */
export const isScripted = (kind: FaultKind): boolean =>
  kind.startsWith('model-') || kind.startsWith('tool-');

/** Somebody whom an API needs, or it itself, was away. */
export const ofApi = ({ kind, link }: Trouble): boolean =>
  !isScripted(kind) && !OF_WORKERS.includes(kind) && (!isNet(kind) || link.startsWith('api-'));

/** Somebody whom a worker needs, or it itself, was away. */
export const ofWorker = ({ kind, link }: Trouble): boolean =>
  !isScripted(kind) && !OF_APIS.includes(kind) && (!isNet(kind) || link.startsWith('worker-'));

export const ofModelLink = ({ kind, link }: Trouble): boolean =>
  isNet(kind) && link === 'worker-model';
