// One entry of an agent file's `tools`: a name, a tool in code with overrides, or an HTTP tool; and
// what it becomes in the snapshot.

import { z } from 'zod';
import { HttpCallSchema, type ToolSnapshot } from '../contract/agent.ts';
import { canonicalJson, sha256Hex } from '../json/canonical.ts';
import { builtInTools } from '../tools/built-in/index.ts';
import { DEFAULT_TOOL_TIMEOUT_MS, type CodeTool } from '../tools/define-tool.ts';
import { Whole } from './agent-file.ts';
import { ApprovalFileSchema, readRules, ruleProblems } from './approval-rules.ts';
import { Approvers } from './approvers.ts';
import { TimeoutMs } from './duration.ts';
import { EFFECT_IN_FILE, effectOf, effectProblems } from './effect-entry.ts';
import { SENTENCE_IN_FILE, sentenceOf, sentenceProblems } from './sentence-entry.ts';
import { isRecord } from '../policy/argument-types.ts';
import { problemsOf, type FileProblem, type Path } from './file-problem.ts';
import { httpToolProblems, type Secrets } from './http-entry.ts';
import { readMcpEntry, type McpEntry } from './mcp-entry.ts';

export interface ToolEntryDeps extends Secrets {
  readonly codeTools: ReadonlyMap<string, CodeTool>;
}
/** `name` also where the rest is wrong: two tools of one name are a problem of their own. */
export interface ReadTool {
  readonly name: string | undefined;
  readonly tool: ToolSnapshot | undefined;
  /** Instead of a tool: a server, whose tools are not known yet. */
  readonly mcp?: McpEntry;
  readonly problems: readonly FileProblem[];
}

export const ToolName = z
  .string()
  .regex(
    /^[a-zA-Z][a-zA-Z0-9_-]{0,63}$/,
    'must be a letter, then letters, digits, _ or -, at most 64 in all',
  );
const Policy = {
  approval: z.enum(['required', 'never']).optional().meta({
    description: 'Must people approve each call? Default: required, unless it is read-only.',
  }),
  risk: z.enum(['normal', 'high']).optional().meta({
    description: 'high: approved only by callId with argumentsHash. Default: normal.',
  }),
  approvers: Approvers.optional().meta({
    description:
      'Who may decide: user:…, role:…, operator. Left out: anyone of the org with the scope.',
  }),
  timeoutMs: TimeoutMs.optional().meta({
    description: 'How long an answer is waited for. Default: 10 s.',
  }),
  ...EFFECT_IN_FILE,
  ...SENTENCE_IN_FILE,
};
export const CodeEntrySchema = z.strictObject({
  name: ToolName.meta({ description: 'The tool’s name.' }),
  ...Policy,
});
export const HttpEntrySchema = z.strictObject({
  name: ToolName.meta({ description: 'The name that the model calls it by.' }),
  description: z.string().default('').meta({ description: 'What it does, for the model.' }),
  input: z
    .record(z.string(), z.unknown())
    .prefault({ type: 'object', properties: {}, additionalProperties: false })
    .meta({ description: 'JSON Schema of the arguments.' }),
  http: HttpCallSchema.extend({
    method: HttpCallSchema.shape.method.meta({
      description: 'POST, PUT and PATCH send a JSON body; GET and DELETE query parameters.',
    }),
    url: z.string().meta({ description: 'With `{argument}` and `${SECRET}` places.' }),
    headers: HttpCallSchema.shape.headers
      .prefault({})
      .meta({ description: 'Sent with each call; `${SECRET}` is filled in then.' }),
  }).meta({ description: 'The request that a call is.' }),
  readOnly: z.boolean().default(false).meta({
    description: 'true: it changes nothing, needs no approval and may be repeated.',
  }),
  idempotent: z.boolean().default(false).meta({
    description: 'true: it honours Idempotency-Key, so a call without an answer may be repeated.',
  }),
  knownStatuses: z.array(Whole(400, 599)).optional().meta({
    description: 'Which of 408, 502 and 504 are an answer of the tool itself; left out: none.',
  }),
  ...Policy,
});
type HttpEntry = z.infer<typeof HttpEntrySchema>;

/** `approval` as a file may have it, for editors: rules are read by themselves. */
export const APPROVAL_IN_FILE = {
  approval: z
    .union([z.enum(['required', 'never']), ApprovalFileSchema])
    .optional()
    .meta({
      description:
        'Must people approve each call? required, never, or rules over its arguments. Default: required, unless it is read-only.',
    }),
};

