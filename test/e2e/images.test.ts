import assert from 'node:assert/strict';
import { readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { debianBase, pushBase } from '../support/bases.ts';
import { type Built, type Cooper, copyFixture, makeCooper, type Running } from '../support/cooper.ts';
import { freePort, page, redis } from '../support/ports.ts';
import { type Registry, startRegistry } from '../support/registry.ts';
import { packageSecrets } from '../support/secrets.ts';
import { assertValid } from '../support/valid.ts';

// Five images as people write them, each FROM a Debian. They are built once, run, and built again with changes.

/** `file` of the context has `from` once; with `to` in its place the steps of `again` have to run, and no others. */
const fixtures = [
  { name: 'nginx', file: 'site/index.html', from: 'bung', to: 'lid', again: ['COPY site/ /srv/www/'] },
  { name: 'redis', file: 'Dockerfile', from: '60 1', to: '61 1', again: [] },
  { name: 'python', file: 'app/__main__.py', from: 'chestnut', to: 'acacia', again: ['COPY app/ app/'] },
  {
    name: 'node',
    file: 'src/server.ts',
    from: 'user',
    to: 'User',
    again: ['COPY src/ src/', 'RUN npm run build', 'COPY --from=build /src/dist/server.cjs /app/'],
  },
  {
    name: 'java',
    file: 'src/org/example/Server.java',
    from: '"java "',
    to: '"Java "',
    again: ['COPY src/ ./', /^RUN javac/, 'COPY --from=build /src/app.jar /app/'],
  },
] as const;

type Name = (typeof fixtures)[number]['name'];

describe('five real images', { concurrency: false }, () => {
  let cooper: Cooper;
  let registry: Registry;
  let flags: string[];
  const contexts = new Map<Name, string>();
  const first = new Map<Name, Built>();

  before(async () => {
    cooper = await makeCooper();
    registry = await startRegistry();
    const base = await pushBase(await debianBase(), registry, 'debian');
    flags = [`--build-arg=BASE=${base}`, ...(await packageSecrets(cooper))];
  });

  after(async () => {
    await cooper?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
  });

  const build = (name: Name, ...more: string[]): Promise<Built> =>
    cooper.built(['-t', `fixture-${name}`, ...flags, ...more, contexts.get(name) ?? '']);
  const pathOf = (name: Name, file: string): string => join(contexts.get(name) ?? '', file);
  const run = (name: Name, ...args: string[]): Running => cooper.start(['run', '--rm', ...args, `fixture-${name}`]);

  for (const { name } of fixtures) {
    test(`${name} is built`, async () => {
      contexts.set(name, await copyFixture(cooper, name));
      const built = await build(name);
      assert.notEqual(built.digest, '');
      first.set(name, built);
      await assertValid(cooper.root, `fixture-${name}`);
    });
  }

  test('nginx serves its page to the outside', async () => {
    const port = await freePort();
    const nginx = run('nginx', '-p', `127.0.0.1:${port}:8080`);
    assert.match(await page(`http://127.0.0.1:${port}/`, nginx.ended), /Staves, hoops and a bung/);
    assert.equal((await nginx.stop('SIGTERM')).status, 0);
  });

  test('three containers of one Redis run at the same time, each with data of its own', async () => {
    const servers = await Promise.all(
      ['oak', 'ash', 'elm'].map(async (wood) => {
        const port = await freePort();
        const { ended, stop } = bound(run('redis', '-p', `127.0.0.1:${port}:6379`));
        return { wood, port, ended, stop };
      }),
    );
    for (const { wood, port, ended } of servers) {
      assert.deepEqual(await redis(port, ['PING', `SET wood ${wood}`, 'SAVE'], ended), ['+PONG', '+OK', '+OK']);
    }
    for (const { wood, port, ended } of servers) {
      assert.deepEqual(await redis(port, ['GET wood', 'DBSIZE'], ended), [wood, ':1']);
    }
    for (const { stop } of servers) assert.equal((await stop('SIGTERM')).status, 0);
  });

  test('a new Redis has none of the data of an old one', async () => {
    const port = await freePort();
    const server = run('redis', '-p', `127.0.0.1:${port}:6379`);
    assert.deepEqual(await redis(port, ['DBSIZE'], server.ended), [':0']);
    await server.stop('SIGTERM');
  });

  for (const { name, want } of [
    { name: 'python', want: '1 oak\n2 ash\n3 chestnut\nuser 1500' },
    { name: 'node', want: '<p>/</p> user 65534\n' },
    { name: 'java', want: 'java 17\n' },
  ] as const) {
    test(`${name} answers over HTTP`, async () => {
      const port = await freePort();
      const server = run(name, '-p', `127.0.0.1:${port}:8000`);
      assert.equal(await page(`http://127.0.0.1:${port}/`, server.ended), want);
      await server.stop('SIGTERM');
    });
  }

  for (const { name, file, from, to, again } of fixtures) {
    test(`${name}: a second build runs no step and gives the same digest`, async () => {
      const second = await build(name);
      assert.deepEqual(second.ran, []);
      assert.equal(second.digest, first.get(name)?.digest);
    });

    test(`${name}: a new mtime changes nothing`, async () => {
      await utimes(pathOf(name, file), new Date(), new Date(Date.now() + 3_600_000));
      const touched = await build(name);
      assert.deepEqual(touched.ran, []);
      assert.equal(touched.digest, first.get(name)?.digest);
    });

    test(`${name}: other bytes run exactly the steps after them`, async () => {
      await edit(pathOf(name, file), from, to);
      const { ran, digest } = await build(name);
      assert.equal(ran.length, again.length, `ran ${JSON.stringify(ran)}`);
      for (const [at, want] of again.entries()) {
        if (typeof want === 'string') assert.equal(ran[at], want);
        else assert.match(ran[at] ?? '', want);
      }
      assert.notEqual(digest, first.get(name)?.digest);
    });
  }

  test('node: a change that the build step does not show ends there', async () => {
    await edit(pathOf('node', 'src/server.ts'), '// The first', '// The very first');
    const { ran, cached } = await build('node');
    assert.deepEqual(ran, ['COPY src/ src/', 'RUN npm run build']);
    assert.ok(cached.includes('COPY --from=build /src/dist/server.cjs /app/'));
  });

  test('two builds of the same image at the same time end well, with the same digest', async () => {
    const context = await copyFixture(cooper, 'nginx');
    const builds = await Promise.all([1, 2].map((n) => cooper.built(['--no-cache', '-t', `twice-${n}`, ...flags, context])));
    const [one, two] = builds;
    assert.notEqual(one?.digest, '');
    for (const n of [1, 2]) await assertValid(cooper.root, `twice-${n}`);
    // apt logs the time of day into the layer, so two runs of the same step differ; a third build takes what one of them left.
    const third = await cooper.built(['-t', 'twice-3', ...flags, context]);
    assert.deepEqual(third.ran, []);
    assert.ok([one?.digest, two?.digest].includes(third.digest));
  });
});

async function edit(path: string, from: string, to: string): Promise<void> {
  const text = await readFile(path, 'utf8');
  assert.equal(text.split(from).length, 2, `"${from}" stands once in ${path}`);
  await writeFile(path, text.replace(from, to));
}

/** Methods that can be handed on alone. */
function bound(running: Running): { ended: Running['ended']; stop: Running['stop'] } {
  return { ended: running.ended, stop: (signal) => running.stop(signal) };
}
