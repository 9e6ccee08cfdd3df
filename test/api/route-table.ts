// Every route with an address and a body that it takes: the matrices are made of these. A new route
// without its row fails the tests.

import { randomBytes } from 'node:crypto';
import { createRoutes } from '../../src/api/app.ts';
import type { AppDeps } from '../../src/api/deps.ts';
import type { Route } from '../../src/api/http/route.ts';

export interface Ids {
  readonly agentId: string;
  readonly runId: string;
  readonly sessionId: string;
  readonly callId: string;
  readonly webhookId: string;
  readonly deliveryId: string;
  readonly baseId: string;
  readonly documentId: string;
  readonly memoryId: string;
  readonly grantId: string;
  readonly userId: string;
}

/** What each takes; `undefined`: no body. */
const BODIES: Readonly<Record<string, ((ids: Ids) => object) | undefined>> = {
  'GET /health/live': undefined,
  'GET /health/ready': undefined,
  'GET /api/agents': undefined,
  'GET /api/agents/:agentId': undefined,
  'POST /api/agents/:agentId/runs': ({ sessionId }) => ({ message: 'stay', sessionId }),
  'POST /api/agents/:agentId/runs/background': ({ sessionId }) => ({ message: 'stay', sessionId }),
  'POST /api/agents/:agentId/runs/stream': ({ sessionId }) => ({ message: 'stay', sessionId }),
  'GET /api/agents/:agentId/runs/:runId': undefined,
  'GET /api/agents/:agentId/runs/:runId/status': undefined,
  'GET /api/agents/:agentId/runs/:runId/stream': undefined,
  'GET /api/agents/:agentId/runs/:runId/events': undefined,
  'POST /api/agents/:agentId/runs/:runId/continue': () => ({ action: 'APPROVE' }),
  'POST /api/agents/:agentId/runs/:runId/retry': undefined,
  'POST /api/agents/:agentId/runs/:runId/withdraw': () => ({}),
  'DELETE /api/agents/:agentId/runs/:runId': undefined,
  'GET /api/agents/:agentId/runs/:runId/calls/:callId/schema': undefined,
  'GET /api/runs/:runId/calls/:callId/schema': undefined,
  'GET /api/runs/:runId': undefined,
  'GET /api/runs/:runId/stream': undefined,
  'GET /api/runs/:runId/events': undefined,
  'POST /api/runs/:runId/continue': () => ({ action: 'APPROVE' }),
  'POST /api/runs/:runId/retry': undefined,
  'POST /api/runs/:runId/withdraw': () => ({}),
  'DELETE /api/runs/:runId': undefined,
  'GET /api/runs': undefined,
  'GET /api/runs/counts': undefined,
  'GET /api/approvals': undefined,
  'GET /api/approvals/stream': undefined,
  'GET /api/sessions': undefined,
  'GET /api/sessions/:sessionId': undefined,
  'GET /api/sessions/:sessionId/runs': undefined,
  'DELETE /api/sessions/:sessionId': undefined,
  'GET /api/usage': undefined,
  'GET /api/audit': undefined,
  'POST /api/webhooks': () => ({ url: 'https://example.org/hook', events: ['run.settled'] }),
  'POST /api/grants': () => ({
    ...{ agentId: 'guard', tool: 'send_email', when: 'true', maxUses: 1, reason: 'r' },
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
  }),
  'POST /api/agents/:agentId/policy/check': () => ({ tool: 'send_email', arguments: {} }),
  'POST /api/policies/backtest': () => ({
    ...{ agentId: 'guard', tool: 'send_email', from: '2026-01-01T00:00:00Z' },
    to: '2026-01-02T00:00:00Z',
    rules: [{ name: 'r', when: 'true', then: 'refuse' }],
  }),
  'GET /api/grants': undefined,
  'POST /api/grants/:grantId/approve': undefined,
  'DELETE /api/grants/:grantId': undefined,
  'GET /api/webhooks': undefined,
  'GET /api/webhooks/:webhookId': undefined,
  'DELETE /api/webhooks/:webhookId': undefined,
  'GET /api/webhooks/:webhookId/deliveries': undefined,
  'POST /api/webhooks/:webhookId/deliveries/:deliveryId/retry': undefined,
  'POST /api/webhooks/:webhookId/test': undefined,
  'POST /api/knowledge': () => ({ id: `b${randomBytes(6).toString('hex')}`, name: 'Base' }),
  'GET /api/knowledge': undefined,
  'GET /api/knowledge/:baseId': undefined,
  'DELETE /api/knowledge/:baseId': undefined,
  'POST /api/knowledge/:baseId/documents': () => ({ title: 'T', text: 'some text' }),
  'GET /api/knowledge/:baseId/documents': undefined,
  'GET /api/knowledge/:baseId/documents/:documentId': undefined,
  'DELETE /api/knowledge/:baseId/documents/:documentId': undefined,
  'GET /api/knowledge/:baseId/search': undefined,
  'GET /api/memories': undefined,
  'POST /api/memories': () => ({ content: 'Likes tea.' }),
  'DELETE /api/memories': undefined,
  'DELETE /api/memories/:memoryId': undefined,
  'DELETE /api/users/:userId': undefined,
  'POST /mcp': () => ({ jsonrpc: '2.0', id: 1, method: 'ping' }),
  'GET /openapi.json': undefined,
  'GET /openapi.yaml': undefined,
  'GET /agent-file.schema.json': undefined,
  'GET /docs': undefined,
};

export interface RouteRow extends Pick<Route, 'method' | 'path' | 'scope'> {
  readonly address: (ids: Ids) => string;
  readonly body: ((ids: Ids) => object) | undefined;
}

export function routeTable(): readonly RouteRow[] {
  const nothing = {
    ...{ agents: new Map(), syncWaitMaxMs: 1000, draining: new AbortController().signal },
  } as unknown as AppDeps;
  return createRoutes(nothing).map(({ method, path, scope }) => {
    const name = `${method} ${path}`;
    if (!(name in BODIES))
      throw new Error(
        `${name} has no row in test/api/route-table.ts: say what it takes, so that its tenants and tokens are tested`,
      );
    return {
      ...{ method, path, scope, body: BODIES[name] },
      address: (ids) =>
        path.replaceAll(/:(\w+)/g, (_, id: string) => encodeURIComponent(ids[id as keyof Ids])) +
        (path.endsWith('/search') ? '?query=word' : ''),
    };
  });
}
