// The receivers under examples/, each with deliveries as the sender makes them, against a
// counterpart on the loopback: Slack's documented forms, an SMTP server, the script's own process.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { visible } from '../../examples/receivers/deliveries.ts';
import { emailReceiver } from '../../examples/receivers/email.ts';
import { slackReceiver } from '../../examples/receivers/slack.ts';
import { createWebhookSender } from '../../src/webhooks/sender.ts';
import { newSecret, signedHeaders } from '../../src/webhooks/sign.ts';
import { newOrg, startApiRig, token, type ApiRig, type Json } from '../api/api-rig.ts';
import { atIntervals } from '../rig/at-intervals.ts';
import { freePort } from '../rig/free-port.ts';
import { bodyOf, serve } from '../rig/http-server.ts';
import { until } from '../rig/wait.ts';

const SIGNING_SECRET = '8f742231b10e8888abcd99yyyzzz85a5';
const PAUSED = {
  type: 'run.paused',
  timestamp: '2026-01-01T00:00:00.000Z',
  data: {
    ...{ orgId: 'acme', agentId: 'guard', runId: 'run_1', sessionId: 's', userId: 'ada' },
    ...{ status: 'PAUSED', pauseId: 'p1', link: 'https://p.example/#/runs/run_1' },
    pending: [
      {
        ...{ callId: 'c1', kind: 'APPROVAL', name: 'pay', risk: 'normal', argumentsHash: 'h1' },
        arguments: { to: '<!channel> & *b*\u202e', secretNote: 'NOTE-CANARY' },
      },
    ],
  },
};

