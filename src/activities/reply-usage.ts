// What a reply cost: as the provider reported it, else estimated from its text.

import { estimateTokens } from '../models/estimate-tokens.ts';
import type { ModelMessage, ModelReply } from '../models/model.ts';
import type { TokenUsage } from '../store/turns/attempts.ts';

export function usageOf(reply: ModelReply, messages: readonly ModelMessage[]): TokenUsage {
  if (reply.usage !== null) return { ...reply.usage, estimated: false };
  const sent = messages.reduce((sum, message) => sum + estimateTokens(message.text), 0);
  const received = [
    reply.text,
    reply.reasoning,
    ...reply.toolCalls.map((call) => call.name + call.argumentsText),
  ];
  return {
    promptTokens: sent,
    completionTokens: received.reduce((sum, text) => sum + estimateTokens(text), 0),
    estimated: true,
  };
}
