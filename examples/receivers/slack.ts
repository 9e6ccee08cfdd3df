// Tells a Slack channel what waits, with buttons to decide it. Deliveries come to `/holdpoint`;
// what is pressed comes to `/slack` (the app's Interactivity URL), verified by Slack's signing
// secret, and becomes a vote of the service token.
//
// All of Slack is one voter here: the token's. So the tool names it (`approvers: ["user:slack"]`),
// and `approvers` below names the members whose press counts.

import { createHmac, timingSafeEqual } from 'node:crypto';
import type { WebhookBody } from '../../src/contract/webhook.ts';
import { sentenceOf, takesDeliveries, textOf, visible, type Handle } from './deliveries.ts';

export interface SlackSettings {
  /** Of the webhook: `whsec_…`. */
  readonly secret: string;
  /** Slack's incoming webhook: `https://hooks.slack.com/services/…`. */
  readonly slackUrl: string;
  readonly signingSecret: string;
  /** Member ids whose press is a vote: `U024BE7LH`. */
  readonly approvers: readonly string[];
  /** Where the API is, without a slash at its end. */
  readonly apiUrl: string;
  /** A service token with the scope `runs:approve`. */
  readonly token: string;
}

interface Press {
  readonly user?: { readonly id?: string };
  readonly response_url?: string;
  readonly actions?: readonly { readonly value?: string }[];
}
interface Vote {
  readonly agentId: string;
  readonly runId: string;
  readonly pauseId: string;
  readonly callId: string;
  readonly argumentsHash: string;
  readonly action: 'APPROVE' | 'REJECT';
}

/** As Slack advises: an older request is a replay. */
const OLDEST_S = 300;
/** Slack takes 3,000 characters in a section; room for what stands around. */
const SHOWN_MAX = 2500;
/** Slack takes 50 blocks; a call needs two. */
const CALLS_MAX = 20;
const CALL_TIMEOUT_MS = 8000;

export function slackReceiver(settings: SlackSettings): Handle {
  const deliveries = takesDeliveries(settings.secret, (body) =>
    post(settings.slackUrl, { text: escaped(visible(sentenceOf(body))), blocks: blocksOf(body) }),
  );
  return async (request, response) => {
    if (request.method !== 'POST') return void response.writeHead(405).end();
    if (request.url === '/holdpoint') return deliveries(request, response);
    if (request.url !== '/slack') return void response.writeHead(404).end();
    const text = await textOf(request);
    if (!isOfSlack(settings.signingSecret, request.headers, text))
      return void response.writeHead(401).end();
    // Slack waits for three seconds; what came of the press is told through its response_url.
    response.writeHead(200).end();
    const press = JSON.parse(new URLSearchParams(text).get('payload') ?? '{}') as Press;
    await pressed(settings, press).catch((error: unknown) => console.error('not told:', error));
  };
}

function isOfSlack(
  signingSecret: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  text: string,
): boolean {
  const timestamp = String(headers['x-slack-request-timestamp'] ?? '');
  const age = Math.abs(Date.now() / 1000 - Number(timestamp));
  if (!/^\d+$/.test(timestamp) || age > OLDEST_S) return false;
  const expected = Buffer.from(
    `v0=${createHmac('sha256', signingSecret).update(`v0:${timestamp}:${text}`).digest('hex')}`,
  );
  const given = Buffer.from(String(headers['x-slack-signature'] ?? ''));
  return given.length === expected.length && timingSafeEqual(given, expected);
}

async function pressed(settings: SlackSettings, press: Press): Promise<void> {
  const value = press.actions?.[0]?.value;
  const user = press.user?.id ?? '';
  // A link button is pressed too, and has no value.
  if (value === undefined) return;
  const said = settings.approvers.includes(user)
    ? await vote(settings, JSON.parse(value) as Vote, user)
    : `<@${user}> may not decide this.`;
  const to = press.response_url ?? '';
  // Only to where messages go anyway.
  if (URL.canParse(to) && new URL(to).origin === new URL(settings.slackUrl).origin)
    await post(to, { response_type: 'in_channel', replace_original: false, text: said });
}

/** A press that comes twice is the same vote; one that comes late is told what was decided. */
async function vote(
  { apiUrl, token }: SlackSettings,
  { agentId, runId, ...choice }: Vote,
  user: string,
): Promise<string> {
  const path = `/api/agents/${encodeURIComponent(agentId)}/runs/${encodeURIComponent(runId)}/continue`;
  const answer = await fetch(`${apiUrl}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      prefer: 'respond-async',
    },
    body: JSON.stringify({ ...choice, reason: `in Slack by ${user}` }),
    signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
  });
  const body = (await answer.json()) as { readonly detail?: string };
  return answer.ok
    ? `<@${user}>: ${choice.action}`
    : `<@${user}>: it was not taken. ${escaped(visible(body.detail ?? `Status ${answer.status}.`))}`;
}

async function post(url: string, body: object): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
  });
  if (!answer.ok) throw new Error(`Slack answered ${answer.status}`);
}

/** So that nothing of a call becomes a mention, a link or markup. */
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const section = (text: string): object => ({ type: 'section', text: { type: 'mrkdwn', text } });
const plain = (text: string): object => ({ type: 'section', text: { type: 'plain_text', text } });
const button = (text: string, more: object): object => ({
  type: 'button',
  text: { type: 'plain_text', text },
  ...more,
});

function blocksOf(body: WebhookBody): readonly object[] {
  const { type, data } = body;
  const open = button('Open', { url: data.link, action_id: 'open' });
  const end = { type: 'actions', elements: [open] };
  const title = section(escaped(visible(sentenceOf(body)).slice(0, SHOWN_MAX)));
  if (type !== 'run.paused') return [title, end];
  const calls = (data.pending ?? []).slice(0, CALLS_MAX).flatMap((call) => {
    const shown = visible(`${call.name} ${JSON.stringify(call.arguments)}`);
    // What is not shown whole, weighs much, or may have happened is decided on the page.
    if (shown.length > SHOWN_MAX || call.risk === 'high' || call.kind === 'OUTCOME_UNKNOWN')
      return [plain(`${shown.slice(0, SHOWN_MAX)}\n(to be decided on the page)`)];
    const choice = (action: Vote['action']): object => ({
      action_id: action,
      value: JSON.stringify({
        ...{ agentId: data.agentId, runId: data.runId, pauseId: data.pauseId },
        ...{ callId: call.callId, argumentsHash: call.argumentsHash, action },
      }),
    });
    const elements = [
      button('Approve', { style: 'primary', ...choice('APPROVE') }),
      button('Reject', { style: 'danger', ...choice('REJECT') }),
    ];
    return [plain(shown), { type: 'actions', elements }];
  });
  return [title, ...calls, end];
}
