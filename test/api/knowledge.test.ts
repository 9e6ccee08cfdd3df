// Bases, documents and memories at the API's door. What becomes of documents behind it is tried in
// test/store and test/e2e.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { openBench } from '../store/fixture.ts';
import { isProblem } from './problems.ts';
import { newOrg, startApiRig, type ApiRig, type Caller } from './api-rig.ts';

const SCOPE = 'runs:write runs:read knowledge:read knowledge:write';

/** A form with these parts, as a browser sends it. */
function form(
  parts: readonly (readonly [name: string, body: string | Buffer, file?: string, type?: string])[],
) {
  const boundary = 'b0undary';
  const chunks = parts.flatMap(([name, body, file, type]) => [
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file === undefined ? '' : `; filename="${file}"`}\r\n` +
        `${type === undefined ? '' : `Content-Type: ${type}\r\n`}\r\n`,
    ),
    Buffer.from(body as string),
    Buffer.from('\r\n'),
  ]);
  return {
    raw: Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]),
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
  };
}

describe('knowledge at the door', () => {
  let api: ApiRig;
  let ada: Caller;
  const at = '/api/knowledge/hand/documents';
  before(async () => {
    api = await startApiRig();
    ada = api.as('ada', { org: newOrg(), scope: SCOPE });
    await ada.call('POST', '/api/knowledge', { body: { id: 'hand', name: 'Hand' } });
  });
  after(() => api.close());

  it('a base is made once, and its id is free again when it is deleted', async () => {
    const body = { id: 'once', name: 'Once', description: 'For a while.' };
    const made = await ada.call('POST', '/api/knowledge', { body });
    assert.equal(made.status, 201);
    assert.equal(made.headers['location'], '/api/knowledge/once');
    isProblem(await ada.call('POST', '/api/knowledge', { body }), 409, 'BASE_EXISTS');
    assert.equal((await ada.call('DELETE', '/api/knowledge/once')).status, 204);
    isProblem(await ada.call('GET', '/api/knowledge/once'), 404, 'NOT_FOUND');
    assert.equal((await ada.call('POST', '/api/knowledge', { body })).status, 201);
    assert.equal((await ada.call('DELETE', '/api/knowledge/none')).status, 204);
  });

  it('a text, and a file in a form, are taken; the same content again is the document that is there', async () => {
    const text = await ada.call('POST', at, { body: { title: 'T', text: 'some text' } });
    assert.equal(text.status, 202);
    assert.equal(text.headers['location'], `${at}/${text.json.documentId}`);
    const again = await ada.call('POST', at, { body: { title: 'Other', text: 'some text' } });
    assert.deepEqual([again.status, again.json.documentId], [200, text.json.documentId]);
    const file = await ada.call(
      'POST',
      at,
      form([
        ['externalId', 'x/1'],
        ['file', '# Über', 'über.md', 'text/markdown'],
      ]),
    );
    assert.equal(file.status, 202);
    const read = (await ada.call('GET', `${at}/${file.json.documentId}`)).json;
    assert.deepEqual(
      [read.title, read.status, read.externalId, read.progress],
      ['über.md', 'PROCESSING', 'x/1', 0],
    );
  });

  it('a text of many lines and letters is taken up to what a document may be', async () => {
    const line = 'Zwölf Boxkämpfer jagen „Viktor“ quer über den Sylter Deich.\n';
    const large = line.repeat(Math.floor((18 * 2 ** 20) / Buffer.byteLength(line)));
    const taken = await ada.call('POST', at, { body: { title: 'Large', text: large } });
    assert.equal(taken.status, 202, taken.text);
    const over = await ada.call('POST', at, {
      body: { title: 'T', text: 'x'.repeat(21 * 2 ** 20) },
    });
    isProblem(over, 413, 'PAYLOAD_TOO_LARGE');
  });

  it('what is no document is refused before anything is stored', async () => {
    const before = (await ada.call('GET', `${at}?limit=100`)).json.data.length;
    for (const body of [
      {},
      { title: 'T' },
      { title: 'T', text: ' \n' },
      { title: 'T', text: 'x', url: 'https://example.org/' },
      { url: 'http://127.0.0.1/' },
      { url: 'file:///etc/passwd' },
      { title: 'T', text: 'x', externalId: '' },
    ])
      isProblem(await ada.call('POST', at, { body }), 400, 'INVALID_REQUEST');
    for (const parts of [
      form([['title', 'no file']]),
      form([
        ['file', 'x', 'a.txt', 'text/plain'],
        ['lang', 'en'],
      ]),
      form([['other', 'x', 'a.txt', 'text/plain']]),
      form([
        ['externalId', 'a'],
        ['externalId', 'b'],
        ['file', 'x', 'a.txt', 'text/plain'],
      ]),
      { raw: 'no parts', headers: { 'content-type': 'multipart/form-data' } },
    ])
      isProblem(await ada.call('POST', at, parts), 400, 'INVALID_REQUEST');
    isProblem(
      await ada.call('POST', at, form([['file', 'x', 'a.png', 'image/png']])),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    );
    assert.equal((await ada.call('GET', `${at}?limit=100`)).json.data.length, before);
  });

  it('a search names what is wrong with its question, and answers any that is one', async () => {
    const search = (query: string) => ada.call('GET', `/api/knowledge/hand/search${query}`);
    for (const query of [
      '',
      '?query=',
      '?query=%20',
      '?query=a%00',
      '?query=a&limit=0',
      '?query=a&x=1',
    ])
      isProblem(await search(query), 400, 'INVALID_REQUEST');
    for (const question of [
      `a & | ! ( ) : * <-> '`,
      "'; drop table x; --",
      '((',
      '🙂',
      'base:x',
      '\\',
    ])
      assert.deepEqual(
        (await search(`?query=${encodeURIComponent(question)}`)).json,
        { data: [], mode: 'text' },
        question,
      );
  });

  it('memories are one’s own; another user’s need runs:impersonate, and are else as none', async () => {
    const bob = api.as('bob', { org: newOrg(), scope: SCOPE });
    const kept = await ada.call('POST', '/api/memories', { body: { content: 'My desk is blue.' } });
    assert.equal(kept.status, 201);
    assert.equal(
      (await ada.call('POST', '/api/memories', { body: { content: 'my desk is BLUE' } })).status,
      200,
    );
    isProblem(await ada.call('GET', '/api/memories?userId=bob'), 403, 'INSUFFICIENT_SCOPE');
    assert.equal((await bob.call('DELETE', `/api/memories/${kept.json.memoryId}`)).status, 204);
    assert.equal((await ada.call('GET', '/api/memories')).json.data.length, 1);
    for (const content of ['', ' ', 'x'.repeat(2001), 7])
      isProblem(
        await ada.call('POST', '/api/memories', { body: { content } }),
        400,
        'INVALID_REQUEST',
      );
    assert.equal((await ada.call('DELETE', '/api/memories')).status, 204);
    assert.equal((await ada.call('GET', '/api/memories')).json.data.length, 0);
  });

  it('a user is erased with what they said and what is remembered of them, but not while a run is open', async () => {
    const org = newOrg();
    const eve = api.as('eve', { org, scope: SCOPE });
    const admin = api.as('root', { org, scope: 'admin' });
    await eve.call('POST', '/api/memories', { body: { content: 'Likes tea.' } });
    const run = (await eve.run('guard', 'pause')).json;
    const refused = isProblem(
      await admin.call('DELETE', '/api/users/eve'),
      409,
      'USER_HAS_OPEN_RUNS',
    );
    assert.ok(refused.text.includes(run.runId));
    await api.as('eve', { org, scope: 'runs:cancel' }).call('DELETE', `/api/runs/${run.runId}`);
    assert.equal((await admin.call('DELETE', '/api/users/eve')).status, 204);
    assert.equal((await eve.call('GET', '/api/memories')).json.data.length, 0);
    isProblem(await eve.call('GET', `/api/runs/${run.runId}`), 404, 'NOT_FOUND');
  });

  it('nothing that an erased user said or was answered is left in any table of the embedded database', async () => {
    const bench = await openBench();
    const own = await startApiRig({ store: bench.store });
    try {
      const org = newOrg();
      const eve = own.as('eve', { org, scope: `${SCOPE} runs:approve` });
      const canary = `canary${randomUUID().replaceAll('-', '')}`;
      const holding = async (): Promise<readonly string[]> => {
        const { rows } = await sql<{ name: string }>`
          select table_name as name from information_schema.tables
          where table_schema = 'public' and table_type = 'BASE TABLE'`.execute(bench.db.kysely);
        const found: string[] = [];
        for (const { name } of rows) {
          const { rows: hits } = await sql`
            select 1 from ${sql.table(name)} t where t::text like ${`%${canary}%`} limit 1`.execute(
            bench.db.kysely,
          );
          if (hits.length > 0) found.push(name);
        }
        return found;
      };
      await eve.call('POST', '/api/memories', { body: { content: `Says ${canary}.` } });
      const run = (await eve.run('guard', `pause ${canary}`)).json;
      const callId = run.pending?.[0]?.callId;
      const reason = `not the ${canary}`;
      await eve.decide('guard', run.runId, { action: 'REJECT', callId, reason });
      assert.equal((await eve.read('guard', run.runId, '?wait=10')).json.status, 'COMPLETED');
      assert.ok((await holding()).length > 1, 'it would be found');
      const admin = own.as('root', { org, scope: 'admin' });
      assert.equal((await admin.call('DELETE', '/api/users/eve')).status, 204);
      assert.deepEqual(await holding(), []);
    } finally {
      await own.close();
      await bench.close();
    }
  });
});