export function readTool(entry: unknown, path: Path, deps: ToolEntryDeps): ReadTool {
  if (typeof entry === 'string') return readCodeTool({ name: entry }, path, path, deps);
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry))
    return failed(undefined, [{ path, message: 'must be a name or a mapping' }]);
  const raw = entry as Readonly<Record<string, unknown>>;
  if ('mcp' in raw) {
    const read = readMcpEntry(raw, path, deps);
    return read.ok
      ? { name: undefined, tool: undefined, mcp: read.entry, problems: [] }
      : failed(undefined, read.problems);
  }
  if (!isRecord(raw['approval'])) return readEntry(raw, path, deps);
  // Rules are read by themselves; what knows none of them asks about each call.
  const at = [...path, 'approval'];
  const rules = readRules(raw['approval'], at);
  const { name, tool, problems } = readEntry({ ...raw, approval: 'required' }, path, deps);
  if (!rules.ok) return { name, tool: undefined, problems: [...problems, ...rules.problems] };
  if (tool === undefined) return { name, tool, problems };
  const wrong = ruleProblems(rules.approval.rules, tool.input, at);
  const ruled = { ...tool, rules: [...rules.approval.rules], otherwise: rules.approval.otherwise };
  return { name, tool: wrong.length === 0 ? ruled : undefined, problems: [...problems, ...wrong] };
}

function readEntry(
  raw: Readonly<Record<string, unknown>>,
  path: Path,
  deps: ToolEntryDeps,
): ReadTool {
  const name = typeof raw['name'] === 'string' ? raw['name'] : undefined;
  if ('http' in raw) {
    const parsed = HttpEntrySchema.safeParse(raw);
    if (!parsed.success)
      return failed(name, problemsOf(parsed.error.issues, raw, HttpEntrySchema, path));
    const wrong = httpToolProblems(parsed.data, path, deps);
    const problems =
      wrong.length > 0
        ? wrong
        : [
            ...sentenceProblems(parsed.data, parsed.data.input, path),
            ...effectProblems(parsed.data, parsed.data.input, path, deps),
          ];
    return { name, tool: problems.length === 0 ? httpSnapshot(parsed.data) : undefined, problems };
  }
  const parsed = CodeEntrySchema.safeParse(raw);
  if (!parsed.success) {
    // Written for an HTTP tool: what it lacks is said first.
    const meant =
      'input' in raw || 'description' in raw
        ? [{ path, message: 'needs http: a tool in code takes no input or description' }]
        : [];
    return failed(name, [...meant, ...problemsOf(parsed.error.issues, raw, CodeEntrySchema, path)]);
  }
  return readCodeTool(parsed.data, path, [...path, 'name'], deps);
}

const failed = (name: string | undefined, problems: readonly FileProblem[]): ReadTool => ({
  name,
  tool: undefined,
  problems,
});

function readCodeTool(
  entry: z.infer<typeof CodeEntrySchema>,
  path: Path,
  namePath: Path,
  deps: ToolEntryDeps,
): ReadTool {
  const tool = deps.codeTools.get(entry.name) ?? builtInTools.get(entry.name);
  if (tool === undefined) {
    const known = [...deps.codeTools.keys()].filter((name) => !builtInTools.has(name)).join(', ');
    return failed(entry.name, [
      {
        path: namePath,
        message: `there is no tool "${entry.name}" in code (there are ${known}), and an HTTP tool needs http`,
      },
    ]);
  }
  const { run: _, ...declared } = tool;
  const snapshot: ToolSnapshot = {
    ...declared,
    kind: 'code',
    approval: entry.approval ?? tool.approval,
    risk: entry.risk ?? tool.risk,
    approvers: entry.approvers ?? null,
    timeoutMs: entry.timeoutMs ?? tool.timeoutMs,
    ...sentenceOf(entry),
    ...effectOf(entry),
  };
  const problems = [
    ...sentenceProblems(entry, tool.input, path),
    ...effectProblems(entry, tool.input, path, deps),
  ];
  return { name: entry.name, tool: problems.length === 0 ? snapshot : undefined, problems };
}

function httpSnapshot(entry: HttpEntry): ToolSnapshot {
  const { name, description, input, http, readOnly, idempotent, knownStatuses } = entry;
  return {
    name,
    description,
    input,
    kind: 'http',
    http,
    version: sha256Hex(
      canonicalJson({ name, description, input, http, readOnly, idempotent }),
    ).slice(0, 16),
    readOnly,
    idempotent,
    quick: false,
    approval: entry.approval ?? (readOnly ? 'never' : 'required'),
    risk: entry.risk ?? 'normal',
    approvers: entry.approvers ?? null,
    timeoutMs: entry.timeoutMs ?? DEFAULT_TOOL_TIMEOUT_MS,
    ...(knownStatuses === undefined ? {} : { knownStatuses }),
    ...sentenceOf(entry),
    ...effectOf(entry),
  };
}
