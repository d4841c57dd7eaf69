import assert from 'node:assert/strict';
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { busyboxBase, pushBase } from '../support/bases.ts';
import { type Cooper, type Installation, makeCooper } from '../support/cooper.ts';
import { lastLayer } from '../support/layer-entries.ts';
import { modes } from '../support/modes.ts';
import { type Registry, startRegistry } from '../support/registry.ts';
import { tool } from '../support/tools.ts';
import { assertValid } from '../support/valid.ts';

const epoch = 1_500_000_000;

const dockerfile = (base: string) => `FROM ${base}
ARG SOURCE_DATE_EPOCH
WORKDIR /made/by/workdir
COPY young old /implied/parents/
COPY <<EOT /heredoc/file
hello
EOT
RUN mkdir /by-run && ln -s x /by-run/link && echo "$SOURCE_DATE_EPOCH" >/by-run/now && touch -d @1000 /by-run/old && rm /etc/hostname || :
RUN find /made /implied /heredoc /by-run -exec stat -c '%Y %n' {} + | awk '$1 > ${epoch}' >/too-young
LABEL a=b
`;

for (const { name, reason, install } of modes) {
  describe(`an epoch, ${name}`, { concurrency: false, skip: reason ?? false }, () => {
    let installation: Installation & AsyncDisposable;
    let registry: Registry;
    let base: string;

    before(async () => {
      installation = await install();
      registry = await startRegistry();
      base = await pushBase(await busyboxBase(), registry, 'busybox');
    });

    after(async () => {
      await registry?.[Symbol.asyncDispose]();
      await installation?.[Symbol.asyncDispose]();
    });

    test('two builds, in two stores, at two times, give one digest', async () => {
      const options = { env: { SOURCE_DATE_EPOCH: String(epoch) } };
      const digests: string[] = [];
      for (const young of [1_700_000_000, 1_710_000_000]) {
        await using cooper = await makeCooper(installation);
        const context = await contextOf(cooper, base, young);
        const { digest } = await cooper.built(['-t', 'x', context], options);
        await assertValid(cooper.root, 'x');
        assert.equal(await cooper.ok(['run', '--rm', 'x', 'cat', '/by-run/now', '/too-young']), `${epoch}\n`);
        digests.push(digest ?? '');
      }
      assert.equal(digests[0], digests[1]);
    });

    test('the config and the new rows have that time, those of the base their own', async () => {
      await using cooper = await makeCooper(installation);
      const context = await contextOf(cooper, base, 1_700_000_000);
      await cooper.built(['-t', 'x', '--build-arg', `SOURCE_DATE_EPOCH=${epoch}`, context]);
      await cooper.built(['-t', 'base', '-f', '-', context], { input: `FROM ${base}\n` });
      const [image] = JSON.parse(await cooper.ok(['inspect', 'x'])) as { Created: string }[];
      assert.equal(image?.Created, '2017-07-14T02:40:00Z');
      const rows = async (which: string) => JSON.parse(await cooper.ok(['history', '--json', which])) as { created: string }[];
      const [all, own] = [await rows('x'), await rows('base')];
      assert.deepEqual([...new Set(all.slice(0, all.length - own.length).map(({ created }) => created))], ['2017-07-14T02:40:00Z']);
      assert.deepEqual(all.slice(all.length - own.length), own);
    });

    test('what is older keeps its time', async () => {
      await using cooper = await makeCooper(installation);
      const context = await contextOf(cooper, base, 1_700_000_000);
      const copied = `FROM ${base}\nCOPY young old /implied/parents/\n`;
      const { digest } = await cooper.built(['--build-arg', `SOURCE_DATE_EPOCH=${epoch}`, '-f', '-', context], { input: copied });
      const entries = await lastLayer(cooper.root, digest ?? '');
      const times = [...entries].map(([path, { mtime }]) => [path.replace(/\/$/, ''), mtime]);
      assert.deepEqual(Object.fromEntries(times), {
        implied: epoch,
        'implied/parents': epoch,
        'implied/parents/old': 1000,
        'implied/parents/young': epoch,
      });
    });

    test('--reproducible takes the time of the commit', async () => {
      await using cooper = await makeCooper(installation);
      const context = await contextOf(cooper, base, 1_700_000_000);
      const refused = await cooper.build(['--reproducible', context]);
      assert.match(refused.stderr, /no git commit/);
      await tool('git', ['-C', context, 'init', '-q']);
      const as = ['-c', 'user.name=a', '-c', 'user.email=a@host.test'];
      const commit = ['git', '-C', context, ...as, 'commit', '-q', '--allow-empty', '-m', 'x'];
      await tool('env', ['GIT_COMMITTER_DATE=@1400000000 +0000', ...commit]);
      await cooper.built(['-t', 'x', '--reproducible', context]);
      const [image] = JSON.parse(await cooper.ok(['inspect', 'x'])) as { Created: string }[];
      assert.equal(image?.Created, '2014-05-13T16:53:20Z');
    });
  });
}

async function contextOf(cooper: Cooper, base: string, young: number): Promise<string> {
  const context = await cooper.context('context', { Dockerfile: dockerfile(base), young: 'y', old: 'o' });
  await utimes(join(context, 'young'), young, young);
  await utimes(join(context, 'old'), 1000, 1000);
  return context;
}
