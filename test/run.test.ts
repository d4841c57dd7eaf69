import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Digest } from '../src/oci/digest.ts';
import { type RunOptions, runContainer } from '../src/run.ts';
import { openSession } from '../src/session.ts';
import { mountsBelow } from './support/intact.ts';
import { type Bench, busyboxStage, makeBench } from './support/library.ts';
import { freePort, page } from './support/ports.ts';

const image = `${busyboxStage}RUN mkdir -p /data/sub && echo seed >/data/seed && chown -R app /data
ENV GREETING=hello
`;

interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly warnings: readonly string[];
}

/** Runs `sh -c script` in the image `box`, to its end. */
async function run(bench: Bench, script: string, options: Partial<RunOptions> = {}): Promise<Ran> {
  const said = { stdout: '', stderr: '' };
  const warnings: string[] = [];
  const { exitCode } = await runContainer(
    {
      root: bench.root,
      image: 'box',
      argv: ['sh', '-c', script],
      env: [],
      volumes: [],
      ports: [],
      network: 'none',
      onOutput: (stream, bytes) => {
        said[stream] += Buffer.from(bytes).toString();
      },
      onWarning: (message) => warnings.push(message),
      ...options,
    },
    new AbortController().signal,
  );
  return { exitCode, ...said, warnings };
}

async function box(more = ''): Promise<Bench> {
  const bench = await makeBench({ Dockerfile: image + more });
  await bench.built({ tags: ['box'] });
  return bench;
}

test('output and exit status are those of the program', async () => {
  await using bench = await box();
  const { exitCode, stdout, stderr } = await run(bench, 'echo out; echo err >&2; exit 7');
  assert.deepEqual({ exitCode, stdout, stderr }, { exitCode: 7, stdout: 'out\n', stderr: 'err\n' });
  assert.deepEqual(mountsBelow(bench.directory), []);
  assert.deepEqual(await readdir(join(bench.root, 'tmp')), []);
});

test('the environment is that of the image, and what the caller adds or replaces', async () => {
  await using bench = await box();
  assert.equal((await run(bench, 'echo $GREETING $PATH $HOME')).stdout, 'hello /bin /root\n');
  assert.equal((await run(bench, 'echo $GREETING $MORE', { env: ['GREETING=good day', 'MORE=a=b'] })).stdout, 'good day a=b\n');
  process.env.OF_THE_CALLER = 'secret';
  assert.doesNotMatch((await run(bench, 'env')).stdout, /OF_THE_CALLER/);
});

test('user and workdir are those of the image, unless the caller says others', async () => {
  await using bench = await box('USER app\nWORKDIR /data\n');
  const who = 'echo $(id -u):$(id -g) $(id -G) $PWD $HOME';
  assert.equal((await run(bench, who)).stdout, '1234:2345 2345 3456 /data /home/app\n');
  assert.equal((await run(bench, who, { user: '0', workdir: '/bin' })).stdout, '0:0 0 /bin /root\n');
  assert.equal((await run(bench, who, { user: '42:43' })).stdout, '42:43 43 /data /\n');
  await assert.rejects(run(bench, who, { user: 'nobody2' }), { code: 'USER_NOT_FOUND' });
});

test('arguments take the place of CMD, an entrypoint that of both', async () => {
  await using bench = await box('ENTRYPOINT ["echo", "entry"]\nCMD ["cmd"]\n');
  assert.equal((await run(bench, '', { argv: [] })).stdout, 'entry cmd\n');
  assert.equal((await run(bench, '', { argv: ['own'] })).stdout, 'entry own\n');
  assert.equal((await run(bench, '', { argv: ['own'], entrypoint: 'printf' })).stdout, 'own');
  assert.equal((await run(bench, '', { argv: ['echo', 'bare'], entrypoint: '' })).stdout, 'bare\n');
  await assert.rejects(run(bench, '', { argv: [], entrypoint: '' }), { code: 'ARG_INVALID' });
});

test('an image that says nothing of PATH, and an empty text for its directory, runs as with Docker', async () => {
  await using bench = await box();
  {
    await using session = await openSession(bench.root);
    const { blobs, refs } = session.store;
    const read = async (digest: Digest) => JSON.parse((await blobs.readBytes(digest, 1 << 20)).toString());
    const manifest = await read((await refs.get('docker.io/library/box:latest'))?.descriptor.digest as Digest);
    const config = { ...(await read(manifest.config.digest)), config: { WorkingDir: '' } };
    const changed = { ...manifest, config: await blobs.put(Buffer.from(JSON.stringify(config)), manifest.config.mediaType) };
    await refs.set('docker.io/library/box:latest', await blobs.put(Buffer.from(JSON.stringify(changed)), manifest.mediaType));
  }
  const { stdout } = await run(bench, 'echo $PWD $PATH');
  assert.equal(stdout, '/ /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n');
});

