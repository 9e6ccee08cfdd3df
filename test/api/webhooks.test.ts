// The webhook routes as an org's admins see them. Sending is test/webhooks/sender.test.ts's; a
// sender is run here only where an answer is about what came of one.

import assert from 'node:assert/strict';
import { createWebhookSender } from '../../src/webhooks/sender.ts';
import { atIntervals } from '../rig/at-intervals.ts';
import { until } from '../rig/wait.ts';
import { startReceiver, type Receiver } from '../webhooks/receiver.ts';
import { newOrg, startApiRig, type ApiRig, type Caller, type Json, type Reply } from './api-rig.ts';
import { isProblem } from './problems.ts';

const EVENTS = [
  'run.paused',
  'run.settled',
  'run.waiting',
  'approval.decided',
  'approval.expiring',
];
const GOOD = { url: 'https://example.org/hook', events: ['run.paused'] };

describe('webhook routes', () => {
  let api: ApiRig;
  let to: Receiver;
  before(async () => {
    api = await startApiRig({ egressAllow: ['127.0.0.1'], pageUrl: () => 'https://p.example' });
    to = await startReceiver();
  });
  after(async () => {
    await api.close();
    await to.close();
  });
  const adminOf = (org: string): Caller => api.as('root', { org, scope: 'admin' });
  const make = async (admin: Caller, body: object = GOOD): Promise<Json> => {
    const made = await admin.call('POST', '/api/webhooks', { body });
    assert.equal(made.status, 201, made.text);
    return made.json;
  };
  const linesOf = async (admin: Caller, webhookId: string): Promise<Json> =>
    (await admin.call('GET', `/api/webhooks/${webhookId}/deliveries`)).json.data;

  it('what is made is answered with its secret, and read again without', async () => {
    const admin = adminOf(newOrg());
    const made = await admin.call('POST', '/api/webhooks', {
      body: { url: GOOD.url, events: EVENTS, include: ['conversation'] },
    });
    assert.equal(made.status, 201);
    const { secret, ...rest } = made.json;
    assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
    assert.equal(made.headers.location, `/api/webhooks/${rest.webhookId}`);
    assert.deepEqual(
      [rest.url, rest.events, rest.include, rest.active],
      [GOOD.url, EVENTS, ['conversation'], true],
    );
    const read = await admin.call('GET', `/api/webhooks/${rest.webhookId}`);
    assert.deepEqual(read.json, rest);
    const list = await admin.call('GET', '/api/webhooks');
    assert.deepEqual(list.json.data, [rest]);
    assert.ok(!list.text.includes(secret) && !read.text.includes(secret));
    assert.deepEqual((await make(admin)).include, []);
  });

  it('a list of webhooks is read in pages, newest first, without one twice', async () => {
    const admin = adminOf(newOrg());
    const made: string[] = [];
    for (let n = 0; n < 3; n++) made.unshift((await make(admin)).webhookId);
    const first = await admin.call('GET', '/api/webhooks?limit=2');
    assert.equal(first.json.hasMore, true);
    const second = await admin.call('GET', `/api/webhooks?limit=2&after=${first.json.nextCursor}`);
    assert.equal(second.json.hasMore, false);
    const ids = [...first.json.data, ...second.json.data].map((w: Json) => w.webhookId);
    assert.deepEqual(ids, made);
    for (const query of ['limit=0', 'limit=101', 'after=x', 'page=2'])
      isProblem(await admin.call('GET', `/api/webhooks?${query}`), 400, 'INVALID_REQUEST');
  });

  const BAD: Readonly<Record<string, readonly [field: string, body: object]>> = {
    'no url': ['url', { events: ['run.paused'] }],
    'no events': ['events', { url: GOOD.url }],
    'empty events': ['events', { ...GOOD, events: [] }],
    'an unknown event': ['events.0', { ...GOOD, events: ['run.started'] }],
    'a trial as an event': ['events.0', { ...GOOD, events: ['test'] }],
    'an event twice': ['events', { ...GOOD, events: ['run.paused', 'run.paused'] }],
    'events as text': ['events', { ...GOOD, events: 'run.paused' }],
    'an unknown include': ['include.0', { ...GOOD, include: ['secrets'] }],
    'a secret of one’s own': ['secret', { ...GOOD, secret: 'whsec_AAAA' }],
    'another org': ['orgId', { ...GOOD, orgId: 'zeta' }],
    ...Object.fromEntries(
      [
        'ftp://example.org/',
        'example.org',
        '/hook',
        'javascript:alert(1)',
        'https://user:word@example.org/',
        'http://10.0.0.1/hook',
        'http://[::1]/hook',
        'http://[::ffff:10.0.0.1]/hook',
        'http://169.254.169.254/latest/meta-data',
        'http://0x7f000002/',
        'http://2130706434/',
        'http://localhost:8080/api/webhooks',
        `https://example.org/${'a'.repeat(2048)}`,
      ].map((url) => [`the address ${url.slice(0, 50)}`, ['url', { ...GOOD, url }]]),
    ),
  };
  for (const [what, [field, body]] of Object.entries(BAD))
    it(`${what}: 400 naming ${field}, and nothing is made`, async () => {
      const admin = adminOf(newOrg());
      const reply = await admin.call('POST', '/api/webhooks', { body });
      isProblem(reply, 400, 'INVALID_REQUEST');
      const paths: readonly string[] = (reply.json.errors ?? []).map((e: Json) => e.path);
      assert.ok(
        paths.some((path) => path === field) || reply.json.detail.includes(field),
        reply.text,
      );
      assert.deepEqual((await admin.call('GET', '/api/webhooks')).json.data, []);
    });

  it('what is deleted is gone with its deliveries, and is 404 at every route', async () => {
    const admin = adminOf(newOrg());
    const { webhookId } = await make(admin);
    const trial = await admin.call('POST', `/api/webhooks/${webhookId}/test`);
    assert.equal((await linesOf(admin, webhookId)).length, 1);
    assert.equal((await admin.call('DELETE', `/api/webhooks/${webhookId}`)).status, 204);
    for (const reply of await everyRoute(admin, webhookId, trial.json.deliveryId))
      isProblem(reply, 404, 'NOT_FOUND');
    assert.deepEqual((await admin.call('GET', '/api/webhooks')).json.data, []);
  });

  it('one of another org is one that is not there', async () => {
    const owner = adminOf(newOrg());
    const { webhookId } = await make(owner);
    const trial = await owner.call('POST', `/api/webhooks/${webhookId}/test`);
    const other = adminOf(newOrg());
    for (const reply of await everyRoute(other, webhookId, trial.json.deliveryId))
      isProblem(reply, 404, 'NOT_FOUND');
    assert.equal((await owner.call('GET', `/api/webhooks/${webhookId}`)).json.active, true);
    assert.equal((await linesOf(owner, webhookId)).length, 1);
  });

  it('a trial is listed as PENDING, and a delivery of another webhook is not sent again by this one', async () => {
    const admin = adminOf(newOrg());
    const { webhookId } = await make(admin);
    const trial = await admin.call('POST', `/api/webhooks/${webhookId}/test`);
    assert.equal(trial.status, 202);
    const [line] = await linesOf(admin, webhookId);
    assert.deepEqual(
      [line.deliveryId, line.event, line.status, line.attempts, 'runId' in line],
      [trial.json.deliveryId, 'test', 'PENDING', 0, false],
    );
    const second = await make(admin);
    const path = `/api/webhooks/${second.webhookId}/deliveries/${line.deliveryId}/retry`;
    isProblem(await admin.call('POST', path), 404, 'NOT_FOUND');
    const unknown = `/api/webhooks/${webhookId}/deliveries/msg_unknown/retry`;
    isProblem(await admin.call('POST', unknown), 404, 'NOT_FOUND');
  });

  it('a delivery sent again goes out under its id and with its body; of an inactive webhook it is refused', async () => {
    const org = newOrg();
    const admin = adminOf(org);
    const { webhookId, secret } = await make(admin, { url: to.url, events: ['run.settled'] });
    const log = { warn: () => undefined };
    const sender = createWebhookSender({
      onDue: (_, look) => atIntervals(500)(look),
      ...{ store: api.store, egressAllow: ['127.0.0.1'], publicUrl: undefined, log },
    });
    try {
      const run = await api.as('ada', { org }).run('guard', 'answer');
      const ours = () => to.hits.filter(({ body }) => body.data.orgId === org);
      await until('the first', () => ours().length === 1);
      await until('DELIVERED', async () => {
        const [line] = await linesOf(admin, webhookId);
        return line?.status === 'DELIVERED' && line.runId === run.json.runId;
      });
      const [line] = await linesOf(admin, webhookId);
      const path = `/api/webhooks/${webhookId}/deliveries/${line.deliveryId}/retry`;
      assert.deepEqual((await admin.call('POST', path)).json, { deliveryId: line.deliveryId });
      await until('the second', () => ours().length === 2);
      const [first, second] = ours();
      assert.ok(first && second);
      assert.equal(second.id, first.id);
      assert.equal(second.text, first.text);
      to.verify(secret, second);
      assert.equal(first.body.data.link, `https://p.example/#/runs/${run.json.runId}`);
      to.say(410);
      assert.equal((await admin.call('POST', path)).status, 202);
      await until('inactive', async () => {
        const { json } = await admin.call('GET', `/api/webhooks/${webhookId}`);
        return json.active === false;
      });
      for (const refused of [path, `/api/webhooks/${webhookId}/test`])
        isProblem(await admin.call('POST', refused), 400, 'INVALID_REQUEST');
    } finally {
      await sender.stop();
    }
  });
});

const everyRoute = async (
  caller: Caller,
  webhookId: string,
  deliveryId: string,
): Promise<readonly Reply[]> => {
  const path = `/api/webhooks/${webhookId}`;
  return [
    await caller.call('GET', path),
    await caller.call('GET', `${path}/deliveries`),
    await caller.call('POST', `${path}/test`),
    await caller.call('POST', `${path}/deliveries/${deliveryId}/retry`),
    await caller.call('DELETE', path),
  ];
};
