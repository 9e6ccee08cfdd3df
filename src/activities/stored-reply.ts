// A model's reply as the store keeps it: its calls checked against their tools' schemas, with the
// policy of each and the hash that an approval covers. Pure.

import type { AgentSnapshot } from '../contract/agent.ts';
import { storable } from '../json/storable.ts';
import { cameAsText } from '../models/came-as.ts';
import type { ModelReply, ModelToolCall } from '../models/model.ts';
import { renderSentence } from '../policy/sentence.ts';
import { approvedToolVersion, policyOf } from '../store/calls/approved-tool.ts';
import { callIdOf, hashOfCall } from '../store/calls/call-hash.ts';
import type { StoredCall, StoredReply } from '../store/turns/replies.ts';
import type { TurnWork } from '../store/turns/turns.ts';
import { checkArguments } from '../tools/arguments.ts';

/** `asked`: the name that the model was asked under. */
export function storedReply(
  reply: ModelReply,
  asked: string,
  work: TurnWork,
  runId: string,
  turn: number,
): StoredReply {
  return {
    kind: reply.toolCalls.length === 0 ? 'ANSWER' : 'CALLS',
    text: storable(reply.text).text,
    reasoning: storable(reply.reasoning).text,
    model: reply.model,
    finishReason: reply.finishReason,
    cameAs: cameAsText(reply, asked),
    calls: reply.toolCalls.map((call, idx) => storedCall(call, idx, work, runId, turn)),
  };
}

/**
 * The arguments are checked before anything is asked or run; what fails is answered with a tool
 * error.
 */
function storedCall(
  call: ModelToolCall,
  idx: number,
  work: TurnWork,
  runId: string,
  turn: number,
): StoredCall {
  const callId = callIdOf(runId, turn, idx);
  const name = storable(call.name).text.slice(0, 200);
  const tool = work.agent.tools.find((t) => t.name === call.name);
  const policy = policyOf(tool);
  const toolVersion =
    tool === undefined ? '' : approvedToolVersion(tool, work.agent.approvals, policy);
  const checked =
    tool === undefined
      ? { ok: false as const, problem: unknownTool(name, work.agent) }
      : checkArguments(call.argumentsText, tool);
  const text = checked.ok ? checked.canonical : (shownArguments(call.argumentsText) ?? '{}');
  const summary =
    tool === undefined || !checked.ok ? undefined : renderSentence(tool, checked.value);
  return {
    callId,
    idx,
    name,
    toolVersion,
    ...policy,
    arguments: text,
    argumentsHash: hashOfCall({
      orgId: work.run.orgId,
      runId,
      callId,
      tool: name,
      toolVersion,
      arguments: text,
      summary,
    }),
    ...(summary === undefined ? {} : { summary }),
    refusal: checked.ok
      ? null
      : `The call was not run: ${checked.problem}${text === '{}' ? ` The arguments were: ${storable(call.argumentsText).text.slice(0, 2000)}` : ''}`,
  };
}

/** An agent may have hundreds of tools, and a reply a thousand calls of none of them. */
const MAX_NAMED_TOOLS = 30;

function unknownTool(name: string, { tools }: AgentSnapshot): string {
  if (tools.length === 0) return `there is no tool "${name}". There are no tools.`;
  const named = tools.slice(0, MAX_NAMED_TOOLS).map((tool) => tool.name);
  const more = tools.length - named.length;
  return `there is no tool "${name}". The tools are: ${named.join(', ')}${more > 0 ? `, and ${more} more` : ''}.`;
}

/**
 * Arguments that are an object but fail the schema are shown as they came; anything else is shown
 * as {}.
 */
function shownArguments(text: string): string | undefined {
  const free = checkArguments(text, undefined);
  return free.ok ? free.canonical : undefined;
}
