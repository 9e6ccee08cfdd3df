// The directory of agent files, read whole: every agent, or every problem of every file with its
// line. Reads no environment: secrets come as a function, and only whether they are set is looked
// at.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isOwnSetting } from '../settings/settings.ts';
import type { AgentSnapshot, McpServer, ToolSnapshot } from '../contract/agent.ts';
import { pathText } from '../json/strict.ts';
import type { CodeTool } from '../tools/define-tool.ts';
import { AgentFileSchema, type AgentFile } from './agent-file.ts';
import { ruleQuorumProblems } from './approval-rules.ts';
import { problemsOf, type FileProblem, type Path } from './file-problem.ts';
import { builtInProblems, withBuiltIns } from './built-in-tools.ts';
import { namesWithoutServer, pinnedTools } from './mcp-tools.ts';
import { bareSecrets, misplacedSecrets, secretProblem } from './secret-places.ts';
import { agentSnapshot } from './snapshot.ts';
import { readTool, type ReadTool, type ToolEntryDeps } from './tool-entry.ts';
import { readYaml } from './yaml-file.ts';

export interface LoadDeps {
  readonly codeTools: ReadonlyMap<string, CodeTool>;
  readonly secret: (name: string) => string | undefined;
  readonly production?: boolean;
}

/** An agent whose tools are partly a server's, which has to be asked for them. */
export interface AgentDraft {
  readonly file: string;
  readonly servers: readonly McpServer[];
  /** What it is listed as until then: it takes no runs. */
  readonly standIn: AgentSnapshot;
  readonly complete: (
    declared: (server: McpServer) => readonly unknown[],
    hasSecret: (text: string) => boolean,
  ) => CompletedAgent;
}
export interface CompletedAgent {
  /** undefined: there are problems. */
  readonly agent: AgentSnapshot | undefined;
  /** With file and line. */
  readonly problems: readonly string[];
  readonly leftOut: readonly string[];
}
export type LoadedAgents =
  | {
      /** Whole ones; a draft is not among them. */
      readonly agents: ReadonlyMap<string, AgentSnapshot>;
      readonly drafts: readonly AgentDraft[];
      /** What was left aside: `notes.json: is not read …` */
      readonly notices: readonly string[];
    }
  | {
      /** `finance.yaml:12: temperature: must be at most 2` */ readonly problems: readonly string[];
    };

export function loadAgents(dir: string, deps: LoadDeps): LoadedAgents {
  const listed = listFiles(dir);
  if (typeof listed === 'string') return { problems: [listed] };
  const [files, others] = [listed.filter(isAgentFile), listed.filter((file) => !isAgentFile(file))];
  const agents = new Map<string, AgentSnapshot>();
  const drafts: AgentDraft[] = [];
  const notices = others.map((file) => `${file}: is not read: agent files end in .yaml or .yml`);
  const problems: string[] = [];
  const firstFileOf = new Map<string, string>();
  const toolDeps: ToolEntryDeps = {
    ...deps,
    secretProblem: secretProblem(deps.secret, isOwnSetting),
  };
  for (const file of files) {
    const text = readText(join(dir, file));
    if (text === undefined) {
      problems.push(`${file}:1: cannot be read`);
      continue;
    }
    const yaml = readYaml(text);
    if (!yaml.ok) {
      problems.push(...yaml.problems.map(({ line, message }) => `${file}:${line}: ${message}`));
      continue;
    }
    const read = readAgent(yaml.value, toolDeps);
    const earlier = read.id === undefined ? undefined : firstFileOf.get(read.id);
    if (read.id !== undefined && earlier === undefined) firstFileOf.set(read.id, file);
    const all = [
      ...read.problems,
      ...(earlier === undefined
        ? []
        : [{ path: ['id'], message: `is used by ${earlier} already` }]),
    ];
    const placed = (found: readonly FileProblem[]): readonly string[] =>
      found
        .map((problem) => ({ line: yaml.lineOf(problem.path), ...problem }))
        .toSorted((a, b) => a.line - b.line)
        .map(
          ({ line, path, message }) =>
            `${file}:${line}: ${path.length === 0 ? '' : `${pathText(path)}: `}${message}`,
        );
    problems.push(...placed(all));
    if (read.whole === undefined) continue;
    const { data, tools } = read.whole;
    const started = deps.production === true ? startedHere(tools) : undefined;
    if (started !== undefined) {
      notices.push(
        `${file}:${yaml.lineOf(started)}: ${pathText(started)}: is for development only, so the agent ${data.id} is not served: run the server by itself, and give its url`,
      );
      continue;
    }
    if (tools.every(({ mcp }) => mcp === undefined)) {
      const agent = agentSnapshot(data, withBuiltIns(data, offered(tools, [])));
      agents.set(agent.id, agent);
    } else drafts.push(draftOf(file, data, tools, placed));
  }
  if (problems.length > 0) return { problems };
  return { agents, drafts, notices };
}

const isAgentFile = (name: string): boolean => /\.ya?ml$/.test(name);

