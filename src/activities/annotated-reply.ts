// A stored reply as the workflow gets it: ids and decisions as data, no text of the model's.

import type { AgentSnapshot } from '../contract/agent.ts';
import type { AnnotatedCall, TurnReply } from '../contract/turn.ts';
import { shortDigest } from '../store/calls/call-hash.ts';
import type { StoredCall, StoredReply } from '../store/turns/replies.ts';
import { BUILT_IN } from '../tools/built-in/index.ts';
import { callLabel } from '../tools/label.ts';

/** What the workflow needs to know of a reply. */
export function annotated(reply: StoredReply, agent: AgentSnapshot): TurnReply {
  if (reply.kind === 'ANSWER') return { kind: 'ANSWER', model: reply.model };
  const few = reply.calls.length <= MOST_IN_PLACE;
  const calls = reply.calls.map((call) => annotatedCall(call, agent, few));
  const bytes = Buffer.byteLength(JSON.stringify(calls));
  return {
    kind: 'CALLS',
    model: reply.model,
    // Labels are for people; of very many calls the workflow gets only what the loop needs.
    calls: bytes <= ANNOTATION_MAX_BYTES ? calls : calls.map(withoutWords),
  };
}

/** A quarter of what Temporal takes in one piece: each replay reads it again. */
const ANNOTATION_MAX_BYTES = 512 * 1024;

const withoutWords = (call: AnnotatedCall): AnnotatedCall => ({
  ...call,
  tool: call.tool.replace(/[^a-zA-Z0-9_-]/g, '').slice(0, 40),
  label: call.tool.replace(/[^a-zA-Z0-9_-]/g, '').slice(0, 40) || 'call',
});

/** They hold slots of the worker while they are under way. */
const MOST_IN_PLACE = 8;

/** What a label may be made of; of a memory nothing, it is for the user's runs alone. */
const labelled = ({ name, arguments: args }: StoredCall): Readonly<Record<string, unknown>> =>
  BUILT_IN.memory.some((tool) => tool.name === name)
    ? {}
    : (JSON.parse(args) as Record<string, unknown>);

const annotatedCall = (call: StoredCall, agent: AgentSnapshot, few: boolean): AnnotatedCall => ({
  callId: call.callId,
  tool: call.name.slice(0, 80),
  label: callLabel(call.name, labelled(call)),
  // One that a grant covers is claimed with those that need nobody; the claim takes the grant.
  approval: call.grantSeen === true ? 'never' : call.approval,
  risk: call.risk,
  retry: call.retry,
  quick: agent.tools.find((tool) => tool.name === call.name)?.quick ?? false,
  fingerprint: shortDigest(`${call.name} ${call.arguments}`),
  ...(few && call.approval === 'never' && call.retry !== 'never' ? { inPlace: true } : {}),
  ...(call.refusal === null ? {} : { refused: { resultDigest: shortDigest(call.refusal) } }),
});
