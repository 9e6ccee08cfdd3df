import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import {
  defineTool,
  ToolError,
  type ToolContext,
  type ToolDefinition,
} from '../../src/tools/define-tool.ts';
import { closeExampleDatabase } from '../../src/tools/examples/example-database.ts';
import { codeTools } from '../../src/tools/index.ts';
import { MissingToolError, runToolCall, currentToolVersion } from '../../src/tools/tool.ts';
import type { ToolResult } from '../../src/tools/tool-result.ts';
import { context, snapshotOf } from './snapshots.ts';

const Input = z.object({ a: z.string().optional() });
const define = (
  run: ToolDefinition<typeof Input.shape>['run'],
  over: Partial<ToolDefinition<typeof Input.shape>> = {},
) =>
  defineTool({ name: 'one', description: '', source: import.meta.url, input: Input, run, ...over });
const runOne = (
  run: ToolDefinition<typeof Input.shape>['run'],
  ctx: Partial<ToolContext> = {},
  timeoutMs = 5000,
): Promise<ToolResult> => {
  const tool = define(run);
  return runToolCall(snapshotOf(tool, { timeoutMs }), {}, context(ctx), {
    codeTools: new Map([['one', tool]]),
    secret: () => undefined,
  });
};
const never = (): Promise<string> => new Promise(() => undefined);

describe('tools in code', () => {
  it('need approval unless they are read-only, and have another version for another schema', () => {
    const run = (): Promise<string> => Promise.resolve('');
    assert.equal(define(run).approval, 'required');
    assert.equal(define(run, { readOnly: true }).approval, 'never');
    assert.notEqual(
      define(run).version,
      define(run, { source: new URL('snapshots.ts', import.meta.url).href }).version,
    );
    assert.notEqual(
      define(run).version,
      defineTool({
        name: 'one',
        description: '',
        source: import.meta.url,
        input: z.object({}),
        run,
      }).version,
    );
    assert.throws(() => define(run, { quick: true }), /must be readOnly or idempotent/);
    assert.equal('$schema' in define(run).input, false);
  });

  it('say which version this worker has, and are missing where it has none', async () => {
    const tool = define(() => Promise.resolve(''));
    const worker = new Map([['one', tool]]);
    assert.equal(currentToolVersion(snapshotOf(tool, { version: 'old' }), worker), tool.version);
    assert.equal(currentToolVersion(snapshotOf(tool), new Map()), undefined);
    await assert.rejects(
      runToolCall(snapshotOf(tool), {}, context(), {
        codeTools: new Map(),
        secret: () => undefined,
      }),
      MissingToolError,
    );
  });

  it('give the model what they know to have failed', async () => {
    const result = await runOne(() => Promise.reject(new ToolError('no such thing')));
    assert.deepEqual(result, { kind: 'DONE', text: 'no such thing', isError: true });
    const tool = define(() => Promise.resolve(''));
    const misfit = await runToolCall(snapshotOf(tool), { a: 1 }, context(), {
      codeTools: new Map([['one', tool]]),
      secret: () => undefined,
    });
    assert.ok(misfit.kind === 'DONE' && misfit.isError);
  });

  it('have an unknown outcome where they break after the last check, a known one where before', async () => {
    assert.deepEqual(await runOne(() => Promise.reject(new Error('bug at /secret/path'))), {
      kind: 'DONE',
      text: 'Nothing was done: the tool failed unexpectedly.',
      isError: true,
    });
    const acted = await runOne(async (_, ctx) => {
      await ctx.beforeWrite();
      throw new Error('bug');
    });
    assert.deepEqual(acted, { kind: 'UNANSWERED', why: 'the tool failed unexpectedly' });
  });

  it('are left at their deadline, and can act no more', async () => {
    let late: Promise<void> | undefined;
    const result = await runOne(
      (_, ctx) => {
        late = new Promise<void>((resolve) =>
          ctx.signal.addEventListener('abort', () => resolve()),
        ).then(() => ctx.beforeWrite());
        return never();
      },
      {},
      50,
    );
    assert.deepEqual(result, {
      kind: 'DONE',
      text: 'Nothing was done: it took longer than 50 ms.',
      isError: true,
    });
    await assert.rejects(late ?? Promise.resolve());
    const acted = await runOne(async (_, ctx) => (await ctx.beforeWrite(), never()), {}, 50);
    assert.deepEqual(acted, { kind: 'UNANSWERED', why: 'it took longer than 50 ms' });
  });

  it('did not happen where they are cancelled before the last check', async () => {
    assert.deepEqual(await runOne(never, { signal: AbortSignal.abort() }), {
      kind: 'NOT_SENT',
      why: 'it was cancelled',
    });
  });

  it('pass on what the last check throws, even where they swallow it', async () => {
    const lost = new Error('claim lost');
    const plain = async (_: unknown, ctx: ToolContext): Promise<string> => (
      await ctx.beforeWrite(),
      ''
    );
    const swallowing = (_: unknown, ctx: ToolContext): Promise<string> =>
      ctx.beforeWrite().then(
        () => 'acted',
        () => 'did not',
      );
    for (const run of [plain, swallowing])
      await assert.rejects(
        runOne(run, { beforeWrite: () => Promise.reject(lost) }),
        (error) => error === lost,
      );
  });
});

