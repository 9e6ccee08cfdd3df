// The frames of a run's stream folded into what a person reads: one item a message, thought, call,
// pause or end. Pure.

import type { Arguments, PendingCall } from '../api/types.ts';

export interface StreamFrame {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
  readonly timestamp: number;
  readonly turn: number;
}

interface Base {
  readonly id: string;
  readonly at: number;
  readonly turn: number;
}
export type TimelineItem =
  | (Base & { readonly kind: 'text' | 'thought'; readonly text: string })
  | (Base & {
      readonly kind: 'call';
      readonly callId: string;
      readonly name: string;
      readonly arguments: Arguments;
      readonly result?: string;
      readonly isError?: boolean;
      readonly endedAt?: number;
    })
  | (Base & { readonly kind: 'pause'; readonly pending: readonly PendingCall[] })
  | (Base & { readonly kind: 'model-away'; readonly problem: string })
  /** The model is asked once more in this turn; what it had said before is taken back. */
  | (Base & { readonly kind: 'attempt'; readonly n: number })
  | (Base & { readonly kind: 'note'; readonly text: string })
  | (Base & { readonly kind: 'end'; readonly text: string; readonly failed: boolean });

export function fold(items: readonly TimelineItem[], frame: StreamFrame): readonly TimelineItem[] {
  const { id, turn, timestamp: at } = frame;
  const base = { id, turn, at };
  const data = (frame.data ?? {}) as Record<string, unknown>;
  const last = items.at(-1);
  const add = (item: TimelineItem): readonly TimelineItem[] => [...items, item];
  const grow = (kind: 'text' | 'thought'): readonly TimelineItem[] =>
    last?.kind === kind && last.turn === turn
      ? [...items.slice(0, -1), { ...last, text: last.text + String(frame.data) }]
      : add({ ...base, kind, text: String(frame.data) });
  switch (frame.event) {
    case 'CONTENT_DELTA':
      return grow('text');
    case 'REASONING_DELTA':
      return grow('thought');
    case 'TOOL_START':
      return add({
        ...base,
        kind: 'call',
        callId: String(data['callId']),
        name: String(data['name']),
        arguments: (data['arguments'] ?? {}) as Arguments,
      });
    case 'TOOL_END':
      return items.map((item) =>
        item.kind === 'call' && item.callId === data['callId']
          ? {
              ...item,
              result: String(data['result'] ?? ''),
              isError: data['isError'] === true,
              endedAt: at,
            }
          : item,
      );
    case 'PAUSED':
      return add({ ...base, kind: 'pause', pending: (data['pending'] ?? []) as PendingCall[] });
    case 'WAITING':
      return add({ ...base, kind: 'model-away', problem: String(data['lastProblem'] ?? '') });
    case 'RETRY':
      return [
        ...items.filter(
          (item) =>
            item.kind === 'call' ||
            item.kind === 'attempt' ||
            !isAfter(item.id, data['keepThrough']),
        ),
        { ...base, kind: 'attempt', n: attemptsOf(items, turn) + 1 },
      ];
    case 'RETRIED':
      return add({ ...base, kind: 'note', text: `Taken up again by ${String(data['by'] ?? '')}` });
    case 'STOP':
      return add({ ...base, kind: 'end', text: 'Completed', failed: false });
    case 'CANCELLED':
      return add({ ...base, kind: 'end', text: 'Cancelled', failed: true });
    case 'ERROR':
      return add({ ...base, kind: 'end', text: String(data['message'] ?? 'Failed'), failed: true });
    default:
      return items;
  }
}

/** The first one is announced by nothing but what it says. */
const attemptsOf = (items: readonly TimelineItem[], turn: number): number =>
  1 + items.filter((item) => item.kind === 'attempt' && item.turn === turn).length;

/** Positions are `<event>.<offset>`. */
function isAfter(id: string, keepThrough: unknown): boolean {
  const [seq = 0, offset = 0] = id.split('.').map(Number);
  const [keptSeq = 0, keptOffset = 0] = String(keepThrough).split('.').map(Number);
  return seq > keptSeq || (seq === keptSeq && offset > keptOffset);
}
