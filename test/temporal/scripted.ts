// Temporal as a script: what is said to it is kept in order, and each answer is the test's. No
// server, so that order, lease and absence are tried in milliseconds.

import type { AgentRunInput } from '../../src/contract/turn.ts';
import type { Gateway, GatewayAnswer } from '../../src/temporal/gateway.ts';
import type { WorkflowObserver } from '../../src/temporal/workflow-observer.ts';

/** `START`, `SIGNAL <pause>`, `CANCEL`, `DELETE`, of a run. */
export interface Heard {
  readonly runId: string;
  readonly what: string;
}

export interface ScriptedGateway {
  readonly gateway: Gateway;
  readonly heard: readonly Heard[];
  /** What was said of one run. */
  readonly of: (runId: string) => readonly string[];
}

/** `answer` may wait, throw, or say `gone`; by default everything is taken at once. */
export function scriptedGateway(
  answer: (said: Heard) => GatewayAnswer | Promise<GatewayAnswer> = () => 'taken',
): ScriptedGateway {
  const heard: Heard[] = [];
  const say = async (runId: string, what: string): Promise<GatewayAnswer> => {
    const said = { runId, what };
    heard.push(said);
    return answer(said);
  };
  return {
    heard,
    of: (runId) => heard.filter((one) => one.runId === runId).map((one) => one.what),
    gateway: {
      start: (input: AgentRunInput) => say(input.runId, 'START'),
      wake: (runId, { pauseId }) => say(runId, `SIGNAL ${pauseId}`),
      wakeAsBefore: (runId, pauseId) => say(runId, `SIGNAL AS BEFORE ${pauseId}`),
      cancel: (runId) => say(runId, 'CANCEL'),
      terminate: (runId) => say(runId, 'TERMINATE'),
      delete: (runId) => say(runId, 'DELETE'),
    },
  };
}

export interface ScriptedWorkflows {
  readonly workflows: WorkflowObserver;
  /** How each workflow stands; NOT_FOUND where it is not said. */
  readonly statuses: Map<string, string>;
  /** Of those that say that they wait for people. */
  readonly idleSince: Map<string, Date>;
  readonly busy: Set<string>;
  /** With when, by Temporal's clock. */
  readonly closed: Map<string, Date>;
  /** Open workflows, a page each. */
  readonly open: (readonly string[])[];
  /** Runs that were asked about, in order. */
  readonly asked: readonly string[];
  /** From when on each look at closed ones wanted to know, and when it came. */
  readonly looks: readonly { readonly since: number; readonly at: number }[];
  /** Temporal does not answer. */
  readonly away: (now: boolean) => void;
}

export function scriptedWorkflows(): ScriptedWorkflows {
  const statuses = new Map<string, string>();
  const idleSince = new Map<string, Date>();
  const busy = new Set<string>();
  const closed = new Map<string, Date>();
  const open: (readonly string[])[] = [];
  const asked: string[] = [];
  const looks: { since: number; at: number }[] = [];
  let isAway = false;
  const answers = (): void => {
    if (isAway) throw new Error('Temporal does not answer');
  };
  return {
    ...{ statuses, idleSince, busy, closed, open, asked, looks },
    away: (now) => (isAway = now),
    workflows: {
      look: async (runId) => {
        asked.push(runId);
        answers();
        return {
          status: statuses.get(runId) ?? 'NOT_FOUND',
          idleSince: idleSince.get(runId),
          busy: busy.has(runId),
        };
      },
      closedSince: async (since) => {
        looks.push({ since: since.getTime(), at: Date.now() });
        answers();
        return [...closed]
          .filter(([, at]) => at > since)
          .map(([runId, closedAt]) => ({ runId, closedAt }));
      },
      openOnes: async (page) => {
        answers();
        const at = page?.[0] ?? 0;
        const next = at + 1 < open.length ? Uint8Array.of(at + 1) : undefined;
        return { runIds: open[at] ?? [], next };
      },
      paused: async (most) => {
        answers();
        return [...statuses].flatMap(([id, s]) => (s === 'PAUSED' ? [id] : [])).slice(0, most);
      },
    },
  };
}
