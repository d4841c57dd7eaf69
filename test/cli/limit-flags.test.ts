import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceOptions } from '../../src/build-options.ts';
import { defaultLimitFlags, limitFlags, pidsFlag, resourcesOf } from '../../src/cli/limit-flags.ts';
import { parseFlags } from '../../src/cli/parse-flags.ts';
import { recordingCaller } from './caller.ts';

function parse(...args: readonly string[]): ResourceOptions {
  const options = defaultLimitFlags();
  const syntax = { command: 'cooper x', flags: [...limitFlags, pidsFlag], unavailable: [], stopAtWord: false };
  parseFlags(args, syntax, options, recordingCaller());
  return resourcesOf(options);
}

// What docker's API is sent for the same options (HostConfig: Memory, MemorySwap, NanoCpus / 1000, …).
for (const { args, want } of [
  { args: [], want: {} },
  { args: ['--memory', '512m'], want: { limits: { memoryBytes: 536870912 } } },
  { args: ['-m1.5g', '--memory-swap', '2g'], want: { limits: { memoryBytes: 1610612736, memorySwapBytes: 2147483648 } } },
  { args: ['-m', '64m', '--memory-swap=-1'], want: { limits: { memoryBytes: 67108864, memorySwapBytes: -1 } } },
  { args: ['--memory', '64m', '--memory', '0'], want: {} },
  { args: ['--cpus', '1.5'], want: { limits: { cpus: 1500000 } } },
  { args: ['--cpus', '.01'], want: { limits: { cpus: 10000 } } },
  { args: ['--cpus', '0'], want: {} },
  { args: ['-c', '512', '--cpuset-cpus', '0-1,3'], want: { limits: { cpuShares: 512, cpusetCpus: '0-1,3' } } },
  { args: ['--pids-limit', '100'], want: { limits: { pids: 100 } } },
  { args: ['--pids-limit=-1'], want: {} },
  { args: ['--shm-size', '128m'], want: { shmBytes: 134217728 } },
  { args: ['--cgroup-parent', '/ci//builds/'], want: { cgroupParent: '/ci/builds' } },
  { args: ['--cgroup-parent', 'ci'], want: { cgroupParent: '/ci' } },
  {
    args: ['--ulimit', 'nofile=1024:2048', '--ulimit', 'core=-1', '--ulimit', 'nproc=5:-1'],
    want: {
      ulimits: [
        { name: 'nofile', soft: 1024, hard: 2048 },
        { name: 'core', soft: -1, hard: -1 },
        { name: 'nproc', soft: 5, hard: -1 },
      ],
    },
  },
  { args: ['--ulimit', 'cpu=5', '--ulimit', 'cpu=7'], want: { ulimits: [{ name: 'cpu', soft: 7, hard: 7 }] } },
] as const) {
  test(`limits: ${args.join(' ') || 'none'}`, () => assert.deepEqual(parse(...args), want));
}

for (const { args, code = 'ARG_INVALID' } of [
  { args: ['--memory', 'much'] },
  { args: ['--memory', '-1'] },
  { args: ['--memory', '5m'] },
  { args: ['--memory-swap', '1g'] },
  { args: ['--memory', '1g', '--memory-swap', '512m'] },
  { args: ['--cpus', 'two'] },
  { args: ['--cpus', '0.001'] },
  { args: ['--cpus=-1'] },
  { args: ['--cpus', '1e9'] },
  { args: ['--cpu-shares', '1'] },
  { args: ['--cpu-shares', '262145'] },
  { args: ['--cpuset-cpus', ''] },
  { args: ['--cpuset-cpus', '2-1'] },
  { args: ['--cpuset-cpus', '0\n1'] },
  { args: ['--pids-limit', 'x'] },
  { args: ['--shm-size', '1x'] },
  { args: ['--cgroup-parent', ''] },
  { args: ['--cgroup-parent', '/'] },
  { args: ['--cgroup-parent', '/a/../..'] },
  { args: ['--cgroup-parent', 'a.slice:b:c'], code: 'UNSUPPORTED' },
  { args: ['--ulimit', 'nofile'] },
  { args: ['--ulimit', 'files=1'] },
  { args: ['--ulimit', 'nofile=2:1'] },
  { args: ['--ulimit', 'nofile=-1:1'] },
  { args: ['--ulimit', 'nofile=1:2:3'] },
  { args: ['--ulimit', 'nofile=-2'] },
]) {
  test(`limits refuse: ${args.join(' ')}`, () => assert.throws(() => parse(...args), { name: 'BuildError', code }));
}
