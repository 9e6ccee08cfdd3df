// The agents that a process serves: those of the files, and those whose tool servers have to be
// reached first. A server that is away stops the agents that name it and no others: it is tried
// again, and until then they take no runs.

import type { AgentSnapshot, McpServer } from '../contract/agent.ts';
import { canonicalJson } from '../json/canonical.ts';
import type { Logger } from '../logger.ts';
import type { Listed } from '../mcp/list-tools.ts';
import type { McpServers } from '../mcp/servers.ts';
import { createMask } from '../tools/mask.ts';
import { secretNames } from '../tools/places.ts';
import type { AgentDraft, CompletedAgent, LoadedAgents } from './load-agents.ts';

export interface AgentRegistry {
  /** By id; of one that waits, what it is listed as. */
  readonly agents: ReadonlyMap<string, AgentSnapshot>;
  /** Whether it takes no runs yet. */
  readonly isWaiting: (agentId: string) => boolean;
  /** Ends the tries. */
  readonly stop: () => void;
}

export interface RegistryDeps {
  readonly servers: Pick<McpServers, 'list'>;
  readonly secret: (name: string) => string | undefined;
  readonly log: Pick<Logger, 'warn' | 'info'>;
  readonly stopping: AbortSignal;
}

/** A server that is being restarted is back within seconds; one that stays away is not pressed. */
const FIRST_AGAIN_MS = 2000;
const LAST_AGAIN_MS = 30_000;

/** Throws the problems that files have with servers which are there. */
export async function openAgents(
  { agents: whole, drafts }: Extract<LoadedAgents, { agents: unknown }>,
  deps: RegistryDeps,
): Promise<AgentRegistry> {
  const agents = new Map(whole);
  const waiting = new Map<string, AgentDraft>();
  const stopped = new AbortController();
  const signal = AbortSignal.any([deps.stopping, stopped.signal]);
  for (const draft of drafts) {
    agents.set(draft.standIn.id, draft.standIn);
    waiting.set(draft.standIn.id, draft);
  }
  const say = ({ draft, away, completed }: Tried): void => {
    const { file, standIn } = draft;
    for (const words of [...away, ...(completed?.leftOut ?? [])])
      deps.log.warn({ agent: standIn.id, file }, `the agent ${standIn.id}: ${words}`);
  };
  const take = ({ draft, completed }: Tried): boolean => {
    if (completed?.agent === undefined) return false;
    agents.set(completed.agent.id, completed.agent);
    return waiting.delete(draft.standIn.id);
  };
  const tried = await tryAll(drafts, deps, signal);
  const problems = tried.flatMap(({ completed }) => completed?.problems ?? []);
  if (problems.length > 0)
    throw new Error(`The agent files have problems:\n${problems.map((p) => `  ${p}`).join('\n')}`);
  for (const one of tried) {
    say(one);
    take(one);
  }
  if (waiting.size > 0) void tryAgain().catch(() => undefined);

  async function tryAgain(): Promise<void> {
    for (let afterMs = FIRST_AGAIN_MS; ; afterMs = Math.min(2 * afterMs, LAST_AGAIN_MS)) {
      await passed(afterMs, signal);
      for (const one of await tryAll([...waiting.values()], deps, signal)) {
        say(one);
        const { id } = one.draft.standIn;
        if (take(one))
          deps.log.info({ agent: id }, `the agent ${id} takes runs now: its tool server is there`);
        for (const problem of one.completed?.problems ?? [])
          deps.log.warn({ agent: id }, `the agent ${id} takes no runs: ${problem}`);
      }
      if (waiting.size === 0) return;
    }
  }

  return {
    agents,
    isWaiting: (agentId) => waiting.has(agentId),
    stop: () => stopped.abort(),
  };
}

/** Rejects where the signal is aborted first. */
const passed = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new Error('stopped'));
    const timer = setTimeout(resolve, ms).unref();
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new Error('stopped'));
    });
  });

interface Tried {
  readonly draft: AgentDraft;
  /** Words for the log about servers of it that are away. */
  readonly away: readonly string[];
  /** undefined: one is. */
  readonly completed: CompletedAgent | undefined;
}

/** Each server is asked once, whatever the number of agents that name it. */
async function tryAll(
  drafts: readonly AgentDraft[],
  { servers, secret }: RegistryDeps,
  signal: AbortSignal,
): Promise<readonly Tried[]> {
  const asked = new Map<string, Promise<Listed>>();
  for (const server of drafts.flatMap((draft) => draft.servers)) {
    const key = canonicalJson(server);
    if (!asked.has(key)) asked.set(key, servers.list(server, signal));
  }
  const listOf = async (server: McpServer) => ({
    server,
    listed: await (asked.get(canonicalJson(server)) as Promise<Listed>),
  });
  return Promise.all(
    drafts.map(async (draft) => {
      const lists = await Promise.all(draft.servers.map(listOf));
      const away = lists.flatMap(({ server, listed }) =>
        listed.kind === 'UNREACHED' && !signal.aborted
          ? [
              `it takes no runs, for its tool server ${shown(server)} gave no list of its tools: ${listed.why}. It is tried again.`,
            ]
          : [],
      );
      const there = new Map(
        lists.flatMap(({ server, listed }) =>
          listed.kind === 'LISTED' ? [[canonicalJson(server), listed.tools] as const] : [],
        ),
      );
      const isWhole = lists.every(({ listed }) => listed.kind === 'LISTED');
      const hasSecret = secretFinder(draft.servers, secret);
      return {
        ...{ draft, away },
        completed: isWhole
          ? draft.complete((server) => there.get(canonicalJson(server)) ?? [], hasSecret)
          : undefined,
      };
    }),
  );
}

/** As the file has it: secrets are not filled in. */
const shown = (server: McpServer): string =>
  'url' in server ? server.url : server.command.join(' ');

function secretFinder(
  servers: readonly McpServer[],
  secret: RegistryDeps['secret'],
): (text: string) => boolean {
  const sent = servers
    .flatMap((server) => ('url' in server ? [server.url, ...Object.values(server.headers)] : []))
    .flatMap(secretNames)
    .flatMap((name) => secret(name) ?? []);
  const mask = createMask(sent);
  return (text) => mask(text) !== text;
}
