// Servers of tools as a process holds them: connections for calls, and the agents that wait for
// their lists while the process goes on starting.

import { openAgents, type AgentRegistry } from '../agents/agent-registry.ts';
import type { LoadedAgents } from '../agents/load-agents.ts';
import { createMcpServers, type McpServers } from '../mcp/servers.ts';
import type { Process } from './process.ts';

/** Closed with the process. */
export function openServers({ config, onClose }: Process): McpServers {
  const servers = createMcpServers(config);
  onClose(() => servers.close());
  return servers;
}

/** Rejects with the problems that agent files have with servers which are there. */
export function agentsBy(
  servers: McpServers,
  files: Extract<LoadedAgents, { agents: unknown }>,
  { config, log, stopping }: Process,
): Promise<AgentRegistry> {
  const opening = openAgents(files, { servers, secret: config.secret, log, stopping });
  opening.catch(() => undefined);
  return opening;
}
