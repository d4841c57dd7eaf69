import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { busyboxBase, pushBase } from '../support/bases.ts';
import { type Cooper, makeCooper } from '../support/cooper.ts';
import { type Fault, startFaultyRegistry } from '../support/faulty-registry.ts';
import { assertIntact } from '../support/intact.ts';
import { freePort } from '../support/ports.ts';
import { type Registry, startRegistry } from '../support/registry.ts';

interface Case {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly status: 1 | 2;
  /** All of them stand in the message: place, code, source line, hint. */
  readonly says: readonly (string | RegExp)[];
}

/** `BASE` is a busybox in a registry. */
const cases: readonly Case[] = [
  {
    name: 'there is no Dockerfile',
    files: { a: '' },
    status: 2,
    says: ['[DOCKERFILE_MISSING]', /there is no "Dockerfile" in ".*"/, /hint: .*-f/],
  },
  {
    name: 'an unknown instruction',
    files: { Dockerfile: 'FROM scratch\nCOPPY a /b\n', a: '' },
    status: 1,
    says: ['Dockerfile:2:1: error:', 'COPPY', '  2 | COPPY a /b', '^^^^^', /hint: .*COPY/],
  },
  {
    name: 'a missing COPY source, with a name that is near',
    files: { Dockerfile: 'FROM scratch\nCOPY dist/ap.js /srv/\n', 'dist/app.js': '' },
    status: 1,
    says: [
      'Dockerfile:2:6: error:',
      '"dist/ap.js" is not in the build context',
      '[COPY_SOURCE_MISSING]',
      '  2 | COPY dist/ap.js /srv/',
      /hint: .*app\.js/,
    ],
  },
  {
    name: 'a COPY source that .dockerignore took',
    files: { Dockerfile: 'FROM scratch\nCOPY dist/app.js /srv/\n', 'dist/app.js': '', '.dockerignore': '# what is built\n\ndist\n' },
    status: 1,
    says: [
      'Dockerfile:2:6: error:',
      '[COPY_SOURCE_MISSING]',
      '  2 | COPY dist/app.js /srv/',
      'hint: .dockerignore line 3 ("dist") leaves it out',
    ],
  },
  {
    name: 'a missing source in a stage',
    files: { Dockerfile: 'FROM BASE AS build\nRUN true\nFROM scratch\nCOPY --from=build /nothing/here /\n' },
    status: 1,
    says: ['Dockerfile:4:', '"/nothing/here"', '[COPY_SOURCE_MISSING]', '  4 | COPY --from=build /nothing/here /'],
  },
  {
    name: 'a target that is no stage',
    files: { Dockerfile: 'FROM scratch AS build\nCOPY a /\n', a: '' },
    args: ['--target', 'biuld'],
    status: 1,
    says: ['no stage is named "biuld"', '[STAGE_NOT_FOUND]', 'hint: did you mean "build"?'],
  },
  {
    name: 'a --from that is no stage yet',
    files: { Dockerfile: 'FROM scratch AS one\nCOPY --from=two /a /\nFROM scratch AS two\nCOPY a /\n', a: '' },
    args: ['--target', 'one'],
    status: 1,
    says: ['Dockerfile:2:', '[STAGE_NOT_FOUND]', '  2 | COPY --from=two /a /', /hint: .*line 3/],
  },
  {
    name: 'a RUN that fails',
    files: { Dockerfile: 'FROM BASE\nWORKDIR /app\nRUN echo first; echo last words >&2; exit 7\n' },
    status: 1,
    says: ['Dockerfile:3:1: error:', 'ended with exit status 7', '[RUN_FAILED]', '  3 | RUN echo first;', '| last words', '3/3'],
  },
  {
    name: 'a RUN whose program is not there',
    files: { Dockerfile: 'FROM BASE\nRUN nosuchprogram --now\n' },
    status: 1,
    says: ['Dockerfile:2:1: error:', '127', '[RUN_FAILED]', '  2 | RUN nosuchprogram --now', /hint: /],
  },
  {
    name: 'an unknown user',
    files: { Dockerfile: 'FROM BASE\nUSER nosuchuser\nRUN true\n' },
    status: 1,
    says: [/Dockerfile:\d:/, 'nosuchuser', '[USER_NOT_FOUND]', /hint: /],
  },
  {
    name: 'an unknown base image',
    files: { Dockerfile: 'FROM HOST/no/such:image\n' },
    status: 1,
    says: ['Dockerfile:1:', 'no/such:image', '[BASE_NOT_FOUND]', '  1 | FROM ', /hint: /],
  },
  {
    name: 'a registry that is down',
    files: { Dockerfile: 'FROM DOWN/busybox:latest\n' },
    status: 1,
    says: ['Dockerfile:1:', '[REGISTRY_UNREACHABLE]', '  1 | FROM ', /hint: nothing listens/],
  },
  {
    name: 'a secret that was not given',
    files: { Dockerfile: 'FROM BASE\nRUN --mount=type=secret,id=token,required=true cat /run/secrets/token\n' },
    status: 1,
    says: ['Dockerfile:2:', '"token"', '[SECRET_MISSING]', '  2 | RUN --mount', /hint: .*--secret/],
  },
  { name: 'an unknown option', files: {}, args: ['--tga', 'x'], status: 2, says: ['[UNKNOWN_OPTION]', /hint: .*--tag/] },
];

