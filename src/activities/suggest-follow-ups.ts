// The extra model call after an answer. Its failure is ignored: the run is COMPLETED with its
// answer whole.

import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { parseStrict } from '../json/strict.ts';
import { storable } from '../json/storable.ts';
import { ModelError, type Model, type ModelMessage, type ModelReply } from '../models/model.ts';
import type { Store } from '../store/database/access.ts';
import { beginFollowUps, recordFollowUps } from '../store/runs/follow-ups.ts';
import { failureOf } from './failures.ts';
import { withHeartbeat } from './heartbeat.ts';
import { offeredTools, transcriptOf } from './transcript.ts';

export interface SuggestFollowUpsRequest {
  readonly runId: string;
  readonly turn: number;
}

/**
 * An extra is not waited for as an answer is: below the activity's own timeout, so that what it
 * cost is kept.
 */
const PATIENCE_MS = 60_000;
const MOST = 5;
const QUESTION_MAX_CHARS = 300;

const ASK: ModelMessage = {
  role: 'user',
  text: 'Suggest three short follow-up questions that I might ask next. Answer with a JSON array of three strings and nothing else.',
};

export function createSuggestFollowUps({
  store,
  model,
}: {
  readonly store: Store;
  readonly model: Model;
}) {
  return async function suggestFollowUps({ runId, turn }: SuggestFollowUpsRequest): Promise<void> {
    const attemptId = randomUUID();
    try {
      const work = await store.asWorker((tx) => beginFollowUps(tx, runId, turn, attemptId));
      if (work === undefined) return;
      const request = {
        model: work.options.model ?? work.agent.model,
        messages: [...transcriptOf(work), ASK],
        // They are there for a transcript with calls in it.
        tools: offeredTools(work.agent),
        toolChoice: 'none' as const,
      };
      const found = await withHeartbeat(
        store,
        { runId, attemptId, leftMs: PATIENCE_MS },
        async (line) => {
          try {
            const reply = await model.stream(request, {
              signal: line.signal,
              onDelta: () => undefined,
            });
            return {
              questions: questionsOf(reply),
              usage: reply.usage === null ? undefined : { ...reply.usage, estimated: false },
            };
          } catch (error) {
            if (!(error instanceof ModelError)) throw error;
            return {
              questions: [],
              usage: error.usage === null ? undefined : { ...error.usage, estimated: false },
            };
          }
        },
      );
      await store.asWorker((tx) => recordFollowUps(tx, runId, attemptId, found));
    } catch (error) {
      throw failureOf(error);
    }
  };
}

const ListSchema = z.array(z.string());

/** A JSON array of strings, with or without a fence around it; anything else is no follow-up. */
export function questionsOf(reply: Pick<ModelReply, 'text'>): readonly string[] {
  // Trimmed first: a pattern that begins with spaces looks at a row of them from each of them.
  const text = reply.text
    .trim()
    .replace(/^```(?:json)?/, '')
    .replace(/```$/, '');
  const parsed = parseStrict(text);
  const list = parsed.ok ? ListSchema.safeParse(parsed.value) : undefined;
  if (list?.success !== true) return [];
  // One line each: they become a Markdown list.
  const lines = list.data.map((question) =>
    storable(question).text.replace(/\s+/g, ' ').trim().slice(0, QUESTION_MAX_CHARS),
  );
  return lines.filter((question) => question !== '').slice(0, MOST);
}
