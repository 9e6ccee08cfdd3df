// What holds of one call: the tool's rules over its arguments, joined with the tool's own policy.
// Every rule that matches counts and the strictest wins; one that cannot be judged means `required`.
// Pure: the same facts give the same answer in every process and every release of a run's snapshot.

import { THEN, type Rule, type Then, type ToolSnapshot } from '../contract/agent.ts';
import type { Risk } from '../contract/turn.ts';
import { canonicalJson, sha256Hex } from '../json/canonical.ts';
import { mostVoters, narrowed, type ApproverLists } from './approvers.ts';
import { compileCondition, type CallFacts } from './expression.ts';

/** A rule that matched, or could not be judged (`problem`). */
export interface JudgedRule {
  readonly name: string;
  /** Of the rule as the snapshot has it. */
  readonly hash: string;
  readonly then: Then;
  readonly problem?: string;
  readonly reason?: string;
  /** Without effect. */
  readonly shadow?: true;
}

export interface Judgement {
  readonly then: Then;
  readonly quorum: number;
  readonly risk: Risk;
  /** Each must be satisfied; none: anyone of the org with the scope. */
  readonly approvers: ApproverLists;
  /** In the file's order, those in the shadow included. */
  readonly rules: readonly JudgedRule[];
  /** Told to the model where `then` is `refuse`. */
  readonly refusal: string | null;
}

export type RuledTool = Pick<
  ToolSnapshot,
  'name' | 'input' | 'approval' | 'risk' | 'approvers' | 'rules' | 'otherwise'
>;

export const ruleHash = (rule: Rule): string => sha256Hex(canonicalJson(rule)).slice(0, 16);

/** `quorum`: the agent's. */
export function judgeCall(tool: RuledTool, quorum: number, facts: CallFacts): Judgement {
  const judged = (tool.rules ?? []).flatMap((rule) => {
    const outcome = outcomeOf(rule, tool, facts);
    return outcome === undefined ? [] : [{ rule, outcome }];
  });
  const inForce = judged.filter(({ outcome }) => outcome.shadow === undefined);
  const thens = inForce.map(({ outcome }) => outcome.then);
  const said = strictest(thens.length === 0 ? [tool.otherwise ?? tool.approval] : thens);
  const risk: Risk = [tool.risk, ...inForce.map(({ rule }) => rule.risk)].includes('high')
    ? 'high'
    : 'normal';
  const joined = {
    quorum: Math.max(quorum, ...inForce.map(({ rule }) => rule.quorum ?? 1)),
    risk,
    approvers: narrowed(
      [tool.approvers, ...inForce.map(({ rule }) => rule.approvers)].flatMap((list) =>
        list == null ? [] : [list],
      ),
    ),
    rules: judged.map(({ outcome }) => outcome),
  };
  // What is dangerous is asked about, whatever a rule lets through.
  const then = said === 'never' && risk === 'high' && tool.rules !== undefined ? 'required' : said;
  if (then === 'refuse') return { ...joined, then, refusal: refusalOf(joined.rules) };
  const nobody = then === 'required' ? nobodyMay(joined) : undefined;
  return nobody === undefined
    ? { ...joined, then, refusal: null }
    : { ...joined, then: 'refuse', refusal: nobody };
}

function outcomeOf(rule: Rule, tool: RuledTool, facts: CallFacts): JudgedRule | undefined {
  const compiled = compileCondition(rule.when, tool.input);
  const verdict = compiled.ok ? compiled.condition.judge(facts) : compiled;
  if ('matches' in verdict && !verdict.matches) return undefined;
  return {
    name: rule.name,
    hash: ruleHash(rule),
    ...('problem' in verdict
      ? { then: 'required' as const, problem: verdict.problem }
      : { then: rule.then }),
    ...(rule.reason === undefined ? {} : { reason: rule.reason }),
    ...(rule.shadow === true ? { shadow: true as const } : {}),
  };
}

export const strictest = (thens: readonly Then[]): Then =>
  THEN.findLast((then) => thens.includes(then)) ?? 'required';

/** Of the rules in force the one that a person is shown: the first of the strictest. */
export const decisiveRule = (rules: readonly JudgedRule[]): JudgedRule | undefined => {
  const inForce = rules.filter((rule) => rule.shadow === undefined);
  const then = strictest(inForce.map((rule) => rule.then));
  return inForce.find((rule) => rule.then === then);
};

function refusalOf(rules: readonly JudgedRule[]): string {
  const reasons = rules.flatMap((rule) =>
    rule.then === 'refuse' && rule.shadow === undefined ? [rule.reason ?? rule.name] : [],
  );
  const why = reasons.length === 0 ? 'no rule allows it.' : reasons.join(' ');
  return `This call was not run: it is against the policy of this tool. ${why}`;
}

/** It would wait for ever. */
function nobodyMay({
  approvers,
  quorum,
  rules,
}: Pick<Judgement, 'approvers' | 'quorum' | 'rules'>): string | undefined {
  if (mostVoters(approvers) >= quorum) return undefined;
  const names = rules.filter((rule) => rule.shadow === undefined).map((rule) => rule.name);
  return `This call was not run: its policy leaves fewer people who may approve it than it needs (${names.join(', ')}).`;
}
