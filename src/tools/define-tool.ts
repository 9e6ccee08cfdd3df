// A tool in code: what it is, what it takes, what it does. One file a tool; index.ts lists them.
// Imports no config and no store: what a tool needs is in its context.

import { z } from 'zod';
import type { ToolSnapshot } from '../contract/agent.ts';
import type { KnowledgePort, MemoryPort } from './built-in/ports.ts';
import { canonicalJson, sha256Hex } from '../json/canonical.ts';
import { sourceDigest } from './source-digest.ts';

export interface ToolContext {
  readonly runId: string;
  readonly orgId: string;
  readonly userId: string;
  readonly callId: string;
  /** `<runId>:<callId>`, the same on every attempt. */
  readonly idempotencyKey: string;
  readonly dataDir: string;
  /** W3C traceparent of the call, where it is traced: a tool hands it on to whom it asks. */
  readonly traceparent?: string;
  /** Addresses that a tool may read though they are no public ones. */
  readonly egressAllow?: readonly string[];
  /** Of agents with `knowledge`. */
  readonly knowledge?: KnowledgePort;
  /** Of agents with `memory`. */
  readonly memory?: MemoryPort;
  readonly signal: AbortSignal;
  /** How far it has come, for who watches. */
  readonly onProgress?: (done: number, total: number | undefined) => void;
  /**
   * The last check whether this call may still be made: awaited by a tool immediately before it
   * acts. A throw ends the call.
   */
  readonly beforeWrite: () => Promise<void>;
}

/** A failure that the tool knows the outcome of; the model is told its message. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
}

export interface CodeTool extends Omit<ToolSnapshot, 'kind' | 'http' | 'approvers'> {
  readonly run: (args: Readonly<Record<string, unknown>>, ctx: ToolContext) => Promise<string>;
}

export interface ToolDefinition<Shape extends z.ZodRawShape> {
  readonly name: string;
  readonly description: string;
  /**
   * `import.meta.url`. Where that file or what it imports of the project changes, it is another
   * tool, and open approvals of it are asked about again.
   */
  readonly source: string;
  readonly input: z.ZodObject<Shape>;
  /** Changes nothing: needs no approval, may be repeated. */
  readonly readOnly?: boolean;
  /** Does a thing once per `idempotencyKey`: may be repeated. */
  readonly idempotent?: boolean;
  /** Over in a second; only with one of the two above. */
  readonly quick?: boolean;
  /** Default: required unless readOnly. */
  readonly approval?: ToolSnapshot['approval'];
  readonly risk?: ToolSnapshot['risk'];
  readonly timeoutMs?: number;
  readonly run: (args: z.output<z.ZodObject<Shape>>, ctx: ToolContext) => Promise<string>;
}

/** As long as a person watching would wait for one step. */
export const DEFAULT_TOOL_TIMEOUT_MS = 10_000;

export function defineTool<Shape extends z.ZodRawShape>(
  definition: ToolDefinition<Shape>,
): CodeTool {
  const { name, description, readOnly = false, idempotent = false, quick = false } = definition;
  if (quick && !readOnly && !idempotent)
    throw new Error(
      `${name}: a quick tool is repeated without asking, so it must be readOnly or idempotent`,
    );
  const { $schema: _, ...input } = z.toJSONSchema(definition.input, { io: 'input' });
  return {
    name,
    description,
    input,
    version: sha256Hex(
      canonicalJson({ source: sourceDigest(definition.source), schema: input }),
    ).slice(0, 16),
    readOnly,
    idempotent,
    quick,
    approval: definition.approval ?? (readOnly ? 'never' : 'required'),
    risk: definition.risk ?? 'normal',
    timeoutMs: definition.timeoutMs ?? DEFAULT_TOOL_TIMEOUT_MS,
    run: async (args, ctx) => {
      // Checked against the JSON Schema already; this catches what only zod can say (refinements),
      // before anything is done.
      const parsed = definition.input.safeParse(args);
      if (!parsed.success)
        throw new ToolError(`The arguments do not fit. ${z.prettifyError(parsed.error)}`);
      return definition.run(parsed.data, ctx);
    },
  };
}
