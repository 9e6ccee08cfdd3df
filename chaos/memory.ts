// A memory limit on one living process, by a control group of its own (version 1 or 2), where this
// machine lets us make one.

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What it may take beyond what it has now: version 1 does not count that. Enough for a few runs,
 * not for a busy worker.
 */
const MORE_BYTES = 24 * 1024 * 1024;

export function limitMemory(
  pid: number | undefined,
): { readonly lift: () => void } | { readonly problem: string } {
  if (pid === undefined) return { problem: 'the process is not there' };
  const first = existsSync('/sys/fs/cgroup/memory/cgroup.procs');
  const root = first ? '/sys/fs/cgroup/memory' : '/sys/fs/cgroup';
  const group = join(root, `holdpoint-chaos-${pid}`);
  try {
    mkdirSync(group);
    const resident =
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
    writeFileSync(
      join(group, first ? 'memory.limit_in_bytes' : 'memory.max'),
      String(first ? MORE_BYTES : resident + MORE_BYTES),
    );
    writeFileSync(join(group, 'cgroup.procs'), String(pid));
  } catch (error) {
    return {
      problem: `no memory limit can be set here (${error instanceof Error ? error.message : String(error)})`,
    };
  }
  return {
    lift: () => {
      try {
        writeFileSync(join(root, 'cgroup.procs'), String(pid));
      } catch {
        // it has ended
      }
      try {
        rmdirSync(group);
      } catch {
        // its last process is still being put away
      }
    },
  };
}
