import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseDockerfile } from '../../grammar/parse.ts';
import { dump } from './dump.ts';

const fixtures = new URL('../../fixtures/dockerfiles/', import.meta.url);

for (const kind of ['ok', 'err'] as const) {
  for (const name of readdirSync(new URL(`${kind}/`, fixtures)).sort()) {
    test(`Dockerfile ${kind}/${name}`, () => {
      const folder = new URL(`${kind}/${name}/`, fixtures);
      const dockerfile = parseDockerfile(readFileSync(new URL('Dockerfile', folder), 'utf8'));
      assert.equal(dump(dockerfile), readFileSync(new URL('expected', folder), 'utf8'));
      const failed = dockerfile.diagnostics.some(({ severity }) => severity === 'error');
      assert.equal(failed, kind === 'err');
    });
  }
}
