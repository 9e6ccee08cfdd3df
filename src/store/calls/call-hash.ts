// What an approval covers: SHA-256 over org, run, call, tool, the tool's version, the arguments and
// the sentence that was shown, as RFC 8785 text. The stored arguments are canonical already, so the text is put together, not
// parsed: a changed byte changes the hash.

import { createHash } from 'node:crypto';

export interface HashedCall {
  readonly orgId: string;
  readonly runId: string;
  readonly callId: string;
  readonly tool: string;
  readonly toolVersion: string;
  /** Canonical JSON. */
  readonly arguments: string;
  /** The sentence that people decide by; null or absent: there is none. */
  readonly summary?: string | null | undefined;
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

/** `argumentsHash` of the contract: 64 hexadecimal digits. */
export function hashOfCall(call: HashedCall): string {
  const s = JSON.stringify;
  const summary = call.summary == null ? '' : `"summary":${s(call.summary)},`;
  return digest(
    `{"arguments":${call.arguments},"callId":${s(call.callId)},"org":${s(call.orgId)},"runId":${s(call.runId)},${summary}"tool":${s(call.tool)},"toolVersion":${s(call.toolVersion)},"v":1}`,
  );
}

/** Made by us, since providers repeat theirs; the same for every attempt of a turn. */
export const callIdOf = (runId: string, turn: number, index: number): string =>
  `call_${digest(`${runId} ${turn} ${index}`).slice(0, 24)}`;

export const pauseIdOf = (runId: string, turn: number, n: number): string =>
  `pause_${digest(`${runId} ${turn} pause ${n}`).slice(0, 24)}`;

/** Short name of a result or of a call's content, to compare without the text. */
export const shortDigest = (text: string): string => digest(text).slice(0, 16);
