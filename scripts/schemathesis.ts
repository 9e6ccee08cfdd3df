// `npm run fuzz:schemathesis -- [seconds] [seed]`: Schemathesis, which knows nothing of us but the
// OpenAPI document, against a real `npm start` with real tokens, runs that have ended and runs that
// wait. Ends within the seconds and a minute. The seed is printed; the same one makes the same
// requests. Installs Schemathesis once, into a folder of its own; SCHEMATHESIS names another `st`.

import { execFileSync, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { RunResponse } from '../src/contract/run.ts';
import { makeToken } from '../src/dev/make-token.ts';
import { agentFile, callerOf, openStage, plan, SECRET } from '../test/e2e/stage.ts';
import { startProduct } from '../test/rig/product.ts';
import { tempDir } from '../test/rig/temp-dir.ts';
import { temporalCliPath } from '../test/rig/temporal.ts';
import { until } from '../test/rig/wait.ts';
import { CONFIG } from './schemathesis-config.ts';

const VERSION = '4.32.5';

function program(): string {
  const named = process.env['SCHEMATHESIS'];
  if (named !== undefined) return named;
  const folder = join(tmpdir(), `holdpoint-schemathesis-${VERSION}-${userInfo().username}`);
  const path = join(folder, 'bin', 'st');
  if (existsSync(path)) return path;
  console.log(`Installing Schemathesis ${VERSION}, once …`);
  execFileSync('python3', ['-m', 'venv', folder], { stdio: 'inherit' });
  execFileSync(join(folder, 'bin', 'pip'), ['install', '--quiet', `schemathesis==${VERSION}`], {
    stdio: 'inherit',
  });
  return path;
}

const [seconds = '240', seed = String(randomInt(2 ** 31))] = process.argv.slice(2);
const st = program();
// An agent named asker asks for a guarded call first; every other one answers.
const stage = await openStage(({ messages }) =>
  JSON.stringify(messages[0]).includes('Ask first') && messages.at(-1)?.role === 'user'
    ? { toolCalls: [{ name: 'pay', args: { amount: 5 } }] }
    : { text: 'The answer.' },
);
writeFileSync(
  join(stage.agentsDir, 'asker.yaml'),
  agentFile('asker', stage.sink.url).replace('Follow the plan.', 'Ask first.'),
);
const product = await startProduct({
  role: 'start',
  env: {
    ...stage.env,
    DATA_DIR: tempDir(),
    TEMPORAL_CLI: await temporalCliPath(),
    SYNC_WAIT_MAX_S: '2',
    LOG_LEVEL: 'error',
  },
});
const token = await makeToken({
  ...{
    secret: SECRET,
    config: { orgClaim: 'org_id', rolesClaim: 'roles', maxTokenAgeS: 86_400 },
    user: 'ada',
    org: 'acme',
    roles: [],
  },
  ...{
    scope:
      'runs:write runs:read runs:cancel runs:approve runs:impersonate knowledge:read knowledge:write admin',
    lifeS: 7200,
  },
});

async function play(): Promise<number> {
  const ada = callerOf(product.url, token);
  const runs: RunResponse[] = [];
  for (let i = 0; i < 4; i++) {
    const { run } = await ada.ask(plan('x'), { agent: 'asker' });
    const becomes = (status: string): Promise<void> =>
      until(`a run is ${status}`, async () => (await ada.read(run, 2)).run.status === status);
    await becomes('PAUSED');
    runs.push(run);
    if (i > 0) continue;
    await ada.decide(run, { action: 'APPROVE' });
    await becomes('COMPLETED');
  }
  const config = join(tempDir(), 'schemathesis.toml');
  const known = {
    agents: ['helper', 'asker'],
    asker: ['asker'],
    models: ['scripted', 'other'],
    positions: ['0.0', '1.0', '99.0'],
    runs: runs.map((run) => run.runId),
    sessions: runs.map((run) => run.sessionId),
  };
  const lists = Object.entries(known).map(
    ([name, values]) => `[dictionaries.${name}]\nvalues = ${JSON.stringify(values)}\n`,
  );
  writeFileSync(config, `${CONFIG}\n${lists.join('\n')}`);
  console.log(`seed ${seed}, ${seconds} s`);
  const args = [
    '--config-file',
    config,
    '--no-color',
    'run',
    `${product.url}/openapi.json`,
    '--seed',
    seed,
    '--max-time',
    seconds,
  ];
  const child = spawn(st, [...args, '--header', `Authorization: Bearer ${token}`], {
    cwd: tempDir(),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const late = setTimeout(() => child.kill('SIGINT'), (Number(seconds) + 60) * 1000);
  const code = await new Promise<number>((done) =>
    child.on('error', () => done(127)).on('exit', (status) => done(status ?? 1)),
  );
  clearTimeout(late);
  console.log(`seed ${seed}: ${code === 0 ? 'clean' : `st ended with ${code}`}`);
  return code;
}

try {
  process.exitCode = await play();
} finally {
  await product.stop();
  await stage.close();
}
process.exit();