/** A base image whose registry does something wrong. */
const faults: readonly { fault: Fault; says: readonly (string | RegExp)[] }[] = [
  { fault: 401, says: ['[REGISTRY_AUTH]', /hint: .*config\.json/] },
  { fault: 404, says: ['[BASE_NOT_FOUND]', /hint: /] },
  { fault: 500, says: ['[REGISTRY_FAILED]', '500', /hint: /] },
  { fault: 'wrong blob', says: ['[IMAGE_INVALID]', 'sha256:'] },
  { fault: 'half a blob', says: ['[IMAGE_INVALID]', 'only in part', /hint: /] },
];

describe('bad input', { concurrency: false }, () => {
  let registry: Registry;
  let base: string;
  let down: string;

  before(async () => {
    registry = await startRegistry();
    base = await pushBase(await busyboxBase(), registry, 'busybox');
    down = `127.0.0.1:${await freePort()}`;
  });

  after(() => registry?.[Symbol.asyncDispose]());

  for (const { name, files, args = [], status, says } of cases) {
    test(name, async () => {
      await using cooper = await makeCooper();
      const text = files.Dockerfile?.replaceAll('BASE', base).replaceAll('HOST', registry.host).replaceAll('DOWN', down);
      const context = await cooper.context('context', { ...files, ...(text !== undefined && { Dockerfile: text }), '.keep': '' });
      await assertRefused(cooper, [...args, context], status, says);
      await assertIntact(cooper);
    });
  }

  test('there is no context', async () => {
    await using cooper = await makeCooper();
    await assertRefused(cooper, ['nowhere'], 2, ['[CONTEXT_INVALID]', 'nowhere', /hint: /]);
  });

  for (const { fault, says } of faults) {
    test(`a registry that gives ${fault}`, async () => {
      await using cooper = await makeCooper();
      await using faulty = await startFaultyRegistry(registry.host, fault);
      // The RUN needs the files, so that the layers are fetched.
      const context = await cooper.context('context', { Dockerfile: `FROM ${faulty.host}/busybox:latest\nRUN true\n` });
      await assertRefused(cooper, [context], 1, [...says, /Dockerfile:1:\d+: error:/, `  1 | FROM ${faulty.host}/busybox:latest`]);
      await assertIntact(cooper);
    });

    test(`a pull from a registry that gives ${fault}`, async () => {
      await using cooper = await makeCooper();
      await using faulty = await startFaultyRegistry(registry.host, fault);
      const { status, stderr } = await cooper.run(['pull', `${faulty.host}/busybox:latest`]);
      assert.equal(status, 1, stderr);
      assert.equal(await cooper.ok(['images', '-q']), '');
      await assertIntact(cooper);
    });
  }

  test('a build that fails leaves the cache of the steps before it', async () => {
    await using cooper = await makeCooper();
    const dockerfile = (last: string): string => `FROM ${base}\nRUN echo one >/one\nRUN ${last}\n`;
    const context = await cooper.context('context', { Dockerfile: dockerfile('false') });
    assert.equal((await cooper.build([context])).status, 1);
    await cooper.context('context', { Dockerfile: dockerfile('true') });
    assert.deepEqual((await cooper.built([context])).ran, ['RUN true']);
  });
});

async function assertRefused(cooper: Cooper, args: readonly string[], status: number, says: readonly (string | RegExp)[]): Promise<void> {
  const ended = await cooper.run(['build', '--progress', 'plain', ...args]);
  assert.equal(ended.status, status, ended.stderr);
  assert.equal(ended.stdout, '');
  for (const want of says) {
    if (typeof want === 'string') assert.ok(ended.stderr.includes(want), `"${want}" is not in:\n${ended.stderr}`);
    else assert.match(ended.stderr, want);
  }
}
