// The agent file, as the contract's section 5 has it, but for its tools (tool-entry.ts) and what
// needs the world around (load-agents.ts). Problems are words that follow a path: `must be at most
// 2`.

import { z } from 'zod';
import { ASK_AGAIN } from '../contract/agent.ts';

/** Timers take no more milliseconds than this (24.8 days). */
export const MAX_TIMEOUT_MS = 2_147_483_647;

const Text = z.string();
const Word = z.string().min(1);
export const Whole = (min: number, max: number = Number.MAX_SAFE_INTEGER): z.ZodInt =>
  z.int().min(min).max(max);

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = 'must be a duration such as 30s, 5m, 24h or 7d';
const TEN_YEARS_MS = 3650 * UNIT_MS.d;

const DurationMs = z.string({ error: DURATION }).transform((text, ctx) => {
  const [, count, tx] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Number(count) * UNIT_MS[(tx ?? 'ms') as keyof typeof UNIT_MS];
  if (ms > 0 && ms <= TEN_YEARS_MS) return ms;
  ctx.addIssue({ code: 'custom', message: ms > TEN_YEARS_MS ? 'must be at most 3650d' : DURATION });
  return z.NEVER;
});

const LimitsFileSchema = z.strictObject({
  maxTurns: Whole(1, 500).default(25),
  maxToolCalls: Whole(1, 1000).default(50),
  maxRepeats: Whole(1).default(3),
  maxTotalTokens: Whole(1).default(200_000),
  historyTokens: Whole(0).default(32_000),
  timeoutMs: Whole(1, MAX_TIMEOUT_MS).default(240_000),
  maxRejections: Whole(0).default(3),
  modelTimeoutMs: z.union([Whole(1, MAX_TIMEOUT_MS), DurationMs], { error: DURATION }).optional(),
});

const ApprovalsFileSchema = z.strictObject({
  expiresAfter: DurationMs.optional(),
  quorum: Whole(1, 100).default(1),
  fourEyes: z.boolean().default(false),
  askAgain: z.enum(ASK_AGAIN).default('never'),
});

export const AgentFileSchema = z.strictObject({
  id: z
    .string()
    .regex(
      /^[a-zA-Z][a-zA-Z0-9_-]{0,63}$/,
      'must be a letter, then letters, digits, _ or -, at most 64 in all',
    ),
  name: Word.optional(),
  description: Text.default(''),
  active: z.boolean().default(true),
  orgs: z.array(Word).min(1, 'must name an org; left out, it means every org').optional(),
  model: Word,
  models: z.array(Word).min(1).optional(),
  fallbackModels: z.array(Word).default([]),
  vision: z.boolean().default(false),
  audio: z.boolean().default(false),
  temperature: z.number().min(0).max(2).optional(),
  maxTokens: Whole(1).optional(),
  instructions: Text.default(''),
  tools: z.array(z.unknown()).default([]),
  limits: LimitsFileSchema.prefault({}),
  approvals: ApprovalsFileSchema.prefault({}),
});
export type AgentFile = z.infer<typeof AgentFileSchema>;

/** Parts of the contract that are built later: a file that names them must not run without them. */
export const NOT_YET = ['mcp', 'knowledge', 'memory'] as const;
