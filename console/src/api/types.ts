// What the API's answers are made of, by the names of the OpenAPI document.

import type { components } from '../../../client/schema.js';

type Schemas = components['schemas'];

export type ToolEntry = Schemas['ToolEntry'] & { readonly httpStatus?: number };
export type PendingCall = Schemas['PendingCall'] & {
  readonly earlier?: readonly {
    readonly callId: string;
    readonly arguments: Arguments;
    readonly action: string;
    readonly by: readonly string[];
    readonly at: string;
    readonly reason?: string;
  }[];
};
export type Run = Omit<Schemas['RunResponse'], 'tools' | 'pending'> & {
  readonly tools: readonly ToolEntry[];
  readonly pending?: readonly PendingCall[];
  readonly heldBy?: string;
  readonly waitingFor?: { readonly lastProblem: string };
};
export type RunStatus = Run['status'];
export type WaitingCall = Schemas['WaitingCall'];
export type Agent = Schemas['Agent'];
export type Arguments = Schemas['PendingCall']['arguments'];
export interface Page<T> {
  readonly data: readonly T[];
  readonly hasMore: boolean;
  readonly nextCursor: string | null;
}
