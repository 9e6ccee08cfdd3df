import assert from 'node:assert/strict';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { createRoutes } from '../../src/api/app.ts';
import type { AppDeps } from '../../src/api/deps.ts';
import { EXAMPLES } from '../../src/api/documentation/examples.ts';
import { createDocument, templateOf } from '../../src/api/documentation/document.ts';
import type { OpenApiDocument } from '../../src/api/documentation/openapi-document.ts';
import { PROBLEM_STATUS } from '../../src/contract/errors.ts';
import { ContinueBodySchema } from '../../src/contract/vote.ts';
import { FAILURE_CODE } from '../../src/contract/names.ts';
import { newOrg, startApiRig, type ApiRig, type Json, type Reply } from './api-rig.ts';
import { createDocumentCheck, type DocumentCheck } from './document-check.ts';

/** The document is of the routes alone: what they work with is not asked. */
const NOTHING = { draining: new AbortController().signal } as AppDeps;

describe('the OpenAPI document', () => {
  let api: ApiRig;
  let document: OpenApiDocument;
  let check: DocumentCheck;
  before(async () => {
    api = await startApiRig();
    document = (await api.call('GET', '/openapi.json')).json;
    check = createDocumentCheck(document);
  });
  after(() => api.close());
  const sorted = (texts: Iterable<string>): string[] => [...texts].toSorted();
  const operations = () =>
    Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({
        key: `${method.toUpperCase()} ${path}`,
        operation,
      })),
    );

  it('every route of the router is in it, and every line of it is a route', () => {
    const routes = createRoutes(NOTHING);
    const keys = sorted(routes.map((route) => `${route.method} ${templateOf(route.path)}`));
    assert.deepEqual(sorted(operations().map(({ key }) => key)), keys);
    assert.equal(
      new Set(operations().map(({ operation }) => operation.operationId)).size,
      keys.length,
    );
  });

  it('a route whose path has a parameter that is not described is refused', () => {
    const [route] = createRoutes(NOTHING);
    assert.throws(
      () => createDocument([{ ...(route ?? assert.fail()), path: '/api/new/:newId' }], '1'),
      /does not describe :newId/,
    );
  });

  it('is OpenAPI 3.1 and lint-clean', async function () {
    this.timeout(120_000);
    assert.match(document.openapi, /^3\.1\.\d/);
    const config = await createConfig({ extends: ['recommended'] });
    const problems = await lintFromString({ source: JSON.stringify(document), config });
    // It is served by the API itself, whose address it therefore need not name.
    const allowed = ['no-empty-servers'];
    assert.deepEqual(
      problems
        .filter((p) => !allowed.includes(p.ruleId))
        .map((p) => `${p.ruleId}: ${p.message} ${p.location[0]?.pointer ?? ''}`),
      [],
    );
  });

  it('lists the problem codes and the ways to fail as closed lists', () => {
    const { Problem, RunResponse } = document.components.schemas as Json;
    assert.deepEqual(Problem.properties.code.enum, Object.keys(PROBLEM_STATUS));
    assert.deepEqual(RunResponse.properties.error.properties.code.enum, [...FAILURE_CODE]);
  });

  it('says what each parameter means', () => {
    for (const { key, operation } of operations())
      for (const { name, description } of operation.parameters)
        assert.ok((description ?? '') !== '', `${key} ${name}`);
  });

  it('lists what is refused for too much where a token is asked for, and nowhere else', () => {
    for (const { key, operation } of operations()) {
      const { description, headers } = operation.responses['429'] ?? {};
      const open = operation.security.length === 0;
      assert.equal(description?.includes('`TOO_MANY_REQUESTS`') ?? false, !open, key);
      assert.equal(headers !== undefined && 'Retry-After' in headers, !open, key);
    }
  });

  it('refuses in a vote what the route refuses: arguments without a callId, and with REJECT', () => {
    const fits = check.validator('/components/schemas/ContinueBody');
    const hash = 'a'.repeat(64);
    for (const [body, taken] of [
      [{ action: 'APPROVE' }, true],
      [{ action: 'APPROVE', callId: 'c', arguments: {}, argumentsHash: hash }, true],
      [{ action: 'APPROVE', arguments: {} }, false],
      [{ action: 'APPROVE', argumentsHash: hash }, false],
      [{ action: 'REJECT', callId: 'c', arguments: {} }, false],
      [{ decisions: [{ callId: 'c', action: 'APPROVE', arguments: {} }] }, true],
      [{ decisions: [{ callId: 'c', action: 'REJECT', arguments: {} }] }, false],
    ] as const) {
      const parsed = ContinueBodySchema.safeParse(body);
      assert.deepEqual([fits(body), parsed.success], [taken, taken], JSON.stringify(body));
    }
  });

  it('its examples fit their schemas', () => {
    assert.ok(Object.keys(EXAMPLES).length > 0);
    for (const [key, examples] of Object.entries(EXAMPLES)) {
      const [, method = '', path = '', what = ''] =
        /^(\w+) (\S+) (\w+)$/.exec(key) ?? assert.fail(key);
      const operation = document.paths[path]?.[method.toLowerCase()] ?? assert.fail(key);
      const content =
        (what === 'body' ? operation.requestBody?.content : operation.responses[what]?.content) ??
        assert.fail(key);
      for (const [name, { value }] of Object.entries(examples)) {
        const schema = Object.values(content)[0]?.schema ?? assert.fail(key);
        const validate = check.validator(String(schema['$ref']).slice(1));
        assert.ok(validate(value), `${key} ${name}: ${JSON.stringify(validate.errors)}`);
        assert.deepEqual(Object.values(content)[0]?.examples?.[name]?.value, value);
      }
    }
  });

  it('the check of answers against it can fail: an unknown field, a missing one, a status, a type', () => {
    const reply = (status: number, json: unknown, type = 'application/json'): Reply => ({
      ...{ status, json, text: JSON.stringify(json), headers: { 'content-type': type } },
    });
    const health = { status: 'live' };
    check.holds('GET', '/health/live', reply(200, health));
    for (const bad of [
      reply(200, { ...health, more: 1 }),
      reply(200, {}),
      reply(202, health),
      reply(200, health, 'text/html'),
    ])
      assert.throws(() => check.holds('GET', '/health/live', bad), /document/);
    assert.throws(() => check.holds('GET', '/api/none', reply(200, {})), /not documented/);
  });

  it('is read without a token, and so is its page, whose parts come from here and whose policy lets nothing else in', async () => {
    const page = await api.call('GET', '/docs');
    assert.equal(page.status, 200);
    assert.match(page.headers['content-type'] ?? '', /^text\/html/);
    assert.doesNotMatch(page.text, /<style|<script>|<iframe|javascript:|https?:/i);
    const policy = String(page.headers['content-security-policy']);
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
    assert.doesNotMatch(policy, /unsafe|https?:|\*/);
    const parts = [...page.text.matchAll(/(?:src|href)="(\/docs\/[^"]+)"/g)].map(
      ([, path]) => path,
    );
    assert.equal(parts.length, 3);
    for (const path of parts) assert.equal((await fetch(`${api.url}${path}`)).status, 200, path);
    for (const path of ['/docs/none.js', '/docs/..%2fpackage.json', '/docs/README.md'])
      assert.equal((await api.call('GET', path)).status, 404, path);
    assert.equal((await api.as('ada', { org: newOrg() }).call('GET', '/openapi.json')).status, 200);
  });
});
