// The agent file, as the contract's section 5 has it, but for its tools (tool-entry.ts) and what
// needs the world around (load-agents.ts). Problems are words that follow a path: `must be at most
// 2`.

import { z } from 'zod';
import { ASK_AGAIN } from '../contract/agent.ts';
import { BaseIdSchema } from '../contract/knowledge.ts';
import { PeriodMs, TimeoutMs } from './duration.ts';

const Text = z.string();
const Word = z.string().min(1);
export const Whole = (min: number, max: number = Number.MAX_SAFE_INTEGER): z.ZodInt =>
  z.int().min(min).max(max);

const about = <T extends z.ZodType>(schema: T, description: string): T =>
  schema.meta({ description });

const LimitsFileSchema = z.strictObject({
  maxTurns: about(Whole(1, 500).default(25), 'Model calls of a run.'),
  maxToolCalls: about(Whole(1, 1000).default(50), 'Tool calls of a run.'),
  maxRepeats: about(
    Whole(1).default(3),
    'Identical calls in a row with identical results; the next one ends the run.',
  ),
  maxTotalTokens: about(Whole(1).default(200_000), 'Tokens of a run, as the provider counts them.'),
  historyTokens: about(
    Whole(0).default(32_000),
    'Tokens of earlier exchanges that the model is shown; the oldest are left out first.',
  ),
  timeoutMs: about(
    TimeoutMs.default(240_000),
    'Active time of a run: waiting for people does not count.',
  ),
  maxRejections: about(Whole(0).default(3), 'Rejections of one tool; one more ends the run.'),
  modelTimeoutMs: about(
    TimeoutMs.optional(),
    'Longest silence of a model in one call. Left out: what is left of `timeoutMs`.',
  ),
});

const ApprovalsFileSchema = z.strictObject({
  expiresAfter: about(
    PeriodMs.optional(),
    'How long a call waits for people before it counts as rejected. Left out: for ever.',
  ),
  quorum: about(Whole(1, 100).default(1), 'How many people have to approve a call.'),
  fourEyes: about(
    z.boolean().default(false),
    'Neither the run’s user nor who started it may decide about its calls.',
  ),
  askAgain: about(
    z.enum(ASK_AGAIN).default('never'),
    'Is a call that was rejected, and is asked for again with the same arguments, asked about again?',
  ),
});

export const AgentFileSchema = z.strictObject({
  id: about(
    z
      .string()
      .regex(
        /^[a-zA-Z][a-zA-Z0-9_-]{0,63}$/,
        'must be a letter, then letters, digits, _ or -, at most 64 in all',
      ),
    'The name in addresses: a letter, then letters, digits, `_` or `-`.',
  ),
  name: about(Word.optional(), 'The name that people see. Left out: the id.'),
  description: about(Text.default(''), 'What it does, for people who choose an agent.'),
  active: about(z.boolean().default(true), 'false: listed only when asked for, and takes no runs.'),
  orgs: about(
    z.array(Word).min(1, 'must name an org; left out, it means every org').optional(),
    'Whose agent it is. Left out: every org’s.',
  ),
  model: about(Word, 'The model that is asked.'),
  models: about(
    z.array(Word).min(1).optional(),
    'What `options.model` of a run may name. Left out: only `model`.',
  ),
  fallbackModels: about(
    z.array(Word).default([]),
    'Tried in order when the model is unavailable or rate-limited.',
  ),
  vision: about(z.boolean().default(false), 'Takes images.'),
  audio: about(z.boolean().default(false), 'Takes sound.'),
  temperature: about(z.number().min(0).max(2).optional(), 'Left out: the provider’s.'),
  maxTokens: about(Whole(1).optional(), 'Longest answer. Left out: the provider’s.'),
  instructions: about(Text.default(''), 'The system prompt. Never shown to callers.'),
  tools: about(z.array(z.unknown()).default([]), 'What the model may call.'),
  knowledge: about(
    z.array(BaseIdSchema).min(1, 'must name a base; left out, none is searched').max(20).optional(),
    'Bases of documents that it may search, by id, of the org of the run. Left out: none.',
  ),
  memory: about(
    z.enum(['user', 'off']).default('off'),
    'user: it remembers facts about the user of a run, and is told them. off: it does not.',
  ),
  limits: about(LimitsFileSchema.prefault({}), 'What ends a run that goes on too long.'),
  approvals: about(ApprovalsFileSchema.prefault({}), 'How people decide about guarded calls.'),
});
export type AgentFile = z.infer<typeof AgentFileSchema>;
