// The adapter to every OpenAI-compatible server, over streamed chat completions. The only file that
// imports openai. Owns the request's shape and the clock of a call. Retries nothing: Temporal does.

import OpenAI from 'openai';
import {
  ModelError,
  type Model,
  type ModelFault,
  type ModelMessage,
  type ModelPart,
  type ModelRequest,
  type ModelTool,
} from '../model.ts';
import { providerFault } from './errors.ts';
import { createReplyCollector } from './collector.ts';

export interface ModelTimeouts {
  /**
   * Connection, headers and the first byte: a queue at the provider or a cold start is over by
   * then, a dead host is not.
   */
  readonly firstByteMs: number;
  /**
   * Silence within an answer: a live server sends tokens or keep-alive comments, a dead connection
   * sends nothing for ever.
   */
  readonly silenceMs: number;
  /**
   * The whole call, against a server that drips for ever; the longest answers of slow models take
   * some minutes.
   */
  readonly wholeMs: number;
  /**
   * After a complete reply only its usage may follow, at once if at all: against a server that then
   * keeps the stream open.
   */
  readonly trailerMs: number;
}

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
}

const TIMEOUTS: ModelTimeouts = {
  firstByteMs: 60_000,
  silenceMs: 60_000,
  wholeMs: 600_000,
  trailerMs: 2_000,
};
/**
 * A whole reply of 1 MiB may come as one event. More is not read on: the client keeps a line
 * without a limit, and scans it anew with every piece.
 */
const EVENT_MAX_BYTES = 2 * 1024 * 1024;

export function createOpenAiModel({
  baseUrl,
  apiKey,
  reportedName,
  timeouts,
}: OpenAiModelOptions): Model {
  const clock = { ...TIMEOUTS, ...timeouts };

  return {
    async stream(request, { signal, onDelta }) {
      if (signal.aborted) throw new ModelError('ABORTED', 'The model call was stopped.');
      // Ours, not the caller's: the client never takes its listener off the signal it is given.
      const call = new AbortController();
      let stopped: readonly [ModelFault, string] | undefined;
      const stop = (fault: ModelFault, message: string): void => {
        stopped ??= [fault, message];
        call.abort();
      };
      const onAbort = (): void => stop('ABORTED', 'The model call was stopped.');
      signal.addEventListener('abort', onAbort, { once: true });

      let callerError: { readonly error: unknown } | undefined;
      const collector = createReplyCollector((delta) => {
        try {
          onDelta(delta);
        } catch (error) {
          callerError = { error };
          throw error;
        }
      });

      const whole = setTimeout(
        () => stop('UNAVAILABLE', `The model did not finish within ${seconds(clock.wholeMs)}.`),
        clock.wholeMs,
      );
      let silence: NodeJS.Timeout | undefined;
      const waitAtMost = (ms: number): void => {
        clearTimeout(silence);
        silence = setTimeout(() => {
          if (collector.finished()) call.abort();
          else stop('UNAVAILABLE', `The model sent nothing for ${seconds(ms)}.`);
        }, ms);
      };
      waitAtMost(clock.firstByteMs);

      let unparsedBytes = 0;
      const heard = (bytes: number): void => {
        if (!collector.finished()) waitAtMost(clock.silenceMs);
        unparsedBytes += bytes;
        if (unparsedBytes > EVENT_MAX_BYTES)
          stop('OUTPUT_TOO_LARGE', "The model's server sent more than 2 MiB in one piece.");
      };

      try {
        const client = clientOf({ baseUrl, apiKey, timeoutMs: clock.wholeMs, heard });
        const chunks = await client.chat.completions.create(bodyOf(request), {
          signal: call.signal,
        });
        for await (const chunk of chunks) {
          if (stopped !== undefined) break;
          unparsedBytes = 0;
          const before = collector.finished();
          collector.take(chunk);
          if (!before && collector.finished()) waitAtMost(clock.trailerMs);
        }
        // The client ends an aborted stream as if it were complete: only our own note tells.
        if (stopped === undefined) return collector.reply(reportedName ?? request.model);
      } catch (error) {
        if (callerError !== undefined) throw callerError.error;
        if (stopped === undefined && error instanceof ModelError) throw error;
        if (stopped === undefined && collector.finished())
          return collector.reply(reportedName ?? request.model);
        if (stopped === undefined) throw providerFault(error, collector.usage(), apiKey);
      } finally {
        clearTimeout(whole);
        clearTimeout(silence);
        signal.removeEventListener('abort', onAbort);
        call.abort();
      }
      throw new ModelError(stopped[0], stopped[1], { usage: collector.usage() });
    },
  };
}

