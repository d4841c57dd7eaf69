import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { busyboxBase, pushBase } from '../support/bases.ts';
import { caseFile, caseNames, difference, knownDifference, missingProgram, prepareCase } from '../support/cases.ts';
import { makeOwn, makePeer, unpackedTree } from '../support/peer-build.ts';
import { type Registry, startRegistry } from '../support/registry.ts';

// Each folder of fixtures/cases is built by cooper and by buildah: the merged trees and the configs must be equal, but for what the case's
// differs.md gives a reason for. test/support/cases.ts says what a folder holds. What BuildKit makes of a case is compared each time
// (build-cases.test.ts), so a fourth of them is enough here: COOPER_TEST_BUILDAH=all takes the rest, too.
const all = process.env.COOPER_TEST_BUILDAH === 'all' || process.env.COOPER_TEST_CASES !== undefined;
const names = (await caseNames()).filter((name) => all || inSample(name));
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
    test(name, async (context) => {
      const reason = await caseFile(name, 'buildah');
      if (reason) return context.skip(reason.trim());
      const subject = await prepareCase(name, directory, reference);
      const [theirs, ours] = await Promise.all([peer.build(subject), own.build(subject)]);
      const why = [theirs, ours].flatMap(({ error }) => (error ? [error] : [])).join('\n');
      assert.deepEqual(difference(theirs.lines, ours.lines), await knownDifference(name, 'differs.md'), why);
    });
  }
});

/** By its name alone: a new case does not change which of the others are taken. */
function inSample(name: string): boolean {
  return createHash('sha256').update(name).digest().readUInt8() % 4 === 0;
}

async function reasonToSkip(): Promise<string | false> {
  if (process.getuid?.() !== 0) return 'not root: only root can read what both have made with its owners';
  return (await missingProgram(['buildah', 'umoci', 'skopeo', 'docker-registry'])) ?? false;
}
