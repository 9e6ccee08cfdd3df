// Is the process of that id still the one we started? Ids are given out again; id and start time
// together are not. Also ends one process by its id, politely first. Never by name.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Undefined: no such process, or one that has ended and was not collected. */
export function startTimeOf(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
    }
    const [state = '', ...started] = execFileSync(
      'ps',
      ['-o', 'stat=,lstart=', '-p', String(pid)],
      { encoding: 'utf8' },
    )
      .trim()
      .split(/\s+/);
    return state === '' || state.startsWith('Z') ? undefined : started.join(' ');
  } catch {
    return undefined;
  }
}

export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
}

export const isAlive = ({ pid, startTime }: ProcessIdentity): boolean =>
  startTimeOf(pid) === startTime;

export function signal(identity: ProcessIdentity, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    if (isAlive(identity)) process.kill(identity.pid, name);
  } catch {
    // it ended in between
  }
}

/** SIGTERM, and SIGKILL if that was not enough within `graceMs`. */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<void> {
  signal(identity, 'SIGTERM');
  for (const until = Date.now() + graceMs; isAlive(identity) && Date.now() < until;)
    await sleep(50);
  signal(identity, 'SIGKILL');
  for (const until = Date.now() + 5000; isAlive(identity) && Date.now() < until;) await sleep(20);
}
