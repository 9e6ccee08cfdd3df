// `approval: {rules, otherwise}` of a tool: what the file says of it, and what must hold of each
// rule before a run may be started with it.

import { z } from 'zod';
import { THEN, type Rule, type Then, type ToolSnapshot } from '../contract/agent.ts';
import { mostVoters, narrowed } from '../policy/approvers.ts';
import type { JsonSchema } from '../policy/argument-types.ts';
import { compileCondition } from '../policy/expression.ts';
import { Whole } from './agent-file.ts';
import { Approvers } from './approvers.ts';
import { problemsOf, type FileProblem, type Path } from './file-problem.ts';
import { argumentsLetIn } from './let-in.ts';

const about = <T extends z.ZodType>(schema: T, description: string): T =>
  schema.meta({ description });

const RuleFileSchema = z.strictObject({
  name: about(
    z
      .string()
      .regex(
        /^[a-zA-Z][a-zA-Z0-9_-]{0,63}$/,
        'must be a letter, then letters, digits, _ or -, at most 64 in all',
      ),
    'What people and the record call it.',
  ),
  when: about(
    z.string().min(1),
    'A condition in CEL over `args`, `user`, `org`, `agent` and `run`.',
  ),
  then: about(z.enum(THEN), 'What holds for a call that it matches; the strictest wins.'),
  quorum: about(Whole(1, 100).optional(), 'How many people have to approve; the largest wins.'),
  approvers: about(Approvers.optional(), 'Who may decide, of those whom the tool names.'),
  risk: about(z.enum(['normal', 'high']).optional(), 'high: as the tool’s.'),
  reason: about(
    z.string().min(1).max(500).optional(),
    'Told to the model where the rule refuses, shown to people where it asks them.',
  ),
  shadow: about(
    z.boolean().optional(),
    'true: judged and recorded, without effect, to see what it would do.',
  ),
});

export const ApprovalFileSchema = z
  .strictObject({
    rules: about(
      z.array(RuleFileSchema).min(1, 'must not be empty').max(50),
      'Each that matches counts.',
    ),
    otherwise: about(z.enum(THEN).default('required'), 'What holds where no rule matches.'),
  })
  .meta({ description: 'Who is asked depends on the arguments.' });

export interface ReadApproval {
  readonly rules: readonly Rule[];
  readonly otherwise: Then;
}
export type ReadRules =
  | { readonly ok: true; readonly approval: ReadApproval }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

export function readRules(raw: unknown, path: Path): ReadRules {
  const parsed = ApprovalFileSchema.safeParse(raw);
  if (!parsed.success)
    return { ok: false, problems: problemsOf(parsed.error.issues, raw, ApprovalFileSchema, path) };
  const { rules, otherwise } = parsed.data;
  const names = rules.map((rule) => rule.name);
  const twice = names.flatMap((name, i) =>
    names.indexOf(name) < i
      ? [{ path: [...path, 'rules', i, 'name'], message: `the rule "${name}" is named twice` }]
      : [],
  );
  if (twice.length > 0) return { ok: false, problems: twice };
  return { ok: true, approval: { rules, otherwise } };
}

/** `input`: a schema that can be compiled. */
export const ruleProblems = (
  rules: readonly Rule[],
  input: JsonSchema,
  path: Path,
): readonly FileProblem[] =>
  rules.flatMap((rule, i) =>
    problemsOfRule(rule, input).map((message) => ({
      path: [...path, 'rules', i, 'when'],
      message,
    })),
  );

export function problemsOfRule(rule: Rule, input: JsonSchema): readonly string[] {
  const compiled = compileCondition(rule.when, input);
  if (!compiled.ok) return [compiled.problem];
  if (rule.then !== 'never') return [];
  const { names, open } = argumentsLetIn(input);
  if (open !== undefined)
    return [
      `lets calls through, but the input takes ${open}, which no rule can bound: close it, or use required`,
    ];
  const unnamed = names.filter((name) => !compiled.condition.named.has(name));
  return unnamed.length === 0
    ? []
    : [
        `lets calls through whatever ${unnamed.join(' and ')} ${unnamed.length === 1 ? 'is' : 'are'}: a rule that says never bounds or names every argument`,
      ];
}

/** A call that too few people may approve would wait for ever. */
export function ruleQuorumProblems(
  tool: Pick<ToolSnapshot, 'approvers' | 'rules'>,
  quorum: number,
  path: Path,
): readonly FileProblem[] {
  return (tool.rules ?? []).flatMap((rule, i) => {
    if (rule.then === 'refuse') return [];
    const lists = [tool.approvers, rule.approvers].flatMap((list) => (list == null ? [] : [list]));
    const voters = mostVoters(narrowed(lists));
    const needed = Math.max(quorum, rule.quorum ?? 1);
    return voters >= needed
      ? []
      : [
          {
            path: [...path, 'approval', 'rules', i],
            message: `leaves ${voters} voters, but needs ${needed}: no call could be approved`,
          },
        ];
  });
}
