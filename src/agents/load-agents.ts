// The directory of agent files, read whole: every agent, or every problem of every file with its
// line. Reads no environment: secrets come as a function, and only whether they are set is looked
// at.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isOwnSetting } from '../settings/settings.ts';
import type { AgentSnapshot, ToolSnapshot } from '../contract/agent.ts';
import { pathText } from '../json/strict.ts';
import type { CodeTool } from '../tools/define-tool.ts';
import { AgentFileSchema, NOT_YET, type AgentFile } from './agent-file.ts';
import { ruleQuorumProblems } from './approval-rules.ts';
import { problemsOf, type FileProblem } from './file-problem.ts';
import { builtInProblems, withBuiltIns } from './built-in-tools.ts';
import { bareSecrets, misplacedSecrets, secretProblem } from './secret-places.ts';
import { agentSnapshot } from './snapshot.ts';
import { readTool, type ToolEntryDeps } from './tool-entry.ts';
import { readYaml } from './yaml-file.ts';

export interface LoadDeps {
  readonly codeTools: ReadonlyMap<string, CodeTool>;
  readonly secret: (name: string) => string | undefined;
}
export type LoadedAgents =
  | {
      readonly agents: ReadonlyMap<string, AgentSnapshot>;
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
    const placed = all
      .map((problem) => ({ line: yaml.lineOf(problem.path), ...problem }))
      .toSorted((a, b) => a.line - b.line);
    problems.push(
      ...placed.map(
        ({ line, path, message }) =>
          `${file}:${line}: ${path.length === 0 ? '' : `${pathText(path)}: `}${message}`,
      ),
    );
    if (read.agent !== undefined) agents.set(read.agent.id, read.agent);
  }
  if (problems.length > 0) return { problems };
  const notices = others.map((file) => `${file}: is not read: agent files end in .yaml or .yml`);
  return { agents, notices };
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
  readonly agent: AgentSnapshot | undefined;
  readonly problems: readonly FileProblem[];
}

function readAgent(value: unknown, deps: ToolEntryDeps): ReadAgent {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return {
      id: undefined,
      agent: undefined,
      problems: [{ path: [], message: 'must be a mapping' }],
    };
  const raw = value as Readonly<Record<string, unknown>>;
  const early = NOT_YET.filter((key) => key in raw);
  const known = Object.fromEntries(
    Object.entries(raw).filter(([key]) => !early.some((name) => name === key)),
  );
  const parsed = AgentFileSchema.safeParse(known);
  const entries: readonly unknown[] = Array.isArray(raw['tools']) ? raw['tools'] : [];
  const tools = entries.map((entry, i) => readTool(entry, ['tools', i], deps));
  const whole = tools.flatMap(({ tool }) => tool ?? []);
  const problems: readonly FileProblem[] = [
    ...early.map((key) => ({ path: [key], message: 'is not supported yet' })),
    ...(parsed.success ? [] : problemsOf(parsed.error.issues, known, AgentFileSchema)),
    ...tools.flatMap((tool) => tool.problems),
    ...namesTwice(tools.map((tool) => tool.name)),
    ...(parsed.success
      ? builtInProblems(
          parsed.data,
          tools.map((tool) => tool.name),
        )
      : []),
    ...misplacedSecrets(raw),
    ...bareSecrets(raw),
    ...(parsed.success
      ? quorumProblems(
          parsed.data,
          tools.map((tool) => tool.tool),
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
  const agent =
    parsed.success && problems.length === 0
      ? agentSnapshot(parsed.data, withBuiltIns(parsed.data, whole))
      : undefined;
  return { id: typeof raw['id'] === 'string' ? raw['id'] : undefined, agent, problems };
}

const namesTwice = (names: readonly (string | undefined)[]): readonly FileProblem[] =>
  names.flatMap((name, i) =>
    name !== undefined && names.indexOf(name) < i
      ? [{ path: ['tools', i], message: `the tool "${name}" is named twice` }]
      : [],
  );

/** A call whose approvers are named persons, fewer than the quorum, would wait for ever. */
function quorumProblems(
  { approvals }: AgentFile,
  tools: readonly (ToolSnapshot | undefined)[],
): readonly FileProblem[] {
  return tools.flatMap((tool, i) => {
    if (
      tool?.approval !== 'required' ||
      tool.approvers === null ||
      tool.approvers.some((who) => who.startsWith('role:'))
    )
      return [];
    const voters = new Set(tool.approvers).size;
    return voters < approvals.quorum
      ? [
          {
            path: ['tools', i, 'approvers'],
            message: `names ${voters} voters, but approvals.quorum is ${approvals.quorum}: no call could be approved`,
          },
        ]
      : [];
  });
}
