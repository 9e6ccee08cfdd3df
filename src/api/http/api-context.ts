// What travels with a request from layer to layer. Types only.

import type Koa from 'koa';
import type { Caller } from '../auth/caller.ts';

export interface ApiState {
  requestId: string;
  /** Set by authentication; absent on open routes. */
  caller?: Caller;
}

export type ApiContext = Koa.ParameterizedContext<ApiState>;
export type ApiMiddleware = Koa.Middleware<ApiState>;

export interface Log {
  readonly info: (o: object, message: string) => void;
  readonly warn: (o: object, message: string) => void;
  readonly error: (o: object, message: string) => void;
}
