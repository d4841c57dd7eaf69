import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { BuildError } from '../../src/diagnostics/build-error.ts';
import { codes } from '../../src/diagnostics/codes.ts';
import { type Method, Worker } from '../../src/worker/worker.ts';
import { makeCanary } from '../support/canary.ts';
import type { Installation } from '../support/cooper.ts';
import { modes } from '../support/modes.ts';

// CVE-2026-33747 and its relatives: every string of every request of fixtures/protocol becomes, one at a time, a path that leads out of the store.

const folder = join(import.meta.dirname, '../../fixtures/protocol');
/** They are answers, or are of a connection's start; `handle.open` is where the user's own paths come in. */
const others = /^(errors|events|frames|hello|handle\.open)\.json$/;
const requests = readdirSync(folder)
  .filter((name) => !others.test(name))
  .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as { readonly method: Method; readonly params: object });

type Path = readonly (string | number)[];

/** Where in a value strings are. */
function stringsIn(value: unknown, path: Path = []): Path[] {
  if (typeof value === 'string') return [path];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => stringsIn(each, [...path, Array.isArray(value) ? Number(key) : key]));
}

function replaced<T>(value: T, path: Path, text: string): T {
  const copy = structuredClone(value);
  let at = copy as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) at = at[key] as typeof at;
  at[path.at(-1) ?? ''] = text;
  return copy;
}

/** A folder in which its user can write. */
async function folderOf({ temporary, owner }: Installation): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(temporary, 'cooper-strings-'));
  if (owner) await chown(path, owner.uid, owner.gid);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** The worker of an installation, started as its user. */
async function workerOf({ command, temporary }: Installation): Promise<string> {
  const [program = '', ...become] = command.toReversed();
  const words = [...become.toReversed(), join(dirname(program), '../dist/cooper-worker')];
  const path = join(temporary, 'worker');
  await writeFile(path, `#!/bin/sh\nexec ${words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')}\n`, { mode: 0o755 });
  return path;
}

for (const mode of modes) {
  describe(`the worker as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    for (const { method, params } of requests) {
      test(`no string of ${method} leads out of the store`, async () => {
        await using installation = await mode.install();
        await using temporary = await folderOf(installation);
        const own = { ...installation, temporary: temporary.path };
        await using canary = await makeCanary(own);
        const environment = { ...process.env, ...own.env };
        await using worker = await Worker.start({ root: join(temporary.path, 'store'), binary: await workerOf(own), environment });
        assert.equal(worker.info.mode, mode.name);
        const up = `../../../../../../../..${canary.path}`;
        const outside = canary.path.slice(temporary.path.length + 1);
        const hostile = [
          up,
          canary.path,
          `../${outside}`,
          `../../${outside}/sub`,
          `sha256:../../../${outside}/file`,
          '..',
          '',
          'a\0b',
          '/',
        ];
        const calls = stringsIn(params).flatMap((path) =>
          hostile.map((text) => ({ at: path.join('.'), params: replaced(params, path, text) })),
        );
        for (const call of calls) {
          const ended = await worker
            .call(method, call.params as never, { signal: AbortSignal.timeout(20_000) })
            .catch((error: unknown) => error);
          if (ended instanceof Error) {
            assert.ok(ended instanceof BuildError && ended.code in codes && ended.code !== 'WORKER_FAILED', `${call.at}: ${ended}`);
          }
          assert.doesNotMatch(JSON.stringify(ended) ?? '', /canary sings/);
        }
        await canary.assertUntouched();
      });
    }
  });
}
