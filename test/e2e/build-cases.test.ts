import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { busyboxBase, pushBase } from '../support/bases.ts';
import { caseBase, caseFile, caseNames, casesFolder, difference, knownDifference, lines, prepareCase } from '../support/cases.ts';
import { type Cooper, here, type Installation, makeCooper } from '../support/cooper.ts';
import { contentLines, startReader, storedBase, type ToldConfig, withoutFreeTimes } from '../support/image-tree.ts';
import { startRegistry } from '../support/registry.ts';
import { installForUser, whyNotRootless } from '../support/rootless.ts';
import { tool } from '../support/tools.ts';
import { assertValid } from '../support/valid.ts';

// Each folder of fixtures/cases is built by root and by a user without any right. The merged tree, the config and the history must be what
// BuildKit has made of it: test/support/cases.ts says what a folder holds.

const names = await caseNames();
const root = process.getuid?.() === 0;

for (const { who, installation, skip } of [
  { who: 'root', installation: async () => ({ ...here, async [Symbol.asyncDispose]() {} }), skip: root ? false : 'not root' },
  { who: 'a user without rights', installation: installForUser, skip: (await whyNotRootless()) ?? false },
] as const) {
  describe(`the same as BuildKit: ${who}`, { concurrency: 2, skip }, () => {
    let installed: Installation & AsyncDisposable;
    let builder: Builder;

    before(async () => {
      installed = await installation();
      builder = await makeBuilder(installed);
    });

    after(async () => {
      await builder?.[Symbol.asyncDispose]();
      await installed?.[Symbol.asyncDispose]();
    });

    for (const name of names) {
      // A config and an error are the same for all: rights matter where files are made.
      if (who !== 'root' && !existsSync(join(casesFolder, name, 'rootless')) && !makesFiles(name)) continue;
      test(name, async (context) => {
        const reason = who === 'root' ? undefined : await caseFile(name, 'rootless');
        if (reason) return context.skip(reason.trim());
        const [ours, theirs] = await Promise.all([builder.build(name), recorded(name)]);
        assert.deepEqual(
          difference(theirs, withoutFreeTimes(theirs, ours.lines)),
          await knownDifference(name, 'expected/differs.md'),
          ours.error,
        );
        const error = await caseFile(name, 'error');
        assert.ok(error === undefined ? ours.error === undefined : ours.error?.includes(error.trim()), ours.error ?? 'it should fail');
      });
    }
  });
}

function makesFiles(name: string): boolean {
  const tree = join(casesFolder, name, 'expected/tree');
  return existsSync(tree) && statSync(tree).size > 0;
}

/** What BuildKit has made of a case: fixtures/cases/<name>/expected. */
async function recorded(name: string): Promise<readonly string[]> {
  const config = await caseFile(name, 'expected/config.json');
  if (config !== undefined) {
    const tree = lines((await caseFile(name, 'expected/tree')) ?? '');
    return contentLines({ tree, config: JSON.parse(config) as ToldConfig });
  }
  assert.ok((await caseFile(name, 'expected/error')) !== undefined, `nothing is recorded: npm run record-cases -- ${name}`);
  return [failure];
}

const failure = 'the build fails';

/** Builds cases, all in one store. */
interface Builder extends AsyncDisposable {
  build(name: string): Promise<{ lines: readonly string[]; error?: string }>;
}

async function makeBuilder(installation: Installation): Promise<Builder> {
  const cooper = await makeCooper(installation);
  const reader = startReader(await pullBase(cooper));
  const contexts = await mkdtemp(join(installation.temporary, 'cooper-cases-'));
  await giveAway(contexts, installation);
  return {
    async build(name) {
      const { context, args } = await prepareCase(name, contexts, caseBase);
      await giveAway(context, installation);
      const built = await cooper.built(['-t', name, ...args, context]).catch((error: Error) => error);
      await rm(context, { recursive: true, force: true });
      if (built instanceof Error) return { lines: [failure], error: built.message };
      await assertValid(cooper.root, name);
      return { lines: contentLines(await reader.read({ blobs: join(cooper.root, 'blobs'), manifest: built.digest })) };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([reader[Symbol.asyncDispose](), cooper[Symbol.asyncDispose](), rm(contexts, { recursive: true, force: true })]);
    },
  };
}

/** The base gets a name at which nobody answers, so it is taken from the store; and the name is the same each time, for it may stand in a history. */
async function pullBase(cooper: Cooper): ReturnType<typeof storedBase> {
  const base = await busyboxBase();
  await using registry = await startRegistry();
  const reference = await pushBase(base, registry, 'busybox');
  await cooper.ok(['pull', reference]);
  await cooper.ok(['tag', reference, caseBase]);
  return storedBase(base);
}

/** A user must be able to read a context, as root's is read by root. */
async function giveAway(path: string, { owner }: Installation): Promise<void> {
  if (owner) await tool('python3', [join(import.meta.dirname, '../support/give_away.py'), path, `${owner.uid}`, `${owner.gid}`]);
}
