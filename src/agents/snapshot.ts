// What a run is started with and keeps: the agent as its file said, whole, under a hash of it.

import type { AgentSnapshot, ToolSnapshot } from '../contract/agent.ts';
import { canonicalJson, sha256Hex } from '../json/canonical.ts';
import type { AgentFile } from './agent-file.ts';

export function agentSnapshot(file: AgentFile, tools: readonly ToolSnapshot[]): AgentSnapshot {
  const body = {
    id: file.id,
    name: file.name ?? file.id,
    description: file.description,
    active: file.active,
    orgs: file.orgs ?? null,
    model: file.model,
    models: file.models ?? [file.model],
    fallbackModels: file.fallbackModels,
    vision: file.vision,
    audio: file.audio,
    temperature: file.temperature ?? null,
    maxTokens: file.maxTokens ?? null,
    instructions: file.instructions,
    tools: [...tools],
    limits: file.limits,
    approvals: {
      expiresAfterMs: file.approvals.expiresAfter ?? null,
      quorum: file.approvals.quorum,
      fourEyes: file.approvals.fourEyes,
      askAgain: file.approvals.askAgain,
    },
    ...(file.knowledge === undefined ? {} : { knowledge: [...new Set(file.knowledge)] }),
    ...(file.memory === 'off' ? {} : { memory: file.memory }),
  };
  return { revision: sha256Hex(canonicalJson(body)).slice(0, 16), ...body };
}
