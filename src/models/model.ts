// The port to a language model: what is asked, what comes back, and the one error it fails with.
// Owns no protocol: adapters (openai/adapter.ts) do. Imports nothing but types.

import type { CameAs } from './came-as.ts';

/** What a provider adds to a call, for itself alone to read. */
export interface CallFields {
  /** Beside `id`, `type` and `function`. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Beside `name` and `arguments`. */
  readonly functionFields?: Readonly<Record<string, unknown>>;
}

export interface ModelToolCall extends CallFields {
  /**
   * In a reply the provider's, empty where it gave none: it may repeat, so nothing of ours is keyed
   * by it. In a request ours, which pairs the call with its result.
   */
  readonly id: string;
  readonly name: string;
  /** As the model wrote it: it may be no JSON at all. */
  readonly argumentsText: string;
}

export type ModelPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'image'; readonly url: string }
  | { readonly kind: 'audio'; readonly data: string; readonly format: 'wav' | 'mp3' };

export type ModelMessage =
  | { readonly role: 'system'; readonly text: string }
  | { readonly role: 'user'; readonly text: string; readonly media?: readonly ModelPart[] }
  | {
      readonly role: 'assistant';
      readonly text: string;
      readonly toolCalls?: readonly ModelToolCall[];
      /** How the provider gave it, where it is of this run. */
      readonly cameAs?: CameAs;
    }
  | { readonly role: 'tool'; readonly toolCallId: string; readonly text: string };

export interface ModelTool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments. */
  readonly input: Readonly<Record<string, unknown>>;
}

export interface ModelRequest {
  readonly model: string;
  readonly messages: readonly ModelMessage[];
  readonly tools: readonly ModelTool[];
  /** The tools are there for the transcript alone: none may be called. */
  readonly toolChoice?: 'none';
  readonly temperature?: number;
  readonly maxTokens?: number;
  /** The longest silence within the answer. */
  readonly silenceMs?: number;
}

export interface ModelUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export interface ModelReply {
  readonly text: string;
  readonly reasoning: string;
  readonly toolCalls: readonly ModelToolCall[];
  /** `stop`, `length`, `tool_calls`, `content_filter`, or a word of the provider's own. */
  readonly finishReason: string;
  readonly model: string;
  /** null where the provider reported none. */
  readonly usage: ModelUsage | null;
  /** Fields of the message that go back as they came: reasoning under its own name. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

export interface ModelDelta {
  readonly kind: 'CONTENT' | 'REASONING';
  readonly text: string;
}

export type ModelFault =
  | 'UNAVAILABLE'
  | 'RATE_LIMITED'
  /** Used up: no waiting helps, another model may. */
  | 'QUOTA_EXHAUSTED'
  | 'REJECTED'
  | 'INCOMPLETE'
  | 'CONTEXT_TOO_LONG'
  | 'OUTPUT_TOO_LARGE'
  | 'ABORTED';

/**
 * The only error a model call fails with. `message` is a sentence a caller may read: no host, key
 * or stack. It has no `cause` on purpose: Temporal records causes, and a provider's own words may
 * quote addresses and parts of a key.
 */
export class ModelError extends Error {
  readonly fault: ModelFault;
  /** Whether the same request may go well later. */
  readonly retryable: boolean;
  /** How long the provider asked to be left alone, where it did. */
  readonly retryAfterMs?: number;
  /** What the provider had reported when it failed. */
  readonly usage: ModelUsage | null;

  constructor(
    fault: ModelFault,
    message: string,
    options: {
      readonly retryable?: boolean;
      readonly retryAfterMs?: number | undefined;
      readonly usage?: ModelUsage | null;
    } = {},
  ) {
    super(message);
    this.name = 'ModelError';
    this.fault = fault;
    this.retryable = options.retryable ?? (fault === 'UNAVAILABLE' || fault === 'RATE_LIMITED');
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    this.usage = options.usage ?? null;
  }
}

export interface Model {
  /**
   * One call. Deltas are handed on the moment they come; the reply counts only once the provider
   * marked it complete. Rejects with a ModelError; `signal` closes the connection at once and
   * rejects with ABORTED.
   */
  stream(
    request: ModelRequest,
    on: {
      readonly signal: AbortSignal;
      readonly onDelta: (delta: ModelDelta) => void;
      /** A sentence for the operator's log: what of the request the server would not take. */
      readonly onNotice?: (notice: string) => void;
    },
  ): Promise<ModelReply>;
}
