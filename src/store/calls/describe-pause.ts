// What an operator in Temporal's Web UI is shown of a pause, as Markdown: the calls, who may decide
// about each, and what of it an operator may do under the setting in force. It is put together when
// the pause is opened, so it says nothing that a vote changes.

import type { PauseKind } from '../../contract/turn.ts';
import { decisiveRule, type JudgedRule } from '../../policy/judge.ts';
import { codeSpan, plainWords, visible } from '../../json/visible.ts';
import { quorumOf, voterProblem, type OpenCall, type OperatorDecisions } from './vote-policy.ts';

export interface WaitingCall extends OpenCall {
  readonly arguments: string;
  readonly evidence: string | null;
  readonly summary?: string | null;
  /** Of a call whose tool has rules. */
  readonly rules?: readonly JudgedRule[] | null;
  /** ISO 8601; null where it waits as long as it takes. */
  readonly expiresAt: string | null;
}

export interface PausePolicy {
  readonly quorum: number;
  readonly fourEyes: boolean;
  readonly operators: OperatorDecisions;
}

const ARGUMENTS_SHOWN = 2000;
const EVIDENCE_SHOWN = 500;
const APPROVERS_SHOWN = 5;
/** Temporal keeps 20,000 bytes of a run's details; the rest of the text is below 2,000. */
const CALLS_MAX_BYTES = 16_000;

const HEAD: Readonly<Record<PauseKind, string>> = {
  APPROVAL: 'This run waits for a person. Nothing below has been run yet:',
  OUTCOME_UNKNOWN:
    'This run waits for a person: a call may or may not have happened, and it must not be repeated without being asked.',
};

export function describePause(
  pauseId: string,
  calls: readonly WaitingCall[],
  policy: PausePolicy,
): string {
  const head = HEAD[calls[0]?.kind ?? 'APPROVAL'];
  const lines = firstOf(calls, (call) => describeCall(call, policy));
  return `${head}\n\n${lines.join('\n')}\n\n${whatToDo(pauseId, calls, policy)}`;
}

/**
 * As many as fit, the first one always; how many are left out is said in words. Put into words one
 * after the other: a thousand of them would keep everything else waiting for seconds.
 */
function firstOf(
  calls: readonly WaitingCall[],
  describe: (call: WaitingCall) => string,
): readonly string[] {
  const lines: string[] = [];
  let bytes = 0;
  for (const call of calls) {
    const line = describe(call);
    bytes += Buffer.byteLength(line);
    if (bytes > CALLS_MAX_BYTES && lines.length > 0) {
      const more = calls.length - lines.length;
      return [...lines, `- and ${more} more: the run's record shows them all`];
    }
    lines.push(line);
  }
  return lines;
}

function describeCall(call: WaitingCall, { quorum, fourEyes }: PausePolicy): string {
  const votes = quorumOf({ quorum }, call);
  const rule = decisiveRule(call.rules ?? []);
  const more = [
    `callId \`${call.callId}\``,
    ...(call.risk === 'high' ? [`**high risk**, argumentsHash \`${call.argumentsHash}\``] : []),
    `may be approved by ${call.approvers === null ? 'anyone of the org with the scope runs:approve' : namesOf(call.approvers)}`,
    ...(call.approversAlso ?? []).map((list) => `who is also one of ${namesOf(list)}`),
    ...(rule === undefined
      ? []
      : [`asked by the rule **${plainWords(rule.name)}**${ruleWords(rule)}`]),
    ...(fourEyes && call.guarded ? ['not by who asked (four eyes)'] : []),
    ...(votes > 1 ? [`needs ${votes} votes`] : []),
    ...(call.expiresAt === null ? [] : [`counts as rejected from ${call.expiresAt} on`]),
    ...(call.evidence === null ? [] : [`known: ${shortSpan(call.evidence, EVIDENCE_SHOWN)}`]),
  ];
  const args = shortSpan(call.arguments, ARGUMENTS_SHOWN);
  // the Web UI draws no list inside a list
  const [sentence, ...labelled] = (call.summary ?? '').split('\n').map(plainWords);
  const said = sentence ? `**${sentence}**${labelled.map((line) => ` · ${line}`).join('')} · ` : '';
  return `- ${said}**${plainWords(call.name)}** with ${args} · ${more.join(' · ')}`;
}

