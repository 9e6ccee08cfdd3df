// The agent file as JSON Schema, for editors: what the loader checks, as far as a schema can say it.

import { z } from 'zod';
import { AgentFileSchema } from './agent-file.ts';
import { McpEntrySchema } from './mcp-entry.ts';
import { APPROVAL_IN_FILE, CodeEntrySchema, HttpEntrySchema, ToolName } from './tool-entry.ts';

const WholeFileSchema = AgentFileSchema.extend({
  tools: z
    .array(
      z.union([
        ToolName.meta({ description: 'A tool in code, by its name.' }),
        HttpEntrySchema.extend(APPROVAL_IN_FILE).meta({ description: 'An HTTP tool.' }),
        CodeEntrySchema.extend(APPROVAL_IN_FILE).meta({
          description: 'A tool in code, with another policy.',
        }),
        McpEntrySchema.meta({ description: 'Tools of an MCP server.' }),
      ]),
    )
    .default([])
    .meta({ description: 'What the model may call.' }),
});

export type JsonSchema = Readonly<Record<string, unknown>>;

export const agentFileSchema: JsonSchema = {
  ...z.toJSONSchema(WholeFileSchema, {
    target: 'draft-2020-12',
    io: 'input',
    override: ({ jsonSchema }) => {
      // Bounds that only say what a number in JSON can be.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  }),
  title: 'Holdpoint agent',
};
