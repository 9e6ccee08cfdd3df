// A run's trace as a collector of OpenTelemetry gets it, from processes apart.

import assert from 'node:assert/strict';
import { bodyOf, serve, type LoopbackServer } from '../rig/http-server.ts';
import { until } from '../rig/wait.ts';
import { deliveriesOf, startCluster, type Cluster } from './cluster.ts';
import { plan, tokenOf } from './stage.ts';

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: object }[];
  readonly status?: { readonly code?: number };
}
interface OtlpBody {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: OtlpSpan['attributes'] };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}
type Span = OtlpSpan & {
  readonly process: unknown;
  readonly has: Readonly<Record<string, unknown>>;
};

const valuesOf = (attributes: OtlpSpan['attributes']): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

describe('traces', function () {
  this.timeout(240_000);
  const TRACE = '0af7651916cd43dd8448eb211c80319c';
  const REQUEST = 'POST /api/agents/:agentId/runs';
  const CALLER = 'b7ad6b7169203331';
  const spans: Span[] = [];
  let texts = '';
  let collector: LoopbackServer;
  let cluster: Cluster;
  let runId = '';

  before(async function () {
    collector = await serve(async (request, response) => {
      const text = await bodyOf(request);
      assert.equal(request.url, '/v1/traces');
      texts += text;
      for (const { resource, scopeSpans } of (JSON.parse(text) as OtlpBody).resourceSpans)
        for (const span of scopeSpans.flatMap((scope) => scope.spans))
          spans.push({
            ...span,
            process: valuesOf(resource.attributes)['service.name'],
            has: valuesOf(span.attributes),
          });
      response.setHeader('content-type', 'application/json');
      response.end('{}');
    });
    cluster = await startCluster(this, {
      settings: async () => ({
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.port}`,
        OTEL_BSP_SCHEDULE_DELAY: '200',
      }),
    });
    const response = await fetch(`${cluster.apis[0]?.url}/api/agents/helper/runs`, {
      method: 'POST',
      headers: {
        ...{ authorization: `Bearer ${await tokenOf('ada')}`, 'content-type': 'application/json' },
        traceparent: `00-${TRACE}-${CALLER}-01`,
      },
      body: JSON.stringify({ message: plan([['look', { note: 'ARGUMENT' }]], 'ANSWER') }),
    });
    const run = (await response.json()) as { readonly runId: string; readonly status: string };
    assert.equal(run.status, 'COMPLETED', JSON.stringify(run));
    ({ runId } = run);
    await until(
      'the last spans came, of both processes',
      () => ['agentRun', REQUEST].every((last) => spans.some(({ name }) => name === last)),
      60_000,
    );
  });
  after(async () => {
    await cluster?.stop();
    await collector?.close();
  });

  const named = (name: string): readonly Span[] =>
    spans.filter((span) => span.name === name && span.traceId === TRACE);
  const one = (name: string): Span =>
    named(name)[0] ?? assert.fail(`no span ${name} among ${spans.map((span) => span.name)}`);

  it('lead from the request over the run and its activities to models and tools', () => {
    const request = one(REQUEST);
    const run = one('agentRun');
    assert.deepEqual([request.parentSpanId, request.process], [CALLER, 'holdpoint-api']);
    assert.deepEqual([run.parentSpanId, run.process], [request.spanId, 'holdpoint-worker']);
    // Within the workflow's own task, or out of it where that took too long.
    const tools = [...named('runToolInPlace'), ...named('runTool')];
    for (const span of [...named('callModel'), ...tools, ...named('settleRun')])
      assert.equal(span.parentSpanId, run.spanId, span.name);
    const turns = named('callModel').map(({ spanId }) => spanId);
    assert.equal(turns.length, 2);
    assert.deepEqual(
      named('chat scripted').map(({ parentSpanId }) => parentSpanId),
      turns,
    );
    const tool = one('execute_tool look');
    assert.ok(tools.some(({ spanId }) => spanId === tool.parentSpanId));
    assert.ok(BigInt(run.startTimeUnixNano) <= BigInt(one('callModel').startTimeUnixNano));
    assert.ok(BigInt(run.endTimeUnixNano) >= BigInt(tool.endTimeUnixNano));
  });

  it('have the attributes of OpenTelemetry’s conventions', () => {
    const { has: model } = one('chat scripted');
    assert.deepEqual(
      [model['gen_ai.operation.name'], model['gen_ai.request.model']],
      ['chat', 'scripted'],
    );
    assert.equal(Number(model['gen_ai.usage.input_tokens']), 10);
    assert.equal(Number(model['gen_ai.usage.output_tokens']), 5);
    const { has: tool } = one('execute_tool look');
    assert.equal(tool['gen_ai.tool.name'], 'look');
    assert.match(String(tool['gen_ai.tool.call.id']), /^call_/);
    const { has: request } = one(REQUEST);
    assert.equal(Number(request['http.response.status_code']), 200);
    const { has: run } = one('agentRun');
    assert.deepEqual([run['holdpoint.run.id'], run['holdpoint.run.status']], [runId, 'COMPLETED']);
  });

  it('go on to whom is asked: models and receivers get traceparent', () => {
    const [look] = deliveriesOf(cluster.stage, runId);
    assert.equal(look?.headers['traceparent'], `00-${TRACE}-${one('execute_tool look').spanId}-01`);
    assert.deepEqual(
      cluster.stage.model.requests.map(({ headers }) => headers['traceparent']),
      named('chat scripted').map(({ spanId }) => `00-${TRACE}-${spanId}-01`),
    );
  });

  it('hold no content', () => {
    assert.ok(texts.length > 1000);
    assert.doesNotMatch(texts, /ARGUMENT|ANSWER|"ada"|Bearer|eyJ|done 1/);
  });
});
