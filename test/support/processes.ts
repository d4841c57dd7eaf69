import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process as it was when we looked: its id may be another's later, its start tells. */
export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** Ticks since boot. */
  readonly start: string;
}

/** Processes of the machine that are no zombies. */
export function processes(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statOf(Number(name)) ?? []);
}

/** All children of a process, and theirs. */
export function descendants(pid: number): Process[] {
  const all = processes();
  const found: Process[] = [];
  const parents = new Set([pid]);
  // A parent may stand behind its child in the list, so once more until nothing is new.
  for (let size = 0; size !== parents.size; ) {
    size = parents.size;
    for (const each of all.filter(({ pid, parent }) => parents.has(parent) && !parents.has(pid))) {
      parents.add(each.pid);
      found.push(each);
    }
  }
  return found;
}

/** Waits until they have ended. That they never do is the failure; the runner's own limit ends it then. */
export async function gone(these: readonly Process[]): Promise<void> {
  while (these.some(isThere)) await sleep(20);
}

export const isThere = ({ pid, start }: Process): boolean => statOf(pid)?.start === start;

/** Processes that have this variable in their environment: those of a container, when only it was given the variable. */
export function processesWith(variable: string): Process[] {
  return processes().filter(({ pid }) => readOr(`/proc/${pid}/environ`).split('\0').includes(variable));
}

/** Source: proc_pid_stat(5). The name may hold spaces and parentheses. */
function statOf(pid: number): Process | undefined {
  const [, name = '', rest] = readOr(`/proc/${pid}/stat`).match(/^\d+ \((.*)\) (.*)$/s) ?? [];
  const fields = rest?.split(' ');
  if (!fields || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return { pid, parent: Number(fields[1]), name, start: fields[19] ?? '' };
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // It has ended.
  }
}
