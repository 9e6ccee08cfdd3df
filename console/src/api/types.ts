// What the API's answers are made of, by the names of the OpenAPI document.

import type { components } from '../../../client/schema.js';

type Schemas = components['schemas'];

export type ToolEntry = Schemas['ToolEntry'];
export type PendingCall = Schemas['PendingCall'];
export type Run = Schemas['RunResponse'];
export type RunStatus = Run['status'];
export type WaitingCall = Schemas['WaitingCall'];
export type Agent = Schemas['Agent'];
export type Base = Schemas['Base'];
export type KnownDocument = Schemas['Document'];
export type SearchAnswer = Schemas['SearchAnswer'];
export type Memory = Schemas['Memory'];
export type Citation = Schemas['Citation'];
export type Arguments = PendingCall['arguments'];
export interface Page<T> {
  readonly data: readonly T[];
  readonly hasMore: boolean;
  readonly nextCursor: string | null;
}
