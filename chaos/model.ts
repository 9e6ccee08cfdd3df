// The scripted model: a message carries its plan (the calls to ask for, step by step), so that
// every answer follows from what was asked. Armed faults are served to the next requests, whosever
// they are. Keeps what each operation was shown, to check the session's order.

import { startScriptedModel, type ModelMessage, type Reply } from '../test/rig/scripted-model.ts';

export type ModelFault = 'cut-text' | 'cut-arguments' | 'hang' | '429' | 'html' | '3mb' | 'loop';

export interface PlannedCall {
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** In the message, as JSON after `#plan `. */
export interface Plan {
  readonly op: string;
  readonly steps: readonly (readonly PlannedCall[])[];
  /** Pieces of the answer, 40 ms apart. */
  readonly talk: number;
}

export interface ModelServer {
  readonly port: number;
  readonly arm: (fault: ModelFault, count: number) => void;
  readonly faulted: (fault: ModelFault) => number;
  /** What each operation was served instead of its answer. */
  readonly faultsOf: ReadonlyMap<string, ReadonlySet<ModelFault>>;
  /** User messages before its own that the operation's first request had, by operation. */
  readonly shown: ReadonlyMap<string, readonly string[]>;
  readonly close: () => Promise<void>;
}

export const messageOf = (plan: Plan, canary: string): string =>
  `${canary} ${plan.op} #plan ${JSON.stringify(plan)}`;

const textOf = (message: ModelMessage): string =>
  typeof message.content === 'string' ? message.content : '';
export const opOf = (text: string): string => / (op-\S+) #plan /.exec(text)?.[1] ?? '';

const MB = 1024 * 1024;

export async function startModel(): Promise<ModelServer> {
  const armed: ModelFault[] = [];
  const counts = new Map<ModelFault, number>();
  const looping = new Set<string>();
  const faultsOf = new Map<string, Set<ModelFault>>();
  const shown = new Map<string, readonly string[]>();

  function answer(plan: Plan, step: number): Reply {
    const calls = plan.steps[step];
    if (calls !== undefined)
      return {
        toolCalls: calls.map(({ tool, args }) => ({ name: tool, args })),
        reasoning: `step ${step}`,
      };
    const pieces = Array.from({ length: plan.talk }, (_, i) => ({
      text: `word ${i} `,
      delayMs: 40,
    }));
    return { chunks: [...pieces, { text: `done ${plan.op}` }] };
  }

  function faulty(fault: ModelFault, plan: Plan): Reply {
    switch (fault) {
      case 'cut-text':
        return { chunks: [{ text: 'half of ' }, { text: 'an answer', delayMs: 30 }], cut: 'mid' };
      case 'cut-arguments':
        return { toolCalls: [{ name: 'post', args: { text: `cut ${plan.op}` } }], cut: 'mid' };
      case 'hang':
        return { text: 'and then', hang: 'mid' };
      case '429':
        return { status: 429, headers: { 'retry-after': '3600' } };
      case 'html':
        return {
          body: '<html><body>Bad gateway</body></html>',
          headers: { 'content-type': 'text/html' },
        };
      case '3mb':
        return { chunks: Array.from({ length: 48 }, () => ({ text: 'x'.repeat(MB / 16) })) };
      case 'loop':
        looping.add(plan.op);
        return { toolCalls: [{ name: 'note', args: { text: `loop ${plan.op}` } }] };
    }
  }

  const server = await startScriptedModel((body) => {
    const at = body.messages.findLastIndex((message) => message.role === 'user');
    const text = textOf(body.messages[at] ?? { role: 'user' });
    const plan = JSON.parse(text.slice(text.indexOf('#plan ') + 6)) as Plan;
    const step = body.messages
      .slice(at)
      .filter((message) => (message.tool_calls?.length ?? 0) > 0).length;
    if (step === 0)
      shown.set(
        plan.op,
        body.messages
          .slice(0, at)
          .filter((m) => m.role === 'user')
          .map(textOf),
      );
    if (looping.has(plan.op)) return faulty('loop', plan);
    const fault = armed.shift();
    if (fault === undefined) return answer(plan, step);
    counts.set(fault, (counts.get(fault) ?? 0) + 1);
    faultsOf.set(plan.op, (faultsOf.get(plan.op) ?? new Set()).add(fault));
    return faulty(fault, plan);
  });
  return {
    port: Number(new URL(server.url).port),
    arm: (fault, count) => void armed.push(...Array.from({ length: count }, () => fault)),
    faulted: (fault) => counts.get(fault) ?? 0,
    faultsOf,
    shown,
    close: server.close,
  };
}