const ruleWords = ({ reason, problem }: JudgedRule): string =>
  problem !== undefined
    ? ', which could not be judged'
    : reason === undefined
      ? ''
      : `: ${plainWords(reason)}`;

const WHERE = 'To decide from here: **More Actions → Send a Signal**';

function whatToDo(
  pauseId: string,
  calls: readonly WaitingCall[],
  { operators, quorum }: PausePolicy,
): string {
  if (operators === 'off')
    return 'Operators decide nothing here (`OPERATOR_DECISIONS` is `off`): people do, through the API or its console.';
  const several = calls.length > 1;
  const reject = `\`reject\` without input${several ? ' (that is all of them)' : ''}`;
  const mine = calls.filter((call) => mayApprove(call, operators));
  const [first] = mine;
  if (first === undefined) {
    const why =
      operators === 'reject-only'
        ? 'Operators may only reject here (`OPERATOR_DECISIONS` is `reject-only`); everything else is decided through the API or its console.'
        : 'Operators may only reject this: they are not among those who may approve it.';
    return `${why} ${WHERE}, then ${reject}.`;
  }
  const votes =
    quorumOf({ quorum }, first) > 1 ? ' From here it counts as one vote, of one operator.' : '';
  const exact = mine.find(({ risk, kind }) => risk === 'high' || kind === 'OUTCOME_UNKNOWN');
  // One that an operator may not approve, or must name, refuses an approval of all.
  if (exact !== undefined || mine.length < calls.length) {
    const one = several ? ', one call at a time' : '';
    const others =
      mine.length < calls.length
        ? `; ${mine.map(({ callId }) => `\`${callId}\``).join(', ')} ${mine.length === 1 ? 'is' : 'are'} all that an operator may approve`
        : '';
    const again = first.kind === 'OUTCOME_UNKNOWN' ? 'To do it again choose' : 'Choose';
    return `${WHERE}. ${again} \`approve\` with the input \`${inputFor(exact ?? first, pauseId)}\`${one}${others}. Or ${reject}.${votes}`;
  }
  return `${WHERE}, choose \`approve\` or \`reject\`, and leave the input empty${several ? ': that decides about all of them' : ''}. For a reason${several ? ', or for one of them only,' : ''} the input is \`{"callId": "${first.callId}", "reason": "…"}\`.${votes}`;
}

function inputFor({ callId, kind, risk, argumentsHash }: WaitingCall, pauseId: string): string {
  if (kind === 'OUTCOME_UNKNOWN') return `{"callId": "${callId}", "pauseId": "${pauseId}"}`;
  return risk === 'high'
    ? `{"callId": "${callId}", "argumentsHash": "${argumentsHash}"}`
    : `{"callId": "${callId}"}`;
}

/** Who asked matters to people's votes alone. */
const mayApprove = (call: WaitingCall, allowed: OperatorDecisions): boolean =>
  voterProblem(
    { fourEyes: false, startedBy: '', userId: '' },
    call,
    { kind: 'operator', allowed },
    'APPROVE',
  ) === undefined;

const namesOf = (approvers: readonly string[]): string => {
  const named = approvers.slice(0, APPROVERS_SHOWN).map(plainWords).join(', ');
  const more = approvers.length - APPROVERS_SHOWN;
  return more > 0 ? `${named} and ${more} more` : named;
};

/** Cut before and after it is made visible: one character may become nine. */
const shortSpan = (text: string, maxChars: number): string => {
  const shown = visible(text.slice(0, maxChars));
  return shown.length < maxChars && text.length <= maxChars
    ? codeSpan(shown)
    : codeSpan(`${shown.slice(0, maxChars)}…`);
};
