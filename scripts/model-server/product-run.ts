// Runs of the whole product, `npm start` and all, over a real model server: a tool, an answer, and
// a guarded call that a person approves.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { callerOf, pendingOf, SECRET, tokenOf } from '../../test/e2e/stage.ts';
import { startProduct } from '../../test/rig/product.ts';
import { tempDir } from '../../test/rig/temp-dir.ts';
import { temporalCliPath } from '../../test/rig/temporal.ts';

const AGENTS = new URL('../../agents/', import.meta.url);

interface ProductRunOptions {
  readonly url: string;
  readonly apiKey: string;
  /** In the place of the model that the example agents name. */
  readonly model: string;
  /** Whether the model can be told to ask for an e-mail. */
  readonly guarded: boolean;
}

export async function productRun({
  url,
  apiKey,
  model: name,
  guarded,
}: ProductRunOptions): Promise<string> {
  const env = {
    OPENAI_BASE_URL: url,
    ...(apiKey === '' ? {} : { OPENAI_API_KEY: apiKey }),
    JWT_SECRET: SECRET,
    LOG_LEVEL: 'warn',
    DATA_DIR: tempDir(),
    AGENTS_DIR: agentsOf(name),
    TEMPORAL_CLI: await temporalCliPath(),
  };
  const product = await startProduct({ role: 'start', env });
  try {
    const ada = callerOf(product.url, await tokenOf('ada'));
    const asked = await ada.ask('What is the price of NVDA?', { agent: 'finance_agent' });
    assert.equal(asked.run.status, 'COMPLETED', JSON.stringify(asked.run));
    const { model, promptTokens, completionTokens } = asked.run.metadata;
    const said = `${asked.run.status}, ${JSON.stringify(asked.run.content)}, ${model}, ${promptTokens}+${completionTokens} tokens`;
    if (!guarded) return said;
    const lea = callerOf(product.url, await tokenOf('lea'));
    const paused = await ada.ask('Send that by courier to ada@example.com', {
      agent: 'finance_agent',
    });
    assert.equal(paused.run.status, 'PAUSED', JSON.stringify(paused.run));
    assert.deepEqual(
      pendingOf(paused.run).map((call) => call.name),
      ['send_email'],
    );
    const done = await lea.decide(
      { ...paused.run, agentId: 'finance_agent' },
      { action: 'APPROVE' },
    );
    assert.equal(done.run.status, 'COMPLETED', JSON.stringify(done.run));
    return `${said}; a guarded call PAUSED, approved, ${done.run.status}, ${JSON.stringify(done.run.content)}`;
  } finally {
    await product.stop();
  }
}

/** The example agents, asking that model. */
function agentsOf(model: string): string {
  const folder = tempDir();
  for (const name of readdirSync(AGENTS)) {
    const text = readFileSync(new URL(name, AGENTS), 'utf8');
    writeFileSync(
      join(folder, name),
      text.replace(/^model: .*$/m, () => `model: ${JSON.stringify(model)}`),
    );
  }
  return folder;
}
