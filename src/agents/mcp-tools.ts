// From what a server declares to the tools of an agent: those that its file names, pinned as they
// are now. A name that the server lacks is a mistake of the file; a definition that cannot be used
// is the server's, and that tool is left out. Pure.

import type { McpDefinition, ToolSnapshot } from '../contract/agent.ts';
import { visible } from '../json/visible.ts';
import { definitionHash, offerProblem, readDefinition } from '../mcp/definition.ts';
import { isRecord } from '../policy/argument-types.ts';
import type { FileProblem } from './file-problem.ts';
import type { McpEntry } from './mcp-entry.ts';

export interface PinnedTools {
  readonly tools: readonly ToolSnapshot[];
  readonly problems: readonly FileProblem[];
  /** Words for the log: which tool is not offered, and why. */
  readonly leftOut: readonly string[];
}

/** Providers take no longer name of a tool. */
const NAME_MAX_CHARS = 64;

/** `hasSecret`: whether a text holds what the server was sent as a secret. */
export function pinnedTools(
  entry: McpEntry,
  declared: readonly unknown[],
  hasSecret: (text: string) => boolean,
): PinnedTools {
  const tools: ToolSnapshot[] = [];
  const problems: FileProblem[] = [];
  const leftOut: string[] = [];
  for (const [i, name] of entry.allow.entries()) {
    const problem = (message: string): unknown =>
      problems.push({ path: [...entry.path, 'allow', i], message });
    const named = declared.filter((tool) => isRecord(tool) && tool['name'] === name);
    if (named.length === 0) {
      problem(`names "${name}", which the server does not have${namesOf(declared)}`);
      continue;
    }
    if (offeredName(entry, name).length > NAME_MAX_CHARS) {
      problem(
        `names "${name}", which would be offered as ${offeredName(entry, name)}: more than ${NAME_MAX_CHARS} characters`,
      );
      continue;
    }
    const read = named.length === 1 ? readDefinition(named[0]) : undefined;
    const why =
      read === undefined
        ? `is declared ${named.length} times`
        : read.ok
          ? (offerProblem(read.definition) ?? secretProblem(read.definition, hasSecret))
          : read.problem;
    if (read?.ok === true && why === undefined) tools.push(snapshotOf(entry, read.definition));
    else leftOut.push(`the tool "${visible(name)}" is left out: it ${why ?? 'cannot be read'}`);
  }
  return { tools, problems, leftOut };
}

/** What an agent is listed with until its server has been reached. */
export const namesWithoutServer = (entry: McpEntry): readonly ToolSnapshot[] =>
  entry.allow.map((name) =>
    snapshotOf(entry, { name, description: '', inputSchema: { type: 'object' } }),
  );

const offeredName = ({ prefix }: McpEntry, name: string): string =>
  `${prefix}_${name.replace(/[^a-zA-Z0-9_-]/g, '_')}`;

function snapshotOf(entry: McpEntry, definition: McpDefinition): ToolSnapshot {
  const { name, title, description, inputSchema } = definition;
  const readOnly = entry.readOnly.includes(name);
  return {
    name: offeredName(entry, name),
    description: description === '' ? (title ?? '') : description,
    input: inputSchema,
    kind: 'mcp',
    mcp: { server: entry.server, definition },
    version: definitionHash(definition),
    readOnly,
    idempotent: entry.idempotent.includes(name),
    quick: false,
    approval: readOnly ? 'never' : 'required',
    risk: entry.risk[name] ?? 'normal',
    approvers: entry.approvers ?? null,
    timeoutMs: entry.timeoutMs,
  };
}

const secretProblem = (
  definition: McpDefinition,
  hasSecret: (text: string) => boolean,
): string | undefined =>
  hasSecret(JSON.stringify(definition))
    ? 'says in its definition what it was sent as a secret'
    : undefined;

const NAMES_SHOWN = 20;

function namesOf(declared: readonly unknown[]): string {
  const names = declared.flatMap((tool) =>
    isRecord(tool) && typeof tool['name'] === 'string' ? [visible(tool['name']).slice(0, 80)] : [],
  );
  if (names.length === 0) return ': it has none';
  const more = names.length - NAMES_SHOWN;
  return ` (it has ${names.slice(0, NAMES_SHOWN).join(', ')}${more > 0 ? `, and ${more} more` : ''})`;
}
