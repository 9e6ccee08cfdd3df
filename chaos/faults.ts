// How each fault is done, from outside: signals, proxies, the model's and the sink's answers. Each
// says whether it was really injected and what was seen of it. Two faults of one thing wait for
// each other.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelFault } from './model.ts';
import { did, not, TRAFFIC_MS, type Injected } from './injected.ts';
import { limitMemory } from './memory.ts';
import { sees, type LinkMode, type Trap } from './proxy.ts';
import type { Fault, LinkName } from './schedule.ts';
import type { ToolFault } from './sink.ts';
import type { History } from './history.ts';
import { createByOperator } from './operator-faults.ts';
import type { World } from './world.ts';
import type { Looked } from './process.ts';

export type Inject = (fault: Fault) => Promise<Injected>;

/** Of requests that get an armed answer. A hang and a 429 cost a minute each. */
const SERVED = 3;

export function createInject(world: World, history: History): Inject {
  const { apis, workers, links, postgres, temporal, sink, model } = world;
  const byOperator = createByOperator(world.operator, history);
  const busy = new Map<string, Promise<unknown>>();

  /** One after the other on the same thing. */
  async function alone<T>(things: readonly string[], act: () => Promise<T>): Promise<T> {
    const before = Promise.all(things.map(async (thing) => busy.get(thing)));
    const now = before.then(act);
    for (const thing of things)
      busy.set(
        thing,
        now.catch(() => undefined),
      );
    return now;
  }

  const kill = (processes: readonly Looked[], ms: number): Promise<Injected> =>
    alone(
      processes.map((p) => p.name),
      async () => {
        await Promise.all(processes.map((p) => p.kill9()));
        await sleep(ms);
        for (const p of processes) p.up();
        return did(`${processes.map((p) => p.name).join(', ')} ended`);
      },
    );
  const pause = (processes: readonly Looked[], ms: number): Promise<Injected> =>
    alone(
      processes.map((p) => p.name),
      async () => {
        for (const p of processes) p.signal('SIGSTOP');
        await sleep(ms);
        for (const p of processes) p.signal('SIGCONT');
        return did(`${processes.map((p) => p.name).join(', ')} stopped for ${ms} ms`);
      },
    );
  const both = [...apis, ...workers];

  /**
   * Waits for the bytes on either process's link, kills the process it happened on where `killed`.
   */
  async function trap(
    link: LinkName,
    looks: Pick<Trap, 'matcher' | 'act' | 'graceMs'>,
    killed: boolean,
  ): Promise<Injected> {
    const processes = link.startsWith('api') ? apis : workers;
    const sprung = await new Promise<Looked | undefined>((resolve) => {
      const off = ([0, 1] as const).map((i) =>
        links[link][i].arm({ ...looks, sprung: () => done(processes[i]) }),
      );
      const late = setTimeout(() => done(undefined), TRAFFIC_MS);
      const done = (process: Looked | undefined): void => {
        for (const disarm of off) disarm();
        clearTimeout(late);
        if (killed && process !== undefined) void process.kill9();
        resolve(process);
      };
    });
    if (sprung === undefined) return not('nothing of the kind was sent in time');
    if (killed) {
      await sleep(800);
      sprung.up();
    }
    return did(`on ${sprung.name}`);
  }

  async function net(fault: Fault, mode: LinkMode): Promise<Injected> {
    const proxy = links[fault.link][fault.which - 1 === 0 ? 0 : 1];
    return alone([`${fault.link} ${fault.which}`], async () => {
      const before = proxy.harmed();
      proxy.set(mode);
      // A link on which nothing is said is no worse for it: the fault begins with the first bytes
      // that meet it.
      for (const end = Date.now() + TRAFFIC_MS; proxy.harmed() === before && Date.now() < end;)
        await sleep(50);
      await sleep(fault.ms);
      proxy.set({ kind: 'pass' });
      const harmed = proxy.harmed() - before;
      return harmed > 0
        ? did(`${fault.link} ${fault.which}: ${harmed} pieces or connections`)
        : not(`nothing went over ${fault.link}`);
    });
  }

  async function served(count: number, arm: () => void, faulted: () => number): Promise<Injected> {
    const before = faulted();
    arm();
    for (const end = Date.now() + TRAFFIC_MS; faulted() < before + count && Date.now() < end;)
      await sleep(100);
    return faulted() > before ? did(`${faulted() - before} answers`) : not('nobody asked in time');
  }

  const ofModel = (fault: ModelFault, count: number): Promise<Injected> =>
    alone(['model'], () =>
      served(
        count,
        () => model.arm(fault, count),
        () => model.faulted(fault),
      ),
    );
  const ofTool = (fault: ToolFault): Promise<Injected> =>
    alone(['tool'], () =>
      served(
        SERVED,
        () => sink.arm(fault, SERVED),
        () => sink.faulted(fault),
      ),
    );
  const ofPostgres = (act: () => Promise<string>): Promise<Injected> =>
    alone(['postgres'], async () => {
      const seen = await act();
      await postgres.start();
      return did(seen);
    });

  const clock = (seconds: number, ms: number): Promise<Injected> =>
    alone(['clock'], async () => {
      if (world.noClock !== undefined) return not(world.noClock, true);
      world.moveClock(seconds);
      await sleep(ms);
      world.moveClock(0);
      return did(`api2 and worker2 by ${seconds} s for ${ms} ms`);
    });

  return async (fault) => {
    const { fault: kind, which, ms } = fault;
    const [api, worker] = [apis[which - 1 === 0 ? 0 : 1], workers[which - 1 === 0 ? 0 : 1]];
    switch (kind) {
      case 'kill-api':
        return kill([api], ms);
      case 'kill-worker':
        return kill([worker], ms);
      case 'kill-both-apis':
        return kill(apis, ms);
      case 'kill-both-workers':
        return kill(workers, ms);
      case 'kill-all':
        return kill(both, ms);
      case 'stop-api':
        return pause([api], ms);
      case 'stop-worker':
        return pause([worker], ms);
      case 'stop-all':
        return pause(both, ms);
      case 'after-commit-before-start':
        return trap(
          'api-temporal',
          { matcher: sees('"runId":"run_'), act: 'hold', graceMs: 0 },
          true,
        );
      case 'after-start-before-reply':
        return trap(
          'api-temporal',
          { matcher: sees('"runId":"run_'), act: 'lose-reply', graceMs: 300 },
          true,
        );
      case 'after-decision-before-signal':
        return trap(
          'api-temporal',
          { matcher: sees('"pauseId":"pause_'), act: 'hold', graceMs: 0 },
          true,
        );
      case 'after-effect-before-record':
        return afterEffect();
      case 'lost-commit-api':
        return trap(
          'api-pg',
          { matcher: sees('commit\0', 'insert into runs'), act: 'lose-reply', graceMs: 200 },
          false,
        );
      case 'lost-commit-worker':
        return trap(
          'worker-pg',
          { matcher: sees('commit\0', 'update calls set state'), act: 'lose-reply', graceMs: 200 },
          false,
        );
      case 'lost-commit-any-api':
      case 'lost-commit-any-worker':
        return trap(
          kind === 'lost-commit-any-api' ? 'api-pg' : 'worker-pg',
          { matcher: sees('commit\0'), act: 'lose-reply', graceMs: 200 },
          false,
        );
      case 'pg-kill':
        return ofPostgres(async () => {
          await postgres.kill9();
          await sleep(ms);
          return 'ended';
        });
      case 'pg-stop':
        return ofPostgres(async () => {
          postgres.signal('SIGSTOP');
          await sleep(ms);
          postgres.signal('SIGCONT');
          return `stopped for ${ms} ms`;
        });
      case 'pg-disk-full':
        if (postgres.noSmallDisk !== undefined) return not(postgres.noSmallDisk, true);
        return ofPostgres(async () => {
          postgres.fillDisk();
          await sleep(ms);
          const fell = !postgres.running();
          postgres.freeDisk();
          return fell ? 'full: it ended' : 'full: it lives';
        });
      case 'temporal-kill':
        return alone(['temporal'], async () => {
          await temporal.kill9();
          await sleep(ms);
          await temporal.start();
          return did('ended');
        });
      case 'net-delay':
        return net(fault, { kind: 'delay', ms: 200 });
      case 'net-cut':
        return net(fault, { kind: 'cut' });
      case 'net-deaf':
        return net(fault, { kind: 'deaf' });
      case 'net-blackhole':
        return net(fault, { kind: 'blackhole' });
      case 'model-hang':
      case 'model-429':
      case 'model-3mb':
        return ofModel(kind.slice(6) as ModelFault, 1);
      case 'model-cut-text':
      case 'model-cut-arguments':
      case 'model-html':
      case 'model-loop':
        return ofModel(kind.slice(6) as ModelFault, SERVED);
      case 'tool-slow':
      case 'tool-drop':
      case 'tool-500':
        return ofTool(kind.slice(5) as ToolFault);
      case 'worker-memory':
        return alone([worker.name], async () => limited(worker, ms));
      case 'clock-forward':
        return clock(7200, ms);
      case 'clock-back':
        return clock(-7200, ms);
      case 'clock-minute':
        return clock(60, ms);
      case 'reset-first':
      case 'reset-last':
      case 'reset-ended':
      case 'terminate':
        return byOperator(kind);
    }
  };

  async function afterEffect(): Promise<Injected> {
    const name = await new Promise<string | undefined>((resolve) => {
      const off = sink.afterEffect((worker) => {
        clearTimeout(late);
        const process = workers.find((p) => p.name === worker);
        void process
          ?.kill9()
          .then(() => sleep(800))
          .then(process.up);
        resolve(worker);
      });
      const late = setTimeout(() => (off(), resolve(undefined)), TRAFFIC_MS);
    });
    return name === undefined ? not('no tool was called in time') : did(`on ${name}`);
  }

  async function limited(worker: Looked, ms: number): Promise<Injected> {
    const limit = limitMemory(worker.pid());
    if ('problem' in limit) return not(limit.problem, true);
    const before = worker.ends();
    worker.expectEnd();
    await sleep(ms);
    limit.lift();
    return did(worker.ends() > before ? 'ended for lack of memory' : 'lived with it');
  }
}
