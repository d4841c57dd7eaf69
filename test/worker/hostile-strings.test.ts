import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { BuildError } from '../../src/diagnostics/build-error.ts';
import { codes } from '../../src/diagnostics/codes.ts';
import { type Method, Worker } from '../../src/worker/worker.ts';
import { makeCanary } from '../support/canary.ts';
import { here } from '../support/cooper.ts';
import { temporaryFolder } from '../support/store.ts';

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

for (const { method, params } of requests) {
  test(`no string of ${method} leads out of the store`, async () => {
    await using temporary = await temporaryFolder();
    await using canary = await makeCanary({ ...here, temporary: temporary.path });
    await using worker = await Worker.start({ root: join(temporary.path, 'store') });
    const up = `../../../../../../../..${canary.path}`;
    const outside = canary.path.slice(temporary.path.length + 1);
    const hostile = [up, canary.path, `../${outside}`, `../../${outside}/sub`, `sha256:../../../${outside}/file`, '..', '', 'a\0b', '/'];
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
