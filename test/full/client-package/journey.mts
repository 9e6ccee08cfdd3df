// What a newcomer writes with the packed client: compiled, run in Node and in a browser by
// ../client-package.test.ts. Tells what came of each step.

import {
  AbortError,
  ApiProblem,
  ConnectionError,
  createHoldpoint,
  HoldpointError,
  type InboxFrame,
  type Run,
} from '@holdpoint/client';

export interface Place {
  readonly baseUrl: string;
  readonly token: string;
  /** Of the same person, without any scope. */
  readonly weakToken: string;
  /** Where nothing listens. */
  readonly deadUrl: string;
}

export async function journey({
  baseUrl,
  token,
  weakToken,
  deadUrl,
}: Place): Promise<readonly string[]> {
  const holdpoint = createHoldpoint({ baseUrl, token: async () => token });
  const told: string[] = [];

  const answered: Run = await holdpoint.run('guard', { message: 'answer' });
  told.push(`${answered.status}: ${answered.content}`);

  const leaving = new AbortController();
  const inbox = holdpoint.followInbox({ signal: leaving.signal });
  const next = async (): Promise<InboxFrame> => {
    const { value, done } = await inbox.next();
    if (done) throw new Error('the inbox has no end');
    return value;
  };
  const paused = await holdpoint.run('guard', { message: 'pause' });
  const page = await holdpoint.inbox({ agentId: 'guard', limit: 5 });
  const [item] = page.data;
  const waiting = await next();
  told.push(`${paused.status}, ${page.data.length} in the inbox, ${waiting.event}`);
  if (item?.callId !== waiting.data.callId || item.runId !== paused.runId)
    throw new Error('the inbox tells of another call');

  const { runId, agentId, callId, argumentsHash } = item;
  const told412 = await nameOf(
    holdpoint.decide(agentId, runId, { action: 'APPROVE', callId, argumentsHash: '0'.repeat(64) }),
  );
  const decided = await holdpoint.decide(agentId, runId, {
    action: 'APPROVE',
    callId,
    argumentsHash,
  });
  told.push(`${told412}, ${decided.status}, ${(await next()).event}`);
  for await (const frame of holdpoint.followInbox({ after: waiting.id })) {
    told.push(
      `resumed: ${frame.event} ${frame.event === 'DECIDED' && frame.data.decision?.action}`,
    );
    break;
  }
  leaving.abort();
  told.push(await nameOf(inbox.next()));

  const frames = [];
  for await (const frame of holdpoint.join('guard', runId)) frames.push(frame);
  const rest = [];
  for await (const frame of holdpoint.join('guard', runId, { after: frames[1]?.id ?? '' }))
    rest.push(frame);
  told.push(
    `${frames[0]?.event} to ${frames.at(-1)?.event}, resumed: ${JSON.stringify(rest) === JSON.stringify(frames.slice(2))}`,
  );
  let text = '';
  for await (const frame of holdpoint.stream('guard', { message: 'answer' }))
    if (frame.event === 'STOP') text = frame.data.content;
  told.push(`streamed: ${text}`);

  const started = await holdpoint.api.POST('/api/agents/{agentId}/runs/background', {
    params: { path: { agentId: 'guard' } },
    body: { message: 'stay' },
  });
  await holdpoint.cancel('guard', started.data.runId);
  told.push((await holdpoint.wait('guard', started.data.runId)).status);

  const twice = await holdpoint.run('guard', { message: 'pause twice' });
  await holdpoint.decide('guard', twice.runId, { action: 'APPROVE' });
  const weak = createHoldpoint({ baseUrl, token: weakToken });
  const foreign = createHoldpoint({ baseUrl, token: 'no token' });
  const dead = createHoldpoint({ baseUrl: deadUrl, token });
  const key = { idempotencyKey: `key-${runId}` };
  await holdpoint.run('guard', { message: 'answer' }, key);
  for (const ask of [
    () => holdpoint.run('guard', { message: ' ' }),
    () => foreign.inbox(),
    () => weak.inbox(),
    () => holdpoint.wait('nobody', runId),
    () => holdpoint.decide('guard', runId, { action: 'REJECT', callId }),
    () => holdpoint.run('guard', { message: 'another' }, key),
    () => holdpoint.decide('guard', twice.runId, { action: 'APPROVE' }),
    () => dead.inbox(),
  ])
    told.push(await nameOf(ask()));
  return told;
}

async function nameOf(refused: Promise<unknown>): Promise<string> {
  try {
    await refused;
    return 'no error';
  } catch (error) {
    if (!(error instanceof HoldpointError)) throw error;
    if (error instanceof ApiProblem) return `${error.name} ${error.status} ${error.code}`;
    const known = error instanceof ConnectionError || error instanceof AbortError;
    return known ? error.name : 'no known error';
  }
}

/** Never called: what the compiler must refuse, so that nothing has come out as `any`. */
export function refusedByTheCompiler(run: Run, frame: InboxFrame): unknown {
  const holdpoint = createHoldpoint({ baseUrl: '', token: '' });
  // @ts-expect-error a state is one of six words
  const compared = run.status === 'DONE';
  // @ts-expect-error a call that waits has no decision
  const decision = frame.event === 'WAITING' && frame.data.decision;
  // @ts-expect-error a message is needed
  const started = holdpoint.run('guard', {});
  // @ts-expect-error there is no such path
  const answer = holdpoint.api.GET('/api/nothing');
  // @ts-expect-error the path has a parameter
  const page = holdpoint.api.GET('/api/runs/{runId}', {});
  return [compared, decision, started, answer, page];
}
