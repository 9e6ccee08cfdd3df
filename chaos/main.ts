// `npm run chaos -- --seconds 600 --seed N [--schedule FILE] [--only fault,fault] [--kinds
// plain,cancel] [--at-least RUNS]`: real servers, two APIs, two workers, eight clients, and everything that can go
// wrong, by a printed schedule. Closes with `N passed, N failed` alone on its last line.

import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkEffects, type Stop } from './checks-effects.ts';
import { checkLosses } from './checks-losses.ts';
import { checkRuns, watchStates } from './checks-runs.ts';
import { CLIENTS, createClients, isTerminal, type Clients } from './clients.ts';
import { readEvidence } from './evidence.ts';
import { createInject, type Inject } from './faults.ts';
import { createHistory, type History } from './history.ts';
import { createRandom } from '../test/rig/random.ts';
import { checkFloor, conclude, merge, reportFaults, type Check, type Outcome } from './report.ts';
import { createAsk } from './requests.ts';
import {
  drawSchedule,
  FAULTS,
  printSchedule,
  readSchedule,
  type Fault,
  type FaultKind,
  type Schedule,
} from './schedule.ts';
import { troublesOf } from './troubles.ts';
import { createWorld, type World } from './world.ts';

/**
 * After the load, and after the longest single wait (a hang and a capped 429 take a minute each),
 * everything has come to rest.
 */
const SETTLE_MS = 90_000;
const CLOSE_MS = 30_000;
/** What `--at-least` may add to the load. */
const LONGEST_LOADS = 4;
/** Found on the way, not by a check at the end. */
const ON_THE_WAY = [
  'no-foreign-bytes',
  'only-declared-answers',
  'acknowledged-is-there',
  'cancel-stands',
  'terminal-never-changes',
  'paused-has-something-pending',
  'past-votes-decide-nothing',
  'no-process-ends-by-itself',
];

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string' },
    schedule: { type: 'string' },
    only: { type: 'string' },
    kinds: { type: 'string' },
    'at-least': { type: 'string', default: '0' },
  },
});

function scheduleAsked(): Schedule {
  if (values.schedule !== undefined) return readSchedule(values.schedule);
  const only = values.only
    ?.split(',')
    .filter((name): name is FaultKind => FAULTS.some((kind) => kind === name));
  return drawSchedule(Number(values.seed ?? Date.now() % 1_000_000), Number(values.seconds), only);
}

async function inflict(
  faults: readonly Fault[],
  began: number,
  inject: Inject,
): Promise<readonly Outcome[]> {
  return Promise.all(
    faults.map(async (fault): Promise<Outcome> => {
      await sleep(Math.max(0, began + fault.at - Date.now()));
      const at = Date.now();
      const result = await inject(fault).catch(
        (error: unknown) => ({ injected: false, skipped: false, why: String(error) }) as const,
      );
      console.log(
        `${((at - began) / 1000).toFixed(1).padStart(6)} s  ${fault.fault}: ${result.injected ? result.observed : `not injected, ${result.why}`}`,
      );
      return { fault, at, result };
    }),
  );
}

/** Every run that has begun is followed to its end, until there is none or the time is over. */
async function settle(history: History, clients: Clients): Promise<number> {
  const began = Date.now();
  const open = () => history.ops.filter((op) => op.ackedAt !== undefined && !isTerminal(op.status));
  while (open().length > 0 && Date.now() - began < SETTLE_MS) {
    const queue = open();
    await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        for (let op = queue.pop(); op !== undefined; op = queue.pop()) await clients.follow(op);
      }),
    );
    await sleep(200);
  }
  return Date.now() - began;
}

async function play(world: World, schedule: Schedule, history: History): Promise<readonly Check[]> {
  const clients = createClients({
    ask: createAsk(world, history),
    operator: world.operator,
    history,
    random: createRandom(schedule.seed + 1),
    only: values.kinds?.split(','),
  });
  const over = new AbortController();
  const watching = watchStates(world.postgres.url, history, over.signal);
  const began = Date.now();
  const least = Number(values['at-least']);
  // So many runs, however slow the machine is: a bug of a share of them needs enough of them.
  const loadOver = (): boolean => {
    const spent = Date.now() - began;
    const settled = history.ops.filter((op) => op.settledAt !== undefined).length;
    return spent > schedule.loadMs && (settled >= least || spent > LONGEST_LOADS * schedule.loadMs);
  };
  const [outcomes] = await Promise.all([
    inflict(schedule.faults, began, createInject(world, history)),
    ...Array.from({ length: CLIENTS }, (_, n) => clients.client(n, loadOver)),
  ]);
  console.log(`\nthe load is over after ${((Date.now() - began) / 1000).toFixed(0)} s; settling`);
  console.log(`settled after ${((await settle(history, clients)) / 1000).toFixed(1)} s`);
  over.abort();
  await watching;
  const evidence = await readEvidence(world.postgres.url);
  const stops = outcomes.flatMap(({ fault, at, result }): Stop[] => {
    if (!result.injected || !(fault.fault === 'stop-worker' || fault.fault === 'stop-all'))
      return [];
    const names = fault.fault === 'stop-all' ? ['worker1', 'worker2'] : [`worker${fault.which}`];
    return names.map((name) => ({ name, from: at, to: result.healedAt + 500 }));
  });
  const approvals = [...evidence.decisions.values()]
    .flat()
    .filter((d) => d.action === 'APPROVE').length;
  const parts = [
    checkEffects(evidence, world.sink.deliveries, stops),
    checkRuns(evidence, history, world.model.shown),
    checkLosses({
      ...{ evidence, history, deliveries: world.sink.deliveries },
      ...{ troubles: troublesOf(outcomes), modelFaults: world.model.faultsOf },
      clicks: world.operator.clicks,
    }),
  ];
  const recovery = reportFaults(outcomes, history.ops, world.restartMs);
  const floor = checkFloor(outcomes, history.ops, approvals, schedule.seconds);
  console.log(
    [...history.counts]
      .sort()
      .map(([what, n]) => `${what} ${n}`)
      .join(', '),
  );
  return [...merge(parts, history, ON_THE_WAY), recovery, floor];
}

const schedule = scheduleAsked();
console.log('The schedule (save these lines, and --schedule FILE plays them again):');
for (const line of printSchedule(schedule)) console.log(line);
let early: string[] = [];
let onUnmeant = (what: string): void => void early.push(what);
const world = await createWorld((what) => onUnmeant(what));
const history = createHistory(join(world.folder, 'history.jsonl'));
onUnmeant = (what) => history.found('no-process-ends-by-itself', what);
early.forEach(onUnmeant);
early = [];
console.log(`\neverything runs; the history is ${join(world.folder, 'history.jsonl')}\n`);
const checks = await play(world, schedule, history).catch((error: unknown): readonly Check[] => [
  {
    rule: 'the-program-ends',
    problems: [error instanceof Error ? (error.stack ?? error.message) : String(error)],
  },
]);
// The last line is the verdict's, and it is given whatever closing comes to.
await Promise.race([
  world.close().catch((error: unknown) => console.error(error)),
  sleep(CLOSE_MS).then(() => console.error('not everything was closed in time')),
]);
process.exit(conclude(checks) ? 0 : 1);
