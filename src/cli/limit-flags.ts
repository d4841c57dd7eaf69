import type { ResourceOptions } from '../build-options.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import type { SandboxLimits } from '../worker/protocol.ts';
import type { Flag, Unavailable } from './flag.ts';
import { parseCgroupParent } from './values/cgroup-parent.ts';
import { parseCpuList, parseCpuShares, parseCpus, parseMemory, parseMemorySwap, parsePids, parseShmSize } from './values/limit.ts';
import { parseUlimit } from './values/ulimit.ts';

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

/** What containers may use, as `cooper build` and `cooper run` take it. */
export interface LimitFlags {
  readonly limits: Writable<SandboxLimits>;
  cgroupParent?: string;
  shmBytes?: number;
  /** By name: the last one of a name counts, as in Docker. */
  readonly ulimits: Map<string, NonNullable<ResourceOptions['ulimits']>[number]>;
}

export const defaultLimitFlags = (): LimitFlags => ({ limits: {}, ulimits: new Map() });

export const limitFlags: readonly Flag<LimitFlags>[] = [
  {
    name: 'memory',
    short: 'm',
    value: 'SIZE',
    help: 'the most memory that a container may use: 512m, 2g',
    set: ({ limits }, text) => assign(limits, 'memoryBytes', parseMemory(text)),
  },
  {
    name: 'memory-swap',
    value: 'SIZE',
    help: 'memory and swap together; -1 for any amount (default: twice the memory)',
    set: ({ limits }, text) => assign(limits, 'memorySwapBytes', parseMemorySwap(text)),
  },
  {
    name: 'cpus',
    value: 'NUMBER',
    help: 'how many processors a container may use: 1.5',
    set: ({ limits }, text) => assign(limits, 'cpus', parseCpus(text)),
  },
  {
    name: 'cpu-shares',
    short: 'c',
    value: 'NUMBER',
    help: 'its weight where processors are short (default: 1024)',
    set: ({ limits }, text) => assign(limits, 'cpuShares', parseCpuShares(text)),
  },
  {
    name: 'cpuset-cpus',
    value: 'LIST',
    help: 'which processors a container may use: 0-2,4',
    set: ({ limits }, text) => assign(limits, 'cpusetCpus', parseCpuList(text)),
  },
  {
    name: 'cgroup-parent',
    value: 'PATH',
    help: "the cgroup that containers are in, from the root of the machine's",
    set: (options, text) => {
      options.cgroupParent = parseCgroupParent(text);
    },
  },
  {
    name: 'shm-size',
    value: 'SIZE',
    help: 'size of /dev/shm (default: 64m)',
    set: (options, text) => assign(options, 'shmBytes', parseShmSize(text)),
  },
  {
    name: 'ulimit',
    value: 'NAME=SOFT[:HARD]',
    help: 'limit of a process, as nofile=1024:2048; -1 for none; may be given several times',
    set: ({ ulimits }, text) => {
      const ulimit = parseUlimit(text);
      ulimits.set(ulimit.name, ulimit);
    },
  },
];

/** Of `cooper run` only, as in Docker. */
export const pidsFlag: Flag<LimitFlags> = {
  name: 'pids-limit',
  value: 'NUMBER',
  help: 'the most processes and threads that a container may have; -1 for any number',
  set: ({ limits }, text) => assign(limits, 'pids', parsePids(text)),
};

/** What Docker has besides to the same end. */
export const unavailableLimitFlags: readonly Unavailable[] = [
  { name: 'blkio-weight', hint: 'start cooper itself in a cgroup that has the limit' },
  { name: 'cpu-period', hint: 'use --cpus: quota divided by period' },
  { name: 'cpu-quota', hint: 'use --cpus: quota divided by period' },
  { name: 'cpuset-mems', hint: 'start cooper itself in a cgroup that has the limit' },
  { name: 'kernel-memory', hint: 'use --memory, which counts it too' },
  { name: 'memory-reservation', hint: 'use --memory' },
  { name: 'memory-swappiness', hint: 'use --memory-swap' },
  { name: 'oom-kill-disable', hint: 'use --memory-swap=-1' },
];

/** Everything that was asked for. Throws ARG_INVALID for what each option allows and all together do not. */
export function resourcesOf({ limits, cgroupParent, shmBytes, ulimits }: LimitFlags): ResourceOptions {
  const { memoryBytes, memorySwapBytes } = limits;
  if (memorySwapBytes !== undefined && memoryBytes === undefined)
    throw new BuildError('ARG_INVALID', '"--memory-swap" counts memory and swap together', { hint: 'give --memory too' });
  if (memorySwapBytes !== undefined && memorySwapBytes >= 0 && memorySwapBytes < (memoryBytes ?? 0))
    throw new BuildError('ARG_INVALID', '"--memory-swap" is less than "--memory"', {
      hint: 'it counts both: for no swap give them the same size',
    });
  return {
    ...(Object.keys(limits).length > 0 && { limits }),
    ...(cgroupParent !== undefined && { cgroupParent }),
    ...(shmBytes !== undefined && { shmBytes }),
    ...(ulimits.size > 0 && { ulimits: [...ulimits.values()] }),
  };
}

/** Undefined is what a value like 0 or -1 says: that there is to be no limit. */
function assign<T, Name extends keyof T>(target: T, name: Name, value: T[Name] | undefined): void {
  if (value === undefined) delete target[name];
  else target[name] = value;
}
