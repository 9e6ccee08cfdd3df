// One request to a server and all that is known of it, whatever the SDK makes of the answer: did a
// byte go out, which status came, did a JSON-RPC response with its id come. From that, and from
// nothing else, the outcome of a call is judged.

import { AsyncLocalStorage } from 'node:async_hooks';
import { isRecord } from '../policy/argument-types.ts';

export type McpAnswer =
  /** The `result` of a JSON-RPC response. */
  | { readonly kind: 'RESULT'; readonly result: Readonly<Record<string, unknown>> }
  /** Its `error`. */
  | {
      readonly kind: 'ERROR';
      readonly code: number;
      readonly message: string;
      readonly status?: number | undefined;
    }
  /** No JSON-RPC response, and a status of 300 or more. */
  | { readonly kind: 'STATUS'; readonly status: number; readonly text: string }
  /** The server wants something of the client first: a person's input, a model's words. */
  | { readonly kind: 'ASKS_BACK' }
  /** The server does not know the session, so it has not taken the request. */
  | { readonly kind: 'SESSION_GONE' }
  /** Nothing went out. */
  | { readonly kind: 'NOT_SENT'; readonly why: string }
  /** It went out, and may have been carried out. */
  | { readonly kind: 'UNANSWERED'; readonly why: string };

export interface Exchange {
  readonly beforeWrite?: (() => Promise<void>) | undefined;
  /** The connection of the answer has ended. */
  onCut: () => void;
  /** Aborted where nothing more of it is waited for. */
  readonly over: AbortController;
  /** What `beforeWrite` threw. */
  refusal?: { readonly error: unknown };
  id?: string | number;
  sent: boolean;
  status?: number;
  /** What the server wants where it refuses a token; from its `WWW-Authenticate`. */
  wants?: string;
  /** Why the connection did not come about or broke, in a few words without address. */
  broke?: string;
  /** The message with the request's id. */
  response?: Readonly<Record<string, unknown>>;
  /** The server gave an id to resume at: a cut answer may still come. */
  resumable: boolean;
}

export const newExchange = (beforeWrite?: () => Promise<void>): Exchange => ({
  beforeWrite,
  onCut: () => undefined,
  over: new AbortController(),
  sent: false,
  resumable: false,
});

/** Which exchange what is being sent belongs to. */
export const currentExchange = new AsyncLocalStorage<Exchange>();

/** Awaited right before the bytes of the request are written. */
export async function lastCheck(exchange: Exchange): Promise<void> {
  try {
    await exchange.beforeWrite?.();
  } catch (error) {
    exchange.refusal = { error };
    throw error;
  }
}

interface Failure {
  readonly error: unknown;
  /** It was stopped by who asked, or by the deadline. */
  readonly stopped: string | undefined;
}

/** `result`: what the SDK took; undefined where it failed. */
export function judge(
  exchange: Exchange,
  result: Readonly<Record<string, unknown>> | undefined,
  failure: Failure | undefined,
  hasSession: boolean,
): McpAnswer {
  const answered = responseOf(exchange, result);
  if (answered !== undefined) return answered;
  if (!exchange.sent)
    return { kind: 'NOT_SENT', why: failure?.stopped ?? exchange.broke ?? UNSENT };
  const { status } = exchange;
  if (status !== undefined && status >= 300) {
    if (status === 404 && hasSession) return { kind: 'SESSION_GONE' };
    return { kind: 'STATUS', status, text: exchange.wants ?? textOf(failure?.error) };
  }
  const why =
    failure?.stopped ??
    (status === undefined
      ? (exchange.broke ?? 'the connection broke before an answer')
      : 'what came was no answer to this request');
  return { kind: 'UNANSWERED', why };
}

const UNSENT = 'the server could not be reached';

function responseOf(
  { response, status }: Exchange,
  result: Readonly<Record<string, unknown>> | undefined,
): McpAnswer | undefined {
  const error = response?.['error'];
  if (isRecord(error)) {
    const { code, message } = error;
    return {
      kind: 'ERROR',
      code: typeof code === 'number' ? code : 0,
      message: typeof message === 'string' ? message : '',
      status: status !== undefined && status >= 300 ? status : undefined,
    };
  }
  const given = response?.['result'] ?? result;
  if (!isRecord(given)) return undefined;
  return given['resultType'] === 'input_required'
    ? { kind: 'ASKS_BACK' }
    : { kind: 'RESULT', result: given };
}

/** The body of an answer that is no JSON-RPC message, where the SDK read one. */
function textOf(error: unknown): string {
  const data = isRecord(error) || error instanceof Error ? (error as { data?: unknown }).data : {};
  const text = isRecord(data) ? data['text'] : undefined;
  return typeof text === 'string' ? text : '';
}
