// Asks a server through the port, once, and puts what came in a few words.

import assert from 'node:assert/strict';
import {
  ModelError,
  type ModelDelta,
  type ModelMessage,
  type ModelReply,
  type ModelRequest,
} from '../../src/models/model.ts';
import { createOpenAiModel } from '../../src/models/openai/adapter.ts';
import type { Exchange } from './recorder.ts';

export interface Tried {
  /** Where the port is sent: the recorder. */
  readonly url: string;
  readonly model: string;
  readonly apiKey: string;
  /** Whether the server is at work, where it says so. */
  readonly busy: () => Promise<boolean | undefined>;
  /** The exchange before now, as the server gave it; undefined: it gave none. */
  readonly last: () => Exchange | undefined;
}

export const user = (text: string): ModelMessage => ({ role: 'user', text });

export async function ask(
  { url, model, apiKey }: Tried,
  request: Partial<ModelRequest>,
  signal?: AbortSignal,
  onNotice: (notice: string) => void = () => undefined,
) {
  const deltas: ModelDelta[] = [];
  const reply = await createOpenAiModel({ baseUrl: url, apiKey }).stream(
    { model, messages: [user('Hello')], tools: [], temperature: 0, ...request },
    {
      signal: signal ?? new AbortController().signal,
      onDelta: (delta) => deltas.push(delta),
      onNotice,
    },
  );
  return { reply, deltas };
}

export async function faultOf(tried: Tried, request: Partial<ModelRequest>): Promise<ModelError> {
  try {
    const { reply } = await ask(tried, request);
    return assert.fail(`it answered: ${shown(reply)}`);
  } catch (error) {
    assert.ok(error instanceof ModelError, String(error));
    return error;
  }
}

export const shown = ({ text, reasoning, toolCalls, finishReason, usage }: ModelReply): string =>
  [
    finishReason,
    ...(reasoning === '' ? [] : [`reasoning ${JSON.stringify(reasoning.slice(0, 60))}`]),
    ...(text === '' ? [] : [JSON.stringify(text.slice(0, 60))]),
    ...toolCalls.map(({ name, argumentsText }) => `${name}(${argumentsText})`),
    usage === null ? 'no usage' : `${usage.promptTokens}+${usage.completionTokens} tokens`,
  ].join(', ');

export const shownFault = ({ fault, retryable, message }: ModelError): string =>
  `${fault}${retryable ? ', retryable' : ''}: ${message}`;

/** undefined: no JSON, which the text beside it shows. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** With the query that an address may carry behind the path. */
export function within(url: string, folder: string): string {
  const address = new URL(url);
  address.pathname = `${address.pathname.replace(/\/$/, '')}/${folder}`;
  return address.href;
}
