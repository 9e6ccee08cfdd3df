// The only way from an agent's snapshot to JSON. What is not named here never leaves.

import type { AgentSnapshot } from '../../contract/agent.ts';
import type { Agent } from '../../contract/lists.ts';

/** Instructions and tools' addresses are never shown. */
export const presentAgent = (agent: AgentSnapshot): Agent => ({
  id: agent.id,
  name: agent.name,
  description: agent.description,
  is_team: false,
  model: agent.model,
  models: [...agent.models],
  vision: agent.vision,
  audio: agent.audio,
  tools: agent.tools.map(({ name, description, approval }) => ({ name, description, approval })),
  active: agent.active,
});