describe('the shipped receivers', function () {
  // The API's document and its database in memory are made here: much work on a busy machine.
  this.timeout(180_000);
  const closing: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
  });
  const listen = async (handle: Parameters<typeof serve>[0], wantedPort = 0): Promise<string> => {
    const { port, close } = await serve(handle, wantedPort);
    closing.push(close);
    return `http://127.0.0.1:${port}`;
  };
  const deliver = async (
    url: string,
    secret: string,
    body: unknown,
    id = 'msg_1',
    at = new Date(),
  ): Promise<number> => {
    const text = JSON.stringify(body);
    const headers = signedHeaders(secret, id, text, at);
    return (await fetch(url, { method: 'POST', headers, body: text })).status;
  };
  const refusesForgeries = async (url: string, secret: string): Promise<void> => {
    assert.equal(await deliver(url, newSecret(), PAUSED, 'msg_forged'), 401);
    const old = new Date(Date.now() - 600_000);
    assert.equal(await deliver(url, secret, PAUSED, 'msg_old', old), 401);
    const headers = signedHeaders(secret, 'msg_changed', '{}');
    const text = JSON.stringify(PAUSED);
    assert.equal((await fetch(url, { method: 'POST', headers, body: text })).status, 401);
    assert.equal((await fetch(url, { method: 'POST', body: text })).status, 401);
  };

  /** Slack as its documents have it: takes messages, and posts what is pressed. */
  const startSlack = async () => {
    const messages: Json[] = [];
    let status = 200;
    const url = await listen(async (request, response) => {
      messages.push({ path: request.url, ...JSON.parse(await bodyOf(request)) });
      response.writeHead(status).end('ok');
    });
    return {
      url,
      messages,
      answer: (next: number) => {
        status = next;
      },
      press: async (
        to: string,
        button: Json,
        { user = 'ULEA', secret = SIGNING_SECRET, at = Date.now(), back = `${url}/actions/1` } = {},
      ): Promise<number> => {
        const payload = JSON.stringify({
          ...{ type: 'block_actions', user: { id: user, username: 'lea' }, response_url: back },
          actions: [{ type: 'button', action_id: button.action_id, value: button.value }],
        });
        const body = new URLSearchParams({ payload }).toString();
        const time = String(Math.floor(at / 1000));
        const signature = createHmac('sha256', secret).update(`v0:${time}:${body}`).digest('hex');
        const headers = {
          'content-type': 'application/x-www-form-urlencoded',
          'x-slack-request-timestamp': time,
          'x-slack-signature': `v0=${signature}`,
        };
        return (await fetch(`${to}/slack`, { method: 'POST', headers, body })).status;
      },
    };
  };
  const buttonsOf = (message: Json): Json[] =>
    message.blocks.flatMap((block: Json) => block.elements ?? []);

  describe('Slack', () => {
    let api: ApiRig;
    before(async () => {
      api = await startApiRig({ egressAllow: ['127.0.0.1'], pageUrl: () => 'https://p.example' });
    });
    after(() => api.close());

    const settings = async (slackUrl: string, org: string, secret: string) => ({
      ...{ secret, slackUrl: `${slackUrl}/services/T/B/x`, signingSecret: SIGNING_SECRET },
      ...{ approvers: ['ULEA'], apiUrl: api.url },
      token: await token('lea', { org, scope: 'runs:approve', service: true }),
    });

    it('a pause is posted with buttons, and a press that Slack signed is the vote of the service token', async () => {
      const slack = await startSlack();
      const org = newOrg();
      const port = await freePort();
      const to = `http://127.0.0.1:${port}`;
      const made = await api.as('root', { org, scope: 'admin' }).call('POST', '/api/webhooks', {
        body: { url: `${to}/holdpoint`, events: ['run.paused', 'run.settled'] },
      });
      await listen(slackReceiver(await settings(slack.url, org, made.json.secret)), port);
      const sender = createWebhookSender({
        onDue: (_, look) => atIntervals(500)(look),
        ...{ store: api.store, egressAllow: ['127.0.0.1'], publicUrl: undefined },
        log: { warn: () => undefined },
      });
      closing.push(() => sender.stop());
      const ada = api.as('ada', { org });
      const { json: run } = await ada.run('lea_only', 'pause');
      assert.equal(run.status, 'PAUSED');
      await until('the message', () => slack.messages.length === 1);
      const [message] = slack.messages;
      assert.equal(message.path, '/services/T/B/x');
      const [approve, , open] = buttonsOf(message);
      assert.equal(open.url, `https://p.example/#/runs/${run.runId}`);

      const other = { secret: 'another secret of the same kind' };
      assert.equal(await slack.press(to, approve, other), 401);
      assert.equal(await slack.press(to, approve, { at: Date.now() - 600_000 }), 401);
      const elsewhere = await startSlack();
      const back = `${elsewhere.url}/actions/1`;
      assert.equal(await slack.press(to, approve, { user: 'UEVE', back }), 200);
      assert.equal(await slack.press(to, approve, { user: 'UEVE' }), 200);
      await until('who may not is told', () => slack.messages.length === 2);
      assert.match(slack.messages[1].text, /<@UEVE> may not/);
      assert.equal(elsewhere.messages.length, 0);
      assert.equal((await ada.read('lea_only', run.runId)).json.status, 'PAUSED');

      assert.equal(await slack.press(to, approve), 200);
      await until('COMPLETED', async () => {
        const { json } = await ada.read('lea_only', run.runId);
        return json.status === 'COMPLETED';
      });
      const { json } = await ada.read('lea_only', run.runId);
      assert.deepEqual(json.tools[0].decision.by, ['lea']);
      await until('what came of it is told', () =>
        ['ULEA', 'COMPLETED'].every((word) =>
          slack.messages.some(({ text }) => text.includes(word)),
        ),
      );
    });

    it('what is not shown whole, weighs much or may have happened has no buttons; nothing of a call is markup', async () => {
      const slack = await startSlack();
      const secret = newSecret();
      const to = await listen(slackReceiver(await settings(slack.url, 'acme', secret)));
      const [call] = PAUSED.data.pending;
      const without = [
        { ...call, risk: 'high' },
        { ...call, kind: 'OUTCOME_UNKNOWN' },
        { ...call, arguments: { text: 'a'.repeat(100_000) } },
      ];
      for (const [n, pending] of [[call], without].entries()) {
        const body = { ...PAUSED, data: { ...PAUSED.data, pending } };
        assert.equal(await deliver(`${to}/holdpoint`, secret, body, `msg_${n}`), 204);
      }
      assert.deepEqual(
        slack.messages.map((message) => buttonsOf(message).map((b) => b.text.text)),
        [['Approve', 'Reject', 'Open'], ['Open']],
      );
      for (const { blocks } of slack.messages)
        for (const { type, text } of blocks)
          if (type === 'section') {
            assert.ok(text.text.length <= 3000);
            assert.ok(!text.text.includes('\u202e'));
            assert.ok(text.type === 'plain_text' || !text.text.includes('<'));
          }
    });

    it('forged deliveries are refused, a repeated one is posted once, and one that Slack refuses comes again', async () => {
      const slack = await startSlack();
      const secret = newSecret();
      const to = await listen(slackReceiver(await settings(slack.url, 'acme', secret)));
      await refusesForgeries(`${to}/holdpoint`, secret);
      assert.equal(slack.messages.length, 0);
      slack.answer(500);
      assert.equal(await deliver(`${to}/holdpoint`, secret, PAUSED), 502);
      slack.answer(200);
      assert.equal(await deliver(`${to}/holdpoint`, secret, PAUSED), 204);
      assert.equal(await deliver(`${to}/holdpoint`, secret, PAUSED), 204);
      assert.equal(slack.messages.length, 2);
    });
  });

  it('e-mail: a mail with the link alone, under one Message-ID, refused or accepted as the SMTP server says', async () => {
    const mails: string[] = [];
    let refuses = true;
    const smtp = new SMTPServer({
      ...{ authOptional: true, disabledCommands: ['STARTTLS'] },
      onRcptTo: (_address, _session, done) => {
        done(refuses ? new Error('not now') : undefined);
      },
      onData: (stream, _session, done) => {
        bodyOf(stream as never).then((text) => {
          mails.push(text);
          done();
        }, done);
      },
    });
    await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise<void>((resolve) => smtp.close(() => resolve())));
    const { port } = smtp.server.address() as AddressInfo;
    const secret = newSecret();
    const to = await listen(
      emailReceiver({
        ...{ secret, smtpUrl: `smtp://127.0.0.1:${port}` },
        ...{ from: 'agents@example.org', to: 'lea@example.org' },
      }),
    );
    await refusesForgeries(to, secret);
    assert.equal(await deliver(to, secret, PAUSED), 502);
    assert.equal(mails.length, 0);
    refuses = false;
    const injected = { ...PAUSED.data, agentId: 'guard\r\nBcc: eve@example.org' };
    assert.equal(await deliver(to, secret, { ...PAUSED, data: injected }), 204);
    assert.equal(await deliver(to, secret, { ...PAUSED, data: injected }), 204);
    assert.equal(mails.length, 1);
    const [mail = ''] = mails;
    assert.match(mail, /^Message-ID: <msg_1@holdpoint>\r?$/m);
    assert.match(mail, /^To: lea@example\.org\r?$/m);
    assert.ok(mail.includes('https://p.example/#/runs/run_1'));
    assert.ok(!/^Bcc:/m.test(mail) && !mail.includes('NOTE-CANARY'));
    assert.equal(mail.match(/https?:/g)?.length, 1);
  });

  it('the script: prints what is signed, and nothing else', async () => {
    const secret = newSecret();
    const port = await freePort();
    const script = spawn(process.execPath, ['examples/receivers/print.mjs'], {
      env: { PATH: process.env['PATH'], WEBHOOK_SECRET: secret, PORT: String(port) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    closing.push(() => void script.kill('SIGKILL'));
    let printed = '';
    let said = '';
    script.stdout.on('data', (part: Buffer) => (printed += part.toString()));
    script.stderr.on('data', (part: Buffer) => (said += part.toString()));
    await until('it listens', () => said.includes('listening'));
    const to = `http://127.0.0.1:${port}/`;
    await refusesForgeries(to, secret);
    assert.equal(await deliver(to, secret, PAUSED), 204);
    await until('the line', () => printed.endsWith('\n'));
    assert.deepEqual(JSON.parse(printed), {
      ...{ id: 'msg_1', type: 'run.paused', status: 'PAUSED' },
      link: PAUSED.data.link,
    });
  });

  it('characters that show nothing are shown by their number', () => {
    assert.equal(
      visible('a\u200b\u202eb\r\n\u{e0041}é🦓'),
      'a\\u{200b}\\u{202e}b\\u{d}\\u{a}\\u{e0041}é🦓',
    );
  });
});
