// A tool of ours as MCP describes it, and how a call of it becomes a request of a route. Knows
// neither SDK nor HTTP.

import type { z } from 'zod';
import { validate } from '../http/validate.ts';
import { objectSchema, type ObjectSchema } from './json-schema.ts';

/** What a tool asks of a route, by the route's `id`. */
export interface RouteCall {
  readonly route: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: object;
}

/** The body of the route's answer. Throws what the route refuses with. */
export type Ask = (call: RouteCall) => Promise<unknown>;

export interface CallContext {
  /** The call carries the key that our own runs send with theirs. */
  readonly ofAgent: boolean;
  /** The run as the caller may see it, with whatever scope they came this far. */
  readonly readRun: (name: { readonly agentId: string; readonly runId: string }) => Promise<object>;
}

interface ToolSpec<Input> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Hints to clients, true ones: nothing here depends on them. */
  readonly annotations: {
    readonly readOnlyHint: boolean;
    readonly destructiveHint?: boolean;
    readonly idempotentHint?: boolean;
    readonly openWorldHint?: boolean;
  };
  readonly input: z.ZodType<Input>;
  readonly output: z.ZodType;
  readonly perform: (input: Input, ask: Ask, context: CallContext) => Promise<unknown>;
}

export interface McpTool {
  readonly name: string;
  /** As `tools/list` shows it. */
  readonly shown: { readonly inputSchema: ObjectSchema; readonly outputSchema: ObjectSchema };
  readonly perform: (args: unknown, ask: Ask, context: CallContext) => Promise<unknown>;
}

export function defineTool<Input>(spec: ToolSpec<Input>): McpTool {
  const { name, title, description, annotations, input, output, perform } = spec;
  return {
    name,
    shown: {
      ...{ name, title, description, annotations },
      inputSchema: objectSchema(input, 'input'),
      outputSchema: objectSchema(output, 'output'),
    },
    perform: (args, ask, context) =>
      perform(validate(input, args ?? {}, 'object of arguments'), ask, context),
  };
}
