// MCP's official client against the API of a rig, in both generations of the protocol.

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { token, type ApiRig, type CallerClaims, type Json } from './api-rig.ts';

export const GENERATIONS = {
  first: 'legacy',
  second: { pin: '2026-07-28' },
} as const;
export type Generation = keyof typeof GENERATIONS;

export interface McpResult {
  readonly isError: boolean;
  readonly text: string;
  /** The tests look into it field by field. */
  readonly structured: Json;
}

export interface McpCaller {
  readonly client: Client;
  readonly call: (
    name: string,
    args?: object,
    options?: { readonly meta?: object; readonly onprogress?: (told: Json) => void },
  ) => Promise<McpResult>;
  readonly close: () => Promise<void>;
}

export async function mcpClient(
  api: Pick<ApiRig, 'url'>,
  user: string,
  claims: CallerClaims = {},
  generation: Generation = 'second',
): Promise<McpCaller> {
  const authorization = `Bearer ${await token(user, claims)}`;
  const client = new Client(
    { name: 'a-test', version: '1' },
    { versionNegotiation: { mode: GENERATIONS[generation] } },
  );
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${api.url}/mcp`), {
      requestInit: { headers: { authorization } },
    }),
  );
  return {
    client,
    call: async (name, args = {}, { meta, onprogress } = {}) => {
      const result = await client.callTool(
        { name, arguments: { ...args }, ...(meta === undefined ? {} : { _meta: { ...meta } }) },
        onprogress === undefined ? {} : { onprogress },
      );
      return {
        isError: result.isError === true,
        text: result.content.map((part) => (part.type === 'text' ? part.text : '')).join('\n'),
        structured: result.structuredContent,
      };
    },
    close: () => client.close(),
  };
}
