// An entry of an agent file's `tools` that names an MCP server: which of its tools are offered, and
// under which policy. What they are is the server's word, read and checked in mcp-tools.ts.

import { z } from 'zod';
import type { McpServer } from '../contract/agent.ts';
import { DEFAULT_TOOL_TIMEOUT_MS } from '../tools/define-tool.ts';
import { fillSecrets, secretNames } from '../tools/places.ts';
import { Approvers } from './approvers.ts';
import { TimeoutMs } from './duration.ts';
import { problemsOf, type FileProblem, type Path } from './file-problem.ts';
import { headerProblems, type Secrets } from './http-entry.ts';

const Names = z.array(z.string().min(1));

export const McpEntrySchema = z.strictObject({
  mcp: z
    .strictObject({
      url: z.string().optional().meta({
        description: 'The server’s address, streamable HTTP, with `${SECRET}` places.',
      }),
      headers: z.record(z.string(), z.string()).optional().meta({
        description: 'Sent with each request; `${SECRET}` is filled in then.',
      }),
      command: z.array(z.string().min(1)).min(1).optional().meta({
        description:
          'In development, instead of `url`: a program and its arguments, spoken to over its standard input and output.',
      }),
    })
    .meta({ description: 'Where the server is: `url`, or `command`.' }),
  prefix: z
    .string()
    .regex(
      /^[a-zA-Z][a-zA-Z0-9_-]{0,31}$/,
      'must be a letter, then letters, digits, _ or -, at most 32 in all',
    )
    .meta({ description: 'The model sees `<prefix>_<name>`.' }),
  allow: z
    .array(z.string().min(1))
    .min(1, 'must name a tool: nothing is offered that is not named')
    .meta({ description: 'The tools that are offered, by the server’s names.' }),
  readOnly: Names.default([]).meta({
    description: 'Those that change nothing: they need no approval and may be repeated.',
  }),
  idempotent: Names.default([]).meta({
    description:
      'Those that do a thing once per idempotency key: a call without an answer may be repeated.',
  }),
  risk: z
    .record(z.string(), z.enum(['normal', 'high']))
    .default({})
    .meta({
      description: 'By name; high: approved only by callId with argumentsHash. Default: normal.',
    }),
  approvers: Approvers.optional().meta({
    description:
      'Who may decide: user:…, role:…, operator. Left out: anyone of the org with the scope.',
  }),
  timeoutMs: TimeoutMs.default(DEFAULT_TOOL_TIMEOUT_MS).meta({
    description: 'How long an answer to a call is waited for.',
  }),
});

export interface McpEntry extends Omit<z.infer<typeof McpEntrySchema>, 'mcp'> {
  readonly path: Path;
  readonly server: McpServer;
}

type ReadEntry =
  | { readonly ok: true; readonly entry: McpEntry }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

export function readMcpEntry(
  raw: Readonly<Record<string, unknown>>,
  path: Path,
  deps: Secrets,
): ReadEntry {
  const parsed = McpEntrySchema.safeParse(raw);
  if (!parsed.success)
    return { ok: false, problems: problemsOf(parsed.error.issues, raw, McpEntrySchema, path) };
  const { mcp, ...rest } = parsed.data;
  const problems = [...serverProblems(mcp, [...path, 'mcp'], deps), ...nameProblems(rest, path)];
  if (problems.length > 0) return { ok: false, problems };
  const { url = '', headers = {}, command } = mcp;
  const server: McpServer = command === undefined ? { url, headers } : { command };
  return { ok: true, entry: { ...rest, path, server } };
}

function serverProblems(
  { url, headers = {}, command }: z.infer<typeof McpEntrySchema>['mcp'],
  path: Path,
  deps: Secrets,
): readonly FileProblem[] {
  const at = (key: string, message: string): FileProblem => ({ path: [...path, key], message });
  if (url === undefined && command === undefined) return [{ path, message: 'must have a url' }];
  if (url !== undefined && command !== undefined)
    return [at('command', 'cannot stand beside url: the server is at one place')];
  if (command !== undefined)
    return Object.keys(headers).length > 0
      ? [at('headers', 'are of a url: a command gets none')]
      : [];
  return [
    ...addressProblems(url ?? '', deps).map((message) => at('url', message)),
    ...headerProblems(headers, deps, [...path, 'headers']),
  ];
}

function addressProblems(url: string, secrets: Secrets): readonly string[] {
  const named = secretNames(url).flatMap((name) => secrets.secretProblem(name) ?? []);
  if (named.length > 0) return [...new Set(named)];
  const filled = fillSecrets(url, (name) => secrets.secret(name) ?? '');
  return URL.canParse(filled) && /^https?:$/.test(new URL(filled).protocol)
    ? []
    : ['must be an http or https address'];
}

function nameProblems(
  { allow, readOnly, idempotent, risk }: Omit<z.infer<typeof McpEntrySchema>, 'mcp'>,
  path: Path,
): readonly FileProblem[] {
  const unknown = (name: string): string => `names "${name}", which allow does not`;
  const listed = (key: string, names: readonly string[]): readonly FileProblem[] =>
    names.flatMap((name, i) =>
      allow.includes(name) ? [] : [{ path: [...path, key, i], message: unknown(name) }],
    );
  return [
    ...allow.flatMap((name, i) =>
      allow.indexOf(name) < i
        ? [{ path: [...path, 'allow', i], message: `names "${name}" twice` }]
        : [],
    ),
    ...listed('readOnly', readOnly),
    ...listed('idempotent', idempotent),
    ...Object.keys(risk).flatMap((name) =>
      allow.includes(name) ? [] : [{ path: [...path, 'risk', name], message: unknown(name) }],
    ),
  ];
}
