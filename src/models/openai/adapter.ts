// The adapter to every server of the OpenAI family, over streamed chat completions. Owns the order
// of a call: the request, one more try where the server refuses a parameter that can be left out,
// and what of that is remembered for the model. Retries nothing else: Temporal does.

import type { Model, ModelRequest } from '../model.ts';
import { ModelError } from '../model.ts';
import { callOnce, RefusedError, TIMEOUTS, type ModelTimeouts } from './call.ts';
import { createConnection, type ProxySettings } from './connection.ts';
import { adaptationFor, type Adaptation } from './dialects.ts';
import { refusedFault } from './errors.ts';
import { requestBody } from './request.ts';

export interface OpenAiModelOptions {
  readonly baseUrl: string;
  /** Empty: no Authorization header is sent (a local server without keys). */
  readonly apiKey: string;
  /**
   * What `reply.model` says instead of the requested name: the demonstration model answers for
   * every name.
   */
  readonly reportedName?: string;
  readonly timeouts?: Partial<ModelTimeouts>;
  readonly proxy?: ProxySettings | undefined;
  readonly traceparent?: (() => string | undefined) | undefined;
}

const NOTICES: Readonly<Record<Adaptation, string>> = {
  max_completion_tokens: 'takes max_completion_tokens in place of max_tokens',
  'no temperature': 'takes no temperature: the one of the agent or the run is left out',
  'no stream_options': 'takes no stream_options: its usage is estimated where it reports none',
};

export function createOpenAiModel({
  baseUrl,
  apiKey,
  reportedName,
  timeouts,
  proxy,
  traceparent,
}: OpenAiModelOptions): Model {
  const clock = { ...TIMEOUTS, ...timeouts };
  const send = createConnection({ baseUrl, apiKey, proxy, traceparent });
  const learned = new Map<string, Set<Adaptation>>();

  /** What of the request the server would not take, noted for the model; undefined: nothing. */
  function learn({ refusal }: RefusedError, request: ModelRequest, made: Set<Adaptation>) {
    const { status, param, message } = refusal;
    if (status !== 400 && status !== 422) return undefined;
    const adaptation = adaptationFor(request, made, param, message);
    if (adaptation === undefined) return undefined;
    made.add(adaptation);
    const known = learned.get(request.model) ?? new Set();
    learned.set(request.model, known.add(adaptation));
    return NOTICES[adaptation];
  }

  return {
    async stream(request, on) {
      if (on.signal.aborted) throw new ModelError('ABORTED', 'The model call was stopped.');
      const made = new Set(learned.get(request.model));
      for (;;) {
        try {
          return await callOnce(requestBody(request, made), {
            ...on,
            send,
            clock: { ...clock, silenceMs: request.silenceMs ?? clock.silenceMs },
            model: reportedName ?? request.model,
          });
        } catch (error) {
          if (!(error instanceof RefusedError)) throw error;
          const notice = learn(error, request, made);
          if (notice === undefined)
            throw refusedFault({ ...error, refusal: error.refusal, apiKey });
          on.onNotice?.(`The model ${request.model} ${notice}.`);
        }
      }
    },
  };
}