const seconds = (ms: number): string => `${ms / 1000} s`;

interface ClientOptions {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly timeoutMs: number;
  /** Called with the size of every piece of the answer, and with 0 for its headers. */
  readonly heard: (bytes: number) => void;
}

/**
 * One a call, so that its bytes can be watched. Sockets are shared all the same: Node's fetch keeps
 * them.
 */
function clientOf({ baseUrl, apiKey, timeoutMs, heard }: ClientOptions): OpenAI {
  return new OpenAI({
    baseURL: baseUrl,
    // Explicit nulls: the client would else read the environment, which is config.ts's alone.
    apiKey: apiKey === '' ? 'none' : apiKey,
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    ...(apiKey === '' ? { defaultHeaders: { Authorization: null } } : {}),
    // It sleeps as long as any Retry-After says, deaf to its abort signal.
    maxRetries: 0,
    timeout: timeoutMs,
    // It prints chunks it cannot parse: a user's text does not belong in a log.
    logLevel: 'off',
    // A redirect would post the prompt to whatever host it names.
    fetchOptions: { redirect: 'error' },
    async fetch(url, init) {
      const response = await fetch(url, init);
      heard(0);
      if (response.body === null) return response;
      const watch = new TransformStream<Uint8Array, Uint8Array>({
        transform(bytes, out) {
          heard(bytes.byteLength);
          out.enqueue(bytes);
        },
      });
      return new Response(response.body.pipeThrough(watch), response);
    },
  });
}

function bodyOf(request: ModelRequest): OpenAI.ChatCompletionCreateParamsStreaming {
  return {
    model: request.model,
    messages: request.messages.map(messageOf),
    stream: true,
    stream_options: { include_usage: true },
    // Absent rather than empty: servers refuse an empty list.
    ...(request.tools.length === 0 ? {} : { tools: request.tools.map(toolOf) }),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    // The old name on purpose: every compatible server knows it.
    ...(request.maxTokens === undefined ? {} : { max_tokens: request.maxTokens }),
  };
}

function messageOf(message: ModelMessage): OpenAI.ChatCompletionMessageParam {
  switch (message.role) {
    case 'system':
      return { role: 'system', content: message.text };
    case 'user': {
      if (message.media === undefined || message.media.length === 0)
        return { role: 'user', content: message.text };
      const text = message.text === '' ? [] : [{ type: 'text' as const, text: message.text }];
      return { role: 'user', content: [...text, ...message.media.map(partOf)] };
    }
    case 'assistant': {
      if (message.toolCalls === undefined || message.toolCalls.length === 0)
        return { role: 'assistant', content: message.text };
      const calls = message.toolCalls.map(({ id, name, argumentsText }) => ({
        id,
        type: 'function' as const,
        function: { name, arguments: argumentsText },
      }));
      return { role: 'assistant', content: message.text || null, tool_calls: calls };
    }
    case 'tool':
      return { role: 'tool', tool_call_id: message.toolCallId, content: message.text };
  }
}

function partOf(part: ModelPart): OpenAI.ChatCompletionContentPart {
  switch (part.kind) {
    case 'text':
      return { type: 'text', text: part.text };
    case 'image':
      return { type: 'image_url', image_url: { url: part.url } };
    case 'audio':
      return { type: 'input_audio', input_audio: { data: part.data, format: part.format } };
  }
}

function toolOf({ name, description, input }: ModelTool): OpenAI.ChatCompletionTool {
  // Picky servers refuse `$schema`.
  const { $schema: _, ...parameters } = input;
  return { type: 'function', function: { name, description, parameters } };
}
