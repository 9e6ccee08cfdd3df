// What became of a call that has no known outcome, asked of its receiver: one read-only request with
// the call's key. Anything but a clear word is no answer.

import { z } from 'zod';
import type { ToolSnapshot } from '../contract/agent.ts';
import { callDeclared } from '../egress/fetch-declared.ts';
import { parseStrict } from '../json/strict.ts';
import { ToolError } from './define-tool.ts';
import { httpAddress } from './http-address.ts';
import { createMask, sentFromAddress } from './mask.ts';
import { argumentNames, fillSecrets } from './places.ts';
import { MAX_RESULT_BYTES, resultText } from './result-text.ts';

export type ReceiverSays =
  | { readonly kind: 'DONE'; readonly result: string }
  | { readonly kind: 'NOT_DONE' }
  | { readonly kind: 'UNKNOWN' }
  /** `why`: a few words without address or secret. */
  | { readonly kind: 'NO_ANSWER'; readonly why: string };

/** Contract, section 10. */
const WAIT_MS = 10_000;

const Said = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('done'), result: z.unknown().optional() }),
  // With a result it contradicts itself.
  z.object({ outcome: z.enum(['not_done', 'unknown']), result: z.undefined().optional() }),
]);

export interface AskedCall {
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
}

export async function askReceiver(
  { reconcile }: Pick<ToolSnapshot, 'reconcile'>,
  call: AskedCall,
  secret: (name: string) => string | undefined,
): Promise<ReceiverSays> {
  if (reconcile === undefined) return noAnswer('nobody can be asked');
  const used = new Set<string>();
  const reveal = (name: string): string => {
    const value = secret(name);
    if (value === undefined) throw new ToolError(`the secret ${name} is not set`);
    used.add(value);
    return value;
  };
  try {
    const known = { ...call.arguments, idempotencyKey: call.idempotencyKey };
    // An argument that the address does not name is none of its business.
    const places = new Set(argumentNames(reconcile.url));
    const args = Object.fromEntries(Object.entries(known).filter(([name]) => places.has(name)));
    const url = httpAddress(reconcile, args, reveal);
    for (const sent of sentFromAddress(url)) used.add(sent);
    const headers = Object.fromEntries(
      Object.entries(reconcile.headers).map(([name, value]) => [name, fillSecrets(value, reveal)]),
    );
    const answer = await callDeclared({
      ...{ method: 'GET', url, headers, timeoutMs: WAIT_MS, signal: call.signal },
      maxBytes: MAX_RESULT_BYTES,
    });
    if (answer.kind !== 'ANSWER') return noAnswer(answer.why);
    if (answer.status !== 200) return noAnswer(`it answered with the status ${answer.status}`);
    return saidBy(answer.text, createMask(used));
  } catch (error) {
    if (error instanceof ToolError) return noAnswer(error.message);
    throw error;
  }
}

const noAnswer = (why: string): ReceiverSays => ({ kind: 'NO_ANSWER', why });

function saidBy(text: string, mask: (text: string) => string): ReceiverSays {
  // A word that is said twice, once this way and once that, is none.
  const read = parseStrict(text);
  const said = Said.safeParse(read.ok ? read.value : undefined);
  if (!said.success) return noAnswer('its answer was none of done, not_done and unknown');
  switch (said.data.outcome) {
    case 'done': {
      const { result = '' } = said.data;
      const shown = typeof result === 'string' ? result : JSON.stringify(result);
      return { kind: 'DONE', result: resultText(mask(shown)) };
    }
    case 'not_done':
      return { kind: 'NOT_DONE' };
    case 'unknown':
      return { kind: 'UNKNOWN' };
  }
}
