// The only way from a session's record to JSON. What is not named here never leaves.

import type { Conversation, Message, Session } from '../../contract/lists.ts';
import { cutsOf } from '../runs/cut-text.ts';
import type { ExchangeRecord, SessionRecord } from '../../store/runs/sessions.ts';

export const presentSession = (s: SessionRecord): Session => ({
  sessionId: s.sessionId,
  agentId: s.agentId,
  userId: s.userId,
  orgId: s.orgId,
  runCount: s.runCount,
  createdAt: s.createdAt.toISOString(),
  updatedAt: s.updatedAt.toISOString(),
});

export const presentConversation = (
  session: SessionRecord,
  exchanges: readonly ExchangeRecord[],
): Conversation => ({
  ...presentSession(session),
  messages: exchanges.flatMap(
    ({ runId, question, askedAt, answer, answeredAt, cut }): Message[] => {
      const { text } = cutsOf({ runId, cut });
      return [
        { role: 'user', content: text(question), runId, createdAt: askedAt.toISOString() },
        { role: 'assistant', content: text(answer), runId, createdAt: answeredAt.toISOString() },
      ];
    },
  ),
});