function listFiles(dir: string): readonly string[] | string {
  try {
    return readdirSync(dir, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
      .toSorted();
  } catch {
    return `${dir}: the directory of the agents cannot be read`;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

interface ReadAgent {
  readonly id: string | undefined;
  /** Without problems. */
  readonly whole?: { readonly data: AgentFile; readonly tools: readonly ReadTool[] };
  readonly problems: readonly FileProblem[];
}

function readAgent(value: unknown, deps: ToolEntryDeps): ReadAgent {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { id: undefined, problems: [{ path: [], message: 'must be a mapping' }] };
  const raw = value as Readonly<Record<string, unknown>>;
  const parsed = AgentFileSchema.safeParse(raw);
  const entries: readonly unknown[] = Array.isArray(raw['tools']) ? raw['tools'] : [];
  const tools = entries.map((entry, i) => readTool(entry, ['tools', i], deps));
  const named = tools.map(({ name }, i) => ({ name, path: ['tools', i] }));
  const problems: readonly FileProblem[] = [
    ...(parsed.success ? [] : problemsOf(parsed.error.issues, raw, AgentFileSchema)),
    ...tools.flatMap((tool) => tool.problems),
    ...namesTwice(named),
    ...(parsed.success
      ? builtInProblems(
          parsed.data,
          tools.map((tool) => tool.name),
        )
      : []),
    ...misplacedSecrets(raw),
    ...bareSecrets(raw),
    ...(parsed.success
      ? tools.flatMap(({ tool }, i) =>
          tool === undefined ? [] : quorumProblems(parsed.data, tool, ['tools', i]),
        )
      : []),
    ...(parsed.success
      ? tools.flatMap(({ tool }, i) =>
          tool === undefined
            ? []
            : ruleQuorumProblems(tool, parsed.data.approvals.quorum, ['tools', i]),
        )
      : []),
  ];
  return {
    id: typeof raw['id'] === 'string' ? raw['id'] : undefined,
    problems,
    ...(parsed.success && problems.length === 0 ? { whole: { data: parsed.data, tools } } : {}),
  };
}

/** Where a file names a command of a server. */
function startedHere(tools: readonly ReadTool[]): Path | undefined {
  const entry = tools.flatMap(({ mcp }) => mcp ?? []).find(({ server }) => 'command' in server);
  return entry === undefined ? undefined : [...entry.path, 'mcp', 'command'];
}

/** In the order of the file; `ofServers`: the tools of its entries that are servers, in that order. */
function offered(
  tools: readonly ReadTool[],
  ofServers: readonly (readonly ToolSnapshot[])[],
): readonly ToolSnapshot[] {
  const servers = ofServers.values();
  return tools.flatMap(({ tool, mcp }) =>
    mcp === undefined ? (tool ?? []) : [...(servers.next().value ?? [])],
  );
}

function draftOf(
  file: string,
  data: AgentFile,
  tools: readonly ReadTool[],
  placed: (problems: readonly FileProblem[]) => readonly string[],
): AgentDraft {
  const entries = tools.flatMap(({ mcp }) => mcp ?? []);
  const snapshot = (ofServers: readonly (readonly ToolSnapshot[])[]): AgentSnapshot =>
    agentSnapshot(data, withBuiltIns(data, offered(tools, ofServers)));
  return {
    file,
    servers: entries.map(({ server }) => server),
    standIn: snapshot(entries.map(namesWithoutServer)),
    complete: (declared, hasSecret) => {
      const pinned = entries.map((entry) => ({
        path: entry.path,
        ...pinnedTools(entry, declared(entry.server), hasSecret),
      }));
      const named = [
        ...tools.map(({ name }, i) => ({ name, path: ['tools', i] })),
        ...pinned.flatMap((each) => each.tools.map(({ name }) => ({ name, path: each.path }))),
      ];
      const problems = [
        ...pinned.flatMap((each) => [
          ...each.problems,
          // The approvers are the entry's: one of its tools says it for all.
          ...each.tools
            .filter((tool) => tool.approval === 'required')
            .slice(0, 1)
            .flatMap((tool) => quorumProblems(data, tool, each.path)),
        ]),
        ...namesTwice(named),
      ];
      return {
        agent: problems.length > 0 ? undefined : snapshot(pinned.map((each) => each.tools)),
        problems: placed(problems),
        leftOut: pinned.flatMap((each) => each.leftOut),
      };
    },
  };
}

const namesTwice = (
  named: readonly { readonly name: string | undefined; readonly path: Path }[],
): readonly FileProblem[] =>
  named.flatMap(({ name, path }, i) =>
    name !== undefined && named.findIndex((one) => one.name === name) < i
      ? [{ path, message: `the tool "${name}" is named twice` }]
      : [],
  );

/** A call whose approvers are named persons, fewer than the quorum, would wait for ever. */
function quorumProblems(
  { approvals }: AgentFile,
  tool: ToolSnapshot,
  path: Path,
): readonly FileProblem[] {
  if (
    tool.approval !== 'required' ||
    tool.approvers === null ||
    tool.approvers.some((who) => who.startsWith('role:'))
  )
    return [];
  const voters = new Set(tool.approvers).size;
  return voters < approvals.quorum
    ? [
        {
          path: [...path, 'approvers'],
          message: `names ${voters} voters, but approvals.quorum is ${approvals.quorum}: no call could be approved`,
        },
      ]
    : [];
}