describe('the shipped tools', () => {
  let dataDir: string;
  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'holdpoint-tools-'));
  });
  after(async () => {
    await closeExampleDatabase();
    await rm(dataDir, { recursive: true, force: true });
  });
  const use = async (
    name: string,
    args: Record<string, unknown>,
    callId = 'call_1',
  ): Promise<ToolResult> => {
    const tool = codeTools.get(name);
    assert.ok(tool);
    const ctx = context({ dataDir, callId, idempotencyKey: `run_1:${callId}` });
    return runToolCall(snapshotOf(tool), args, ctx, { codeTools, secret: () => undefined });
  };
  const text = (result: ToolResult, isError = false): string => {
    assert.ok(result.kind === 'DONE' && result.isError === isError, JSON.stringify(result));
    return result.text;
  };

  it('look a price up, and name some tickers for an unknown one', async () => {
    assert.match(
      text(await use('get_stock_price', { ticker: 'aapl' })),
      /"ticker":"AAPL".*"currency":"USD"/,
    );
    assert.match(
      text(await use('get_stock_price', { ticker: 'constructor' }), true),
      /no price for "CONSTRUCTOR". Known are AAPL/,
    );
  });

  it('send one e-mail for a call, however often it is made', async () => {
    const mail = { to: 'ada@example.com', subject: 'Preis für AAPL', body: 'line\nline' };
    await use('send_email', mail, 'call_mail');
    await use('send_email', mail, 'call_mail');
    assert.deepEqual(await readdir(join(dataDir, 'sent-mail')), ['call_mail.eml']);
    const file = await readFile(join(dataDir, 'sent-mail', 'call_mail.eml'), 'utf8');
    assert.match(file, /^To: ada@example\.com\r\nSubject: =\?utf-8\?B\?/);
    assert.match(file, /\r\n\r\nline\r\nline\r\n$/);
  });

  it('refuse an e-mail whose subject would write headers', async () => {
    const result = await use(
      'send_email',
      { to: 'ada@example.com', subject: 'a\r\nBcc: b@c.d', body: '' },
      'call_bad',
    );
    assert.match(text(result, true), /must be one line/);
  });

  it('list, count and drop tables, the drop once for a call', async () => {
    assert.equal(
      text(await use('list_tables', {})),
      '["customers","old_orders","orders","products"]',
    );
    assert.equal(
      text(await use('count_rows', { table: 'old_orders' })),
      '{"table":"old_orders","rows":120}',
    );
    assert.match(
      text(await use('count_rows', { table: 'x"; drop table orders; --' }), true),
      /There is no table/,
    );
    const dropped = text(await use('drop_table', { table: 'old_orders' }, 'call_drop'));
    assert.equal(text(await use('drop_table', { table: 'old_orders' }, 'call_drop')), dropped);
    assert.match(
      text(await use('drop_table', { table: 'old_orders' }, 'call_other'), true),
      /There is no table "old_orders"/,
    );
    assert.equal(text(await use('list_tables', {})), '["customers","orders","products"]');
  });

  it('find the example database as it was left', async () => {
    await closeExampleDatabase();
    assert.equal(text(await use('list_tables', {})), '["customers","orders","products"]');
  });
});
