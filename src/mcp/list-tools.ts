// The list of a server's tools, asked of the server itself, page by page. Asking is free of effects,
// so where it fails a second connection may be tried.

import type { McpServer } from '../contract/agent.ts';
import { isRecord } from '../policy/argument-types.ts';
import type { Connections } from './connections.ts';
import type { McpAnswer } from './exchange.ts';

export type Listed =
  | { readonly kind: 'LISTED'; readonly tools: readonly unknown[] }
  | { readonly kind: 'UNREACHED'; readonly why: string };

/** Contract, section 9: a server that has given no list by then is away. */
export const LIST_MS = 10_000;
/** 200 pages of 50 tools are more than a model can be offered; a cursor may lead in a circle. */
const MAX_PAGES = 200;

/** Pages until `enough` says so. */
export async function listTools(
  connections: Connections,
  server: McpServer,
  signal: AbortSignal,
  enough: (tools: readonly unknown[]) => boolean,
): Promise<Listed> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(LIST_MS)]);
  for (let tries = 1; ; tries++) {
    const listed = await listOnce(connections, server, within, enough);
    if (listed.kind !== 'LISTED') connections.drop(server);
    if (listed.kind === 'LISTED' || listed.again !== true || tries === 2 || within.aborted)
      return listed;
  }
}

async function listOnce(
  connections: Connections,
  server: McpServer,
  signal: AbortSignal,
  enough: (tools: readonly unknown[]) => boolean,
): Promise<Listed & { readonly again?: boolean }> {
  const tools: unknown[] = [];
  let cursor: string | undefined;
  try {
    const connection = await connections.to(server, signal);
    for (let page = 1; page <= MAX_PAGES; page++) {
      const answer = await connection.request({
        method: 'tools/list',
        params: cursor === undefined ? {} : { cursor },
        ...{ timeoutMs: LIST_MS, signal },
      });
      if (answer.kind !== 'RESULT') return { ...unreached(answer), again: true };
      const { tools: some, nextCursor } = answer.result;
      if (!Array.isArray(some)) return away('its list of tools is none');
      tools.push(...(some as readonly unknown[]));
      if (enough(tools) || typeof nextCursor !== 'string') return { kind: 'LISTED', tools };
      if (nextCursor === cursor) break;
      cursor = nextCursor;
    }
    return away('its list of tools has no end');
  } catch (error) {
    return away(whyNot(error, signal));
  }
}

export const isNamed =
  (name: string) =>
  (tool: unknown): boolean =>
    isRecord(tool) && tool['name'] === name;

const away = (why: string) => ({ kind: 'UNREACHED', why }) as const;

/** In words without addresses. */
export function whyNot(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'it gave no list of its tools in time';
  return error instanceof Error && error.name === 'OpeningError'
    ? error.message
    : 'the server could not be reached';
}

function unreached(answer: Exclude<McpAnswer, { kind: 'RESULT' }>): Listed & { kind: 'UNREACHED' } {
  switch (answer.kind) {
    case 'ERROR':
      return away(`it gave no list of its tools: error ${answer.code}`);
    case 'STATUS':
      return away(
        `it gave no list of its tools: status ${answer.status}${answer.text === '' ? '' : `, ${answer.text.slice(0, 300)}`}`,
      );
    case 'ASKS_BACK':
      return away('it asks for something before it gives its list of tools');
    case 'SESSION_GONE':
      return away('it does not keep its session');
    case 'NOT_SENT':
    case 'UNANSWERED':
      return away(answer.why);
  }
}
