import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundleSources, sourcesDigest } from '../../scripts/sources.ts';

const root = join(import.meta.dirname, '../..');

test('the bundle is made from these sources', () => {
  const made = readFileSync(join(root, 'dist/bundle.stamp'), 'utf8').trim();
  assert.equal(made, sourcesDigest(root, bundleSources), 'dist/ is stale: run "npm run setup"');
});

test('the digest of the sources is the one that the set-up computes', () => {
  const script = readFileSync(join(root, 'scripts/setup'), 'utf8');
  const digestOf = script.split('\n').find((line) => line.startsWith('digest_of()'));
  const paths = script.match(/digest=\$\(digest_of (grammar [^)]*)\)/)?.[1];
  assert.equal(paths, bundleSources.join(' '));
  const want = execFileSync('sh', ['-c', `${digestOf}; digest_of ${paths}`], { cwd: root, encoding: 'utf8' }).trim();
  assert.equal(sourcesDigest(root, bundleSources), want);
});