test('a program that is not there ends with 127, as in a shell', async () => {
  await using bench = await box();
  assert.equal((await run(bench, '', { argv: ['/no/such'] })).exitCode, 127);
});

test('an image that is not there, and cannot be pulled, is told', async () => {
  await using bench = await box();
  await assert.rejects(run(bench, '', { image: 'f00ff00ff00f' }), { code: 'IMAGE_NOT_FOUND' });
});

test('what a container writes is gone with it', async () => {
  await using bench = await box();
  assert.equal((await run(bench, 'echo x >/written && cat /written')).stdout, 'x\n');
  assert.equal((await run(bench, 'test -e /written')).exitCode, 1);
});

test('a host directory can be written to, unless it is given to read only', async () => {
  await using bench = await box();
  const host = join(bench.directory, 'host');
  await mkdir(host);
  await writeFile(join(host, 'given'), 'from the host\n');
  const volume = { host, target: '/mnt/in', readonly: false };
  assert.equal((await run(bench, 'cat /mnt/in/given; echo back >/mnt/in/made', { volumes: [volume] })).stdout, 'from the host\n');
  assert.equal(await readFile(join(host, 'made'), 'utf8'), 'back\n');
  const refused = await run(bench, 'cat /mnt/in/given; echo no >/mnt/in/more', { volumes: [{ ...volume, readonly: true }] });
  assert.notEqual(refused.exitCode, 0);
  assert.match(refused.stderr, /Read-only/);
  assert.deepEqual((await readdir(host)).toSorted(), ['given', 'made']);
});

test('a volume of the image begins with what the image has there, anew in each container', async () => {
  await using bench = await box('VOLUME /data\n');
  const script = 'stat -c %u /data/seed; cat /data/seed; echo changed >/data/seed; cat /data/seed; ls -d /data/sub';
  for (const _ of ['first', 'second']) assert.equal((await run(bench, script)).stdout, '1234\nseed\nchanged\n/data/sub\n');
});

test('a volume has all that the image has at its place, however deep', async () => {
  const deep = `/data/${'d/'.repeat(250)}`;
  const list = 'find /data | sort | xargs stat -c "%n %F %a %u:%g %t:%T %Y"';
  const make = [
    `mkdir -p ${deep} && echo deep >${deep}file && ln -s nowhere /data/link && mkfifo -m 640 /data/pipe && mknod -m 600 /data/null c 1 3`,
    `chown -h app /data/link /data/pipe && chmod 4755 /data/seed && chmod 2751 /data/sub && touch -d @1500000000 ${deep} /data/sub /data`,
    `${list} >/list`,
  ];
  await using bench = await box(`RUN ${make.join(' && ')}\nVOLUME /data\n`);
  const { exitCode, stdout } = await run(bench, `${list} >/found; diff /list /found && wc -l </list && cat ${deep}file`);
  assert.deepEqual({ exitCode, stdout }, { exitCode: 0, stdout: '257\ndeep\n' });
});

test('a host directory takes the place of a volume of the image, however its path is written', async () => {
  await using bench = await box('VOLUME /data\n');
  const host = join(bench.directory, 'host');
  await mkdir(host);
  await chmod(host, 0o777);
  await run(bench, 'echo kept >/data/file', { volumes: [{ host, target: '/data/', readonly: false }] });
  assert.equal(await readFile(join(host, 'file'), 'utf8'), 'kept\n');
});

test('a published port is answered, in two containers of one image at once, which share no file', async () => {
  await using bench = await box();
  const abort = new AbortController();
  const serve = 'mkdir /www && echo $NAME >/www/index.html && exec httpd -f -p 80 -h /www';
  const containers = await Promise.all(
    ['left', 'right'].map(async (name) => {
      const hostPort = await freePort();
      const ended = runContainer(
        {
          root: bench.root,
          image: 'box',
          argv: ['sh', '-c', serve],
          env: [`NAME=${name}`],
          volumes: [],
          ports: [{ hostIP: '127.0.0.1', hostPort, port: 80, protocol: 'tcp' }],
          network: 'default',
          onOutput: () => {},
          onWarning: () => {},
        },
        abort.signal,
      );
      return { name, hostPort, ended, over: ended.catch((error) => error) };
    }),
  );
  for (const { name, hostPort, over } of containers) assert.equal(await page(`http://127.0.0.1:${hostPort}/`, over), `${name}\n`);
  abort.abort(new Error('seen enough'));
  for (const { ended } of containers) await assert.rejects(ended, /seen enough/);
  assert.deepEqual(await readdir(join(bench.root, 'tmp')), []);
});

test('signals are passed on to the program', async () => {
  await using bench = await box();
  const begun = Promise.withResolvers<void>();
  async function* signals(): AsyncGenerator<number> {
    await begun.promise;
    yield 15;
  }
  const { exitCode } = await run(bench, 'trap "exit 9" TERM; echo ready; while :; do usleep 1000; done', {
    signals: signals(),
    onOutput: () => begun.resolve(),
  });
  assert.equal(exitCode, 9);
});
