import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { History } from '../../src/oci/image-config.ts';
import { busyboxBase, pushBase } from '../support/bases.ts';
import { makeOwn, makePeer, type Outcome, type Subject, unpackedTree } from '../support/peer-build.ts';
import { type Registry, startRegistry } from '../support/registry.ts';
import { tool } from '../support/tools.ts';
import { assertValid } from '../support/valid.ts';

// Each folder of fixtures/cases is built by cooper and by buildah: the merged trees and the configs must be equal. A folder holds
//   Dockerfile  with $BASE, the reference of a busybox, as a build argument
//   prepare.sh  makes what git cannot hold; runs in a copy of the folder
//   args        flags for both, one in a line
//   differs.md  why the results are not equal, and in a fenced block how: "-" has buildah, "+" has cooper
//   error       what cooper says where its build fails, as BuildKit's does
//   history     the rows of the image's history after the base's: what BuildKit writes
const cases = join(import.meta.dirname, '../../fixtures/cases');
const only = process.env.COOPER_TEST_CASES?.split(',');
const names = (await readdir(cases)).filter((name) => !only || only.includes(name)).sort();
const skip = await reasonToSkip();

describe('the same as buildah', { concurrency: 2, skip }, () => {
  let directory: string;
  let registry: Registry;
  let reference: string;
  let own: Awaited<ReturnType<typeof makeOwn>>;
  let peer: Awaited<ReturnType<typeof makePeer>>;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cooper-same-'));
    registry = await startRegistry();
    const base = await busyboxBase();
    reference = await pushBase(base, registry, 'busybox');
    const tree = await unpackedTree(`${base.layout}:${base.tag}`, join(directory, 'base'));
    own = await makeOwn(tree);
    peer = await makePeer(tree);
  });

  after(async () => {
    await peer?.[Symbol.asyncDispose]();
    await own?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  for (const name of names) {
    test(name, async () => {
      const subject = await prepare(name, directory, reference);
      const [theirs, ours] = await Promise.all([peer.build(subject), own.build(subject)]);
      const why = [theirs, ours].flatMap(({ error }) => (error ? [error] : [])).join('\n');
      assert.deepEqual(difference(theirs, ours), await knownDifference(name), why);
      const error = await readFile(join(cases, name, 'error'), 'utf8').catch(() => '');
      assert.ok(ours.error === undefined ? error === '' : error !== '' && ours.error.includes(error.trim()), why || 'it should fail');
      if (ours.error) return;
      await assertValid(own.cooper.root, name);
      const history = join(cases, name, 'history');
      if (existsSync(history)) assert.deepEqual(rows(ours.history ?? []), lines(await readFile(history, 'utf8')));
    });
  }
});

/** A copy of the case, with the times of all that it holds set to the same, old one. */
async function prepare(name: string, directory: string, reference: string): Promise<Subject> {
  const context = join(directory, name);
  await cp(join(cases, name), context, { recursive: true, verbatimSymlinks: true });
  if (existsSync(join(context, 'prepare.sh'))) {
    await promisify(execFile)('sh', ['-euc', 'umask 022; . ./prepare.sh'], { cwd: context, env: { ...process.env, BASE: reference } });
  }
  const file = join(context, 'args');
  const args = existsSync(file) ? lines(await readFile(file, 'utf8')) : [];
  for (const own of ['prepare.sh', 'args', 'differs.md', 'error', 'history']) await rm(join(context, own), { force: true });
  await tool('find', [context, '-exec', 'touch', '--no-dereference', '--date=@1000000000', '{}', '+']);
  const inContext = args.map((word) => word.replace('$CONTEXT', context));
  return { name, context, args: ['--build-arg', `BASE=${reference}`, ...inContext] };
}

function difference(theirs: Outcome, ours: Outcome): readonly string[] {
  const [left, right] = [new Set(theirs.lines), new Set(ours.lines)];
  return [
    ...theirs.lines.filter((line) => !right.has(line)).map((line) => `- ${line}`),
    ...ours.lines.filter((line) => !left.has(line)).map((line) => `+ ${line}`),
  ];
}

async function knownDifference(name: string): Promise<readonly string[]> {
  const file = join(cases, name, 'differs.md');
  if (!existsSync(file)) return [];
  const block = (await readFile(file, 'utf8')).match(/^```diff\n(.*?)^```$/ms)?.[1];
  assert.ok(block !== undefined, `${name}/differs.md has no block with the difference`);
  return lines(block);
}

/** `created_by` of the rows that a build has added, with "(empty)" where there is no layer. */
const rows = (history: readonly History[]): readonly string[] =>
  history
    .filter(({ comment }) => comment === 'buildkit.dockerfile.v0')
    .map((row) => `${row.created_by}${row.empty_layer ? ' (empty)' : ''}`);

const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '');

async function reasonToSkip(): Promise<string | false> {
  if (process.getuid?.() !== 0) return 'not root: only root can read what both have made with its owners';
  for (const program of ['buildah', 'umoci', 'skopeo', 'docker-registry']) {
    const there = await tool('sh', ['-c', `command -v ${program}`]).catch(() => undefined);
    if (!there) return `"${program}" is not installed: npm test installs it`;
  }
  return false;
}
