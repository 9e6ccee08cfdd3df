// A tool of an MCP server, as it is shown to who decides about a call of it.

import { z } from 'zod';

const AnyObject = z.record(z.string(), z.unknown());

export const ToolDefinitionSchema = z
  .object({
    name: z.string().meta({ description: 'As the server calls it, without prefix.' }),
    title: z.string().optional(),
    description: z.string(),
    inputSchema: AnyObject,
    outputSchema: AnyObject.optional(),
    annotations: AnyObject.optional().meta({
      description: 'What the server says of its own tool. No policy follows from it.',
    }),
  })
  .meta({ id: 'ToolDefinition', description: 'A tool as its server declares it.' });
