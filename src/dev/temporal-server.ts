// The development Temporal server: a child of ours that keeps its data, ports and identity under
// the data directory. It has no login: its Web UI listens where a page in a browser cannot find it,
// and is reached through a guard. One left over from a process that was killed is adopted if it serves, else
// exactly that one is ended. It never outlives a normal stop. Finds no program (find-temporal.ts)
// and imports no SDK.

import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withDeadline } from '../deadline.ts';
import { freePort, portIsFree } from './free-port.ts';
import { endProcess, isAlive, signal } from './process-identity.ts';
import type { Print } from './step.ts';
import {
  launch,
  launchFresh,
  readRecord,
  serves,
  type ChildOptions,
  type ChildRecord,
  type LeftOver,
} from './temporal-child.ts';
import { addSearchAttributes, createTemporalCli, raiseRetention } from './temporal-cli.ts';
import { startWebUiGuard } from './web-ui-guard.ts';

export interface TemporalServerOptions {
  /** The CLI's path. */
  readonly cliPath: string;
  readonly dataDir: string;
  readonly namespace: string;
  readonly print: Print;
  /** A start that is aborted ends the child it has begun. */
  readonly stopping?: AbortSignal;
}
export interface TemporalServer {
  readonly address: string;
  readonly uiUrl: string;
  readonly adopted: boolean;
  /** Of the present child: another one after a restart. */
  readonly pid: () => number;
  readonly stop: () => Promise<void>;
}
/** One that was left running serves at once, or is stuck. */
const ADOPT_TIMEOUT_MS = 5000;
/**
 * It writes its last transactions in well under a second. One that is stopped while it starts was
 * seen to take whatever it is given; what it has written survives a kill (WAL).
 */
const STOP_GRACE_MS = 3000;
const WATCH_MS = 250;

export async function startTemporalServer({
  cliPath,
  dataDir,
  namespace,
  print,
  stopping: aborted,
}: TemporalServerOptions): Promise<TemporalServer> {
  const folder = join(dataDir, 'temporal');
  mkdirSync(folder, { recursive: true });
  const options: ChildOptions = {
    ...{ cliPath, namespace, folder, stopping: aborted },
    recordFile: join(folder, 'child.json'),
    dbFile: join(folder, 'temporal.db'),
    logFile: join(folder, 'server.log'),
  };

  const left = readRecord(options.recordFile);
  const adopted = await adoptable(options, left);
  if (left !== undefined && adopted === undefined) await endProcess(left.identity, STOP_GRACE_MS);
  const old = existsSync(options.dbFile);
  let child: ChildRecord = adopted ?? (await launchFresh(options, left?.places));
  let stopping = false;
  const { port, hiddenUiIp, hiddenUiPort } = child;
  const uiPort = (await portIsFree(child.uiPort)) ? child.uiPort : await freePort();
  const cli = createTemporalCli(cliPath, `127.0.0.1:${port}`);
  const guard = await startWebUiGuard(uiPort, { host: hiddenUiIp, port: hiddenUiPort });
  if (old) await addSearchAttributes(cli, namespace);
  // in its own time; the next start tries again
  if (adopted === undefined) void raiseRetention(cli, namespace).catch(() => undefined);

  async function watch(): Promise<void> {
    while (!stopping) {
      await sleep(WATCH_MS, undefined, { ref: false });
      if (stopping || isAlive(child)) continue;
      print(`The Temporal server ended by itself: starting it again on port ${port}.`);
      const again = launch(options, child);
      if (again !== undefined) child = again;
      if (again === undefined || !(await serves(options, again, port))) await sleep(1000);
    }
  }
  const watching = watch();
  const endWithUs = (): void => signal(child, 'SIGTERM');
  process.once('exit', endWithUs);

  return {
    address: `127.0.0.1:${port}`,
    uiUrl: `http://127.0.0.1:${uiPort}`,
    adopted: adopted !== undefined,
    pid: () => child.pid,
    stop: async () => {
      stopping = true;
      await guard.close();
      await endProcess(child, STOP_GRACE_MS);
      process.off('exit', endWithUs);
      await withDeadline(watching, WATCH_MS * 2, () => undefined);
      await endProcess(child, STOP_GRACE_MS);
    },
  };
}

/** The child of an earlier process, if it still serves. */
async function adoptable(
  options: ChildOptions,
  left: LeftOver | undefined,
): Promise<ChildRecord | undefined> {
  if (left?.places === undefined) return undefined;
  const kept = { ...left.identity, ...left.places };
  const alive = isAlive(kept) && (await serves(options, kept, kept.port, ADOPT_TIMEOUT_MS));
  return alive ? kept : undefined;
}
