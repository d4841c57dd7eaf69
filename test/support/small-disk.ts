import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { type Cooper, here, makeCooper } from './cooper.ts';
import { tool } from './tools.ts';

/** A cooper whose store lies on a disk of its own, which only it can see. */
export interface SmallDisk extends AsyncDisposable {
  readonly cooper: Cooper;
  /** Where the store is to be seen from here. */
  readonly root: string;
  /** Makes it smaller or larger. */
  resize(megabytes: number): Promise<void>;
}

/** A tmpfs in a mount namespace that a process of ours keeps: it is gone with it. Needs root. */
export async function smallDisk(megabytes: number): Promise<SmallDisk> {
  const keeper = spawn('unshare', ['--mount', 'sh', '-c', 'echo kept; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(keeper.stdout, 'data');
  const enter = ['nsenter', `--mount=/proc/${keeper.pid}/ns/mnt`];
  const cooper = await makeCooper({ ...here, command: [enter[0] ?? '', ...enter.slice(1), ...here.command] });
  await mkdir(cooper.root);
  const [program = '', ...rest] = enter;
  await tool(program, [...rest, 'mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'none', cooper.root]);
  return {
    cooper,
    root: `/proc/${keeper.pid}/root${cooper.root}`,
    resize: async (size) => void (await tool(program, [...rest, 'mount', '-o', `remount,size=${size}m`, cooper.root])),
    async [Symbol.asyncDispose]() {
      keeper.stdin.end();
      await once(keeper, 'close');
      await cooper[Symbol.asyncDispose]();
    },
  };
}
