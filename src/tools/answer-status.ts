// What a status says of a call. A go-between gives some without knowing whether the receiver acted;
// others ask to come again. The agent file may list those that its receiver means.

import type { ToolSnapshot } from '../contract/agent.ts';

/** Of a go-between that waited in vain for the receiver, or got nothing it understood. */
const WITHOUT_KNOWING: ReadonlySet<number> = new Set([408, 502, 504]);
/** Worth another attempt where a call may be repeated. */
const COME_AGAIN: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

/** Why the status is no answer to the call; undefined where it is one. */
export function noAnswerProblem(
  tool: Pick<ToolSnapshot, 'readOnly' | 'idempotent' | 'knownStatuses'>,
  status: number,
): string | undefined {
  if (tool.knownStatuses?.includes(status) === true) return undefined;
  if (WITHOUT_KNOWING.has(status))
    return `the answer was the status ${status}, which a go-between gives without knowing`;
  return (tool.readOnly || tool.idempotent) && COME_AGAIN.has(status)
    ? `the answer was the status ${status}, which asks to come again`
    : undefined;
}
