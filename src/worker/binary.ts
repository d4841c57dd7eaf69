import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BuildError } from '../diagnostics/build-error.ts';

const triple = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-unknown-linux-gnu`;
const built = `native/target/${triple}/release/cooper-worker`;

/** Where the worker may lie, seen from the bundle (dist/) and from this file: installed beside the bundle first, then built in the repo. */
const places = ['./cooper-worker', `../${built}`, `../../${built}`];

/** The path of the native worker. Throws WORKER_FAILED where there is none. */
export function findWorker(): string {
  for (const place of places) {
    const path = fileURLToPath(new URL(place, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new BuildError('WORKER_FAILED', 'the native worker is not there', { hint: 'build it with "npm run setup"' });
}
