import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { call } from './tools.ts';
import type { Workspace } from './workspace.ts';

/** Runs `true` in a container of runc's on the base image's files; undefined where runc is not installed. */
export function runcTrue(workspace: Workspace): { readonly timedMs: () => number } | undefined {
  if (spawnSync('runc', ['--version']).error) return undefined;
  const bundle = workspace.folder('runc');
  call('runc', ['spec', '--bundle', bundle]);
  const path = join(bundle, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8'));
  config.process.terminal = false;
  config.process.args = ['/bin/true'];
  config.root = { path: workspace.base, readonly: true };
  writeFileSync(path, JSON.stringify(config));
  const root = workspace.folder('runc-root');
  let runs = 0;
  const timedMs = (): number => {
    const name = `cooper-bench-${process.pid}-${++runs}`;
    const start = performance.now();
    call('runc', ['--root', root, 'run', '--bundle', bundle, name]);
    return performance.now() - start;
  };
  return { timedMs };
}
