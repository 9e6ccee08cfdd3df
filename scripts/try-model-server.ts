// `npm run try:model-server -- [--url URL --model NAME [--key KEY]] [--binary FILE] [--model-file
// FILE] [--record] [--no-product]`: drives the model port against a real server and prints a table:
// which rule holds there, and what was seen. Without a URL that is llama.cpp's, found or installed,
// with a small model made here. --record writes what the server said into
// test/models/recorded/llama-server/, where a test plays it again. Ends with 1 where a rule does not
// hold.

import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tempDir } from '../test/rig/temp-dir.ts';
import type { Tried } from './model-server/asking.ts';
import { DOORS, STILL_LOADING } from './model-server/doors.ts';
import { CONTEXT_TOKENS, findLlamaServer, startLlamaServer } from './model-server/llama-server.ts';
import { productRun } from './model-server/product-run.ts';
import { startRecorder, type Exchange } from './model-server/recorder.ts';
import { tinyModel } from './model-server/tiny-model.ts';
import { tryServer } from './model-server/try-server.ts';
import { summaryOf, tableOf, tryRule, type Row } from './model-server/verdicts.ts';

const { values: given } = parseArgs({
  options: {
    url: { type: 'string' },
    model: { type: 'string', default: 'tiny' },
    key: { type: 'string', default: '' },
    binary: { type: 'string' },
    'model-file': { type: 'string' },
    record: { type: 'boolean', default: false },
    'no-product': { type: 'boolean', default: false },
  },
});
const RECORDED = fileURLToPath(new URL('../test/models/recorded/llama-server/', import.meta.url));
/** More are a reply that fills the context: its middle says nothing new. */
const MAX_EVENTS = 40;

const rows: Row[] = [];
const note = (row: Row): void => {
  rows.push(row);
  console.error(`${row.verdict.padEnd(9)}  ${row.rule}`);
};

const own = given.url === undefined;
const modelFile = given['model-file'] ?? join(tempDir(), 'tiny.gguf');
const tiny = own && given['model-file'] === undefined;
if (tiny) writeFileSync(modelFile, tinyModel({ contextTokens: CONTEXT_TOKENS }));
const binary = own
  ? findLlamaServer({
      given: given.binary,
      folder: join(tmpdir(), `holdpoint-llama-server-${userInfo().username}`),
    })
  : '';

const server = own ? await startLlamaServer(binary, modelFile) : undefined;
await server?.ready();
const target = server?.url ?? given.url ?? '';
const { model, key: apiKey } = given;
rows.push(
  ...(await tryServer({
    ...{ url: target, model, apiKey, tiny },
    onTried({ record }, exchange, { rule, verdict }) {
      console.error(`${verdict.padEnd(9)}  ${rule}`);
      if (verdict !== 'not tried') keep(record, exchange);
    },
  })),
);
if (server !== undefined) await server.kill('SIGTERM');

if (own) {
  const guarded = await startLlamaServer(binary, modelFile, ['--api-key', 'sk-right']);
  const other = await startRecorder(guarded.url);
  const at: Tried = {
    ...{ url: other.url, model, apiKey, last: other.last },
    busy: async () => undefined,
  };
  for (const { name, record, run } of DOORS) {
    if (name !== STILL_LOADING) await guarded.ready();
    note(await tryRule(name, () => run(at, guarded)));
    keep(record, other.last());
  }
  await other.close();
  await guarded.kill('SIGKILL');
}

if (!given['no-product']) note(await tryRule('a run of the whole product', ofTheProduct));
console.log(`${tableOf(rows)}\n\n${summaryOf(rows)}`);
process.exit(rows.some(({ verdict }) => verdict === 'does not') ? 1 : 0);

async function ofTheProduct(): Promise<string> {
  const again = own ? await startLlamaServer(binary, modelFile) : undefined;
  await again?.ready();
  try {
    return await productRun({ url: again?.url ?? target, apiKey, model, guarded: tiny });
  } finally {
    await again?.kill('SIGTERM');
  }
}

/** Status and type, an empty line, the bytes; of a long answer the beginning and the end. */
function keep(record: string | undefined, exchange: Exchange | undefined): void {
  if (!given.record || record === undefined || exchange === undefined) return;
  const { status, contentType, body } = exchange;
  const events = body.split('\n\n');
  const shortened =
    events.length <= MAX_EVENTS ? body : [...events.slice(0, 4), ...events.slice(-4)].join('\n\n');
  mkdirSync(RECORDED, { recursive: true });
  writeFileSync(join(RECORDED, `${record}.txt`), `${status} ${contentType}\n\n${shortened}`);
}
