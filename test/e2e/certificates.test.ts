import assert from 'node:assert/strict';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeCanary } from '../support/canary.ts';
import { type Cooper, type Installation, makeCooper } from '../support/cooper.ts';
import { messageOf, outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';
import { ipv4, localBase, type MachineNetwork, machineNetwork, startThere } from '../support/network.ts';
import { tool } from '../support/tools.ts';

// --ca-certificates: an authority that the image does not know, and a server that it vouches for. curl and openssl are this machine's own.

const bundle = '/etc/ssl/certs/ca-certificates.crt';
const url = 'https://192.0.2.10:8443/';

/** What steps do to a bundle. Of none may anything of the added authority stay. */
const steps: readonly string[] = [
  'true',
  'touch /etc/ssl/new',
  `chmod 600 ${bundle}`,
  `echo "# mine" >>${bundle}`,
  `cp ${bundle} /tmp/copy && mv /tmp/copy ${bundle}`,
  `echo "# new" >/tmp/new && mv /tmp/new ${bundle}`,
  `rm ${bundle}`,
  `rm ${bundle} && mkdir ${bundle}`,
];

for (const mode of modes) {
  describe(`certificates as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    const cleanup = new AsyncDisposableStack();
    let installation: Installation;
    let network: MachineNetwork;
    let authority: string;
    let context: string;
    let shared: Cooper;

    before(async () => {
      const plain = cleanup.use(await mode.install());
      network = cleanup.use(await machineNetwork(ipv4));
      installation = { ...plain, command: [...network.prefix, ...plain.command] };
      shared = await made();
      const { directory } = shared;
      context = join(directory, 'context');
      authority = join(directory, 'authority.crt');
      await mkdir(join(context, 'tools'), { recursive: true });
      const identity = await makeAuthority(directory);
      cleanup.use(await startThere(network, 'small-servers.ts', ['tls', identity, '192.0.2.10']));
      await copyTools(join(context, 'tools'));
      await tool('openssl', [
        'req',
        '-x509',
        ...newKey(join(directory, 'other.key')),
        '-out',
        join(context, 'bundle.crt'),
        '-subj',
        '/CN=other',
      ]);
      await tool('chmod', ['-R', 'a+rX', directory]);
    });

    after(() => cleanup.disposeAsync());

    const made = async (): Promise<Cooper> => cleanup.use(await makeCooper(installation));

    /** An image with tools and a bundle, and these steps. */
    async function build(scripts: readonly string[], args: readonly string[] = []) {
      const lines = ['FROM base', 'COPY tools /', `COPY bundle.crt ${bundle}`, `RUN ln -s ${bundle} /etc/ssl/cert.pem`];
      await writeFile(join(context, 'Dockerfile'), [...lines, ...scripts.map((script) => `RUN ${script}`), ''].join('\n'));
      return shared.build([...args, ...(await localBase(shared)), context]);
    }

    test('programs trust the authority, and without the option they do not', async () => {
      const connect = `openssl s_client -connect ${url.slice(8, -1)} -verify_return_error </dev/null >/dev/null 2>&1; echo $?`;
      const scripts = [
        `curl -s -o /dev/null ${url}; echo $?; ${connect}`,
        // By the file alone, with no variable.
        `env -u SSL_CERT_FILE -u CURL_CA_BUNDLE curl -s -o /dev/null --cacert ${bundle} ${url}; echo $?`,
        'grep -c BEGIN $SSL_CERT_FILE; echo $NODE_EXTRA_CA_CERTS',
      ];
      const own = '/run/cooper/ca-certificates.crt';
      // Two in the file: the image's and ours.
      assert.equal(outputOf(await build(scripts, [`--ca-certificates=${authority}`])), `0\n0\n0\n2\n${own}\n`);
      assert.equal(outputOf(await build(scripts.slice(0, 2), ['--no-cache'])), '60\n1\n60\n');
    });

    test('the image is the same with and without, and so are the keys', async () => {
      const [first, second] = [await made(), await made()];
      const lines = ['FROM base', `COPY bundle.crt ${bundle}`, ...steps.slice(0, 6).map((script) => `RUN ${script}`), ''];
      await writeFile(join(context, 'Dockerfile'), lines.join('\n'));
      const args = ['--build-arg', 'SOURCE_DATE_EPOCH=1700000000', context];
      const added = await first.built([...(await localBase(first)), `--ca-certificates=${authority}`, ...args]);
      const plain = await second.built([...(await localBase(second)), ...args]);
      assert.deepEqual([added.digest, added.ran.length], [plain.digest, 7]);
      assert.deepEqual((await first.built([...(await localBase(first)), ...args])).ran, []);
    });

    for (const snapshotter of ['overlay', 'copy']) {
      test(`nothing of it is in a layer, whatever a step does to the bundle (${snapshotter})`, async () => {
        const cooper = await made();
        const start = ['FROM base AS start', `COPY bundle.crt ${bundle}`];
        const stages = steps.map((script, number) => `FROM start AS s${number}\nRUN ${script}`);
        const last = ['FROM base', ...steps.map((_, number) => `COPY --from=s${number} / /s${number}`), ''];
        await writeFile(join(context, 'Dockerfile'), [...start, ...stages, ...last].join('\n'));
        const output = join(cooper.directory, 'out');
        await cooper.built([`--ca-certificates=${authority}`, '-o', `type=local,dest=${output}`, ...(await localBase(cooper)), context], {
          env: { COOPER_SNAPSHOTTER: snapshotter },
        });
        const line = (await readFile(authority, 'utf8')).split('\n')[3] ?? '';
        assert.ok(line.length > 60);
        const found = [await tool('grep', ['-rlF', line, output]).catch(() => ''), await tool('find', [output, '-path', '*/run/cooper'])];
        assert.deepEqual(found, ['', '']);
        // What a step did is there all the same.
        const modes = await tool('sh', ['-c', `stat -c %a:%s ${output}/s*${bundle}`]);
        const [size] = (await tool('stat', ['-c', '%s', join(context, 'bundle.crt')])).split('\n');
        assert.equal(modes, `644:${size}\n644:${size}\n600:${size}\n644:${Number(size) + 7}\n644:${size}\n644:6\n755:4096\n`);
      });
    }

    // What an image has at the place of its bundle is somebody else's: nothing is written through it, and nobody waits for it.
    test('a bundle that leads elsewhere, or is none', async () => {
      await using canary = await makeCanary(installation);
      const places: readonly (readonly [name: string, script: string])[] = [
        ['a symlink to the machine', `ln -s ${canary.path}/file ${bundle}`],
        ['a symlink through /proc', `ln -s /proc/1/root${canary.path}/file ${bundle}`],
        ['a symlink to a descriptor', `ln -s /proc/self/fd/3 ${bundle}`],
        ['a symlink to itself', `ln -s ${bundle} ${bundle}`],
        ['a pipe', `mkfifo ${bundle}`],
        ['a directory', `mkdir ${bundle}`],
        ['a device', `mknod ${bundle} c 1 5`],
        ['a hard link', `echo mine >/mine && ln /mine ${bundle}`],
        ['a folder that is a symlink', `rmdir /etc/ssl/certs && ln -s ${canary.path} /etc/ssl/certs`],
      ];
      // Where no node can be made there is nothing to try.
      const tried = places.filter(([name]) => mode.name === 'root' || name !== 'a device');
      const stages = tried.map(([name, script], number) => {
        const prepare = `RUN mkdir -p /etc/ssl/certs && ${script}`;
        return `FROM base AS s${number}\n${prepare}\nRUN echo "${name}" >/ran\n`;
      });
      const last = ['FROM base', ...tried.map((_, number) => `COPY --from=s${number} /ran /s${number}`), 'RUN cat /s?'];
      await writeFile(join(context, 'Dockerfile'), [...stages, ...last, ''].join('\n'));
      const built = await shared.build([`--ca-certificates=${authority}`, ...(await localBase(shared)), context]);
      assert.equal(outputOf(built), `${tried.map(([name]) => name).join('\n')}\n`, messageOf(built));
      await canary.assertUntouched();
      const long = await build(
        [`cat ${bundle} >/dev/null && rm ${bundle} && truncate -s 300M ${bundle}`, 'true'],
        [`--ca-certificates=${authority}`],
      );
      assert.match(messageOf(long), /^UNSUPPORTED: ".*" is too long for a bundle of certificates/);
    });

    test('a bundle that a step changes all the time', async () => {
      await using canary = await makeCanary(installation);
      const flip = `while :; do ln -sf ${canary.path}/file ${bundle}; rm -f ${bundle}; echo x >${bundle}; done 2>/dev/null`;
      const lines = ['FROM base', `COPY bundle.crt ${bundle}`, `RUN (${flip}) & sleep 0.3`, ''];
      await writeFile(join(context, 'Dockerfile'), lines.join('\n'));
      for (let round = 0; round < 3; round++) {
        const built = await shared.build(['--no-cache', `--ca-certificates=${authority}`, ...(await localBase(shared)), context]);
        assert.doesNotMatch(messageOf(built), /INTERNAL|WORKER_FAILED/);
        await canary.assertUntouched();
      }
    });

    test('a folder of them, beside a key; and a container that is run', async () => {
      const folder = join(shared.directory, 'authorities');
      await mkdir(folder);
      await cp(authority, join(folder, 'mine.pem'));
      const key = `${await readFile(authority, 'utf8')}-----BEGIN PRIVATE KEY-----\nKEY\n-----END PRIVATE KEY-----\n`;
      await writeFile(join(folder, 'with-key.crt'), key);
      await writeFile(join(folder, 'README'), 'nothing');
      await tool('chmod', ['-R', 'a+rX', folder]);
      const option = `--ca-certificates=${folder}`;
      const built = await build(
        [`curl -s -o /dev/null ${url}; echo $?; grep -c KEY $SSL_CERT_FILE ${bundle}; true`],
        [option, '-t', 'image'],
      );
      assert.equal(outputOf(built), `0\n/run/cooper/ca-certificates.crt:0\n${bundle}:0\n`);
      const run = await shared.run(['run', option, 'image', 'curl', '-s', url]);
      assert.equal(run.stdout, 'tls / IPv4\n', run.stderr);
      assert.notEqual((await shared.run(['run', 'image', 'curl', '-s', url])).status, 0);
    });

    for (const { name, value, want } of [
      {
        name: 'a file that is not there',
        value: '=missing.crt',
        want: /^ARG_INVALID: "--ca-certificates=.*\/missing\.crt" cannot be read: ENOENT/,
      },
      {
        name: 'what never ends',
        value: '=/dev/zero',
        want: /^ARG_INVALID: "--ca-certificates=\/dev\/zero" cannot be read: it is longer than 4194304 bytes$/,
      },
      { name: 'a file without certificates', value: '=/etc/hostname', want: /^ARG_INVALID: .* holds no certificate$/ },
      { name: 'nothing after the sign', value: '=', want: /"--ca-certificates=" needs a file or a directory/ },
    ]) {
      test(`${name} is refused`, async () => {
        assert.match(messageOf(await build([], [`--ca-certificates${value}`])), want);
      });
    }

    // Who names a bundle means that one: no other may take its place in silence.
    for (const { name, bundle, want } of [
      { name: 'is not there', bundle: 'none.crt', want: /none\.crt", which SSL_CERT_FILE names, cannot be read: ENOENT/ },
      { name: 'is a pipe', bundle: 'pipe.crt', want: /which SSL_CERT_FILE names, cannot be read: it is a pipe or a device/ },
      { name: 'holds nothing', bundle: 'empty.crt', want: /which SSL_CERT_FILE names, holds no certificate/ },
    ]) {
      test(`a bundle that SSL_CERT_FILE names and that ${name} is refused`, async () => {
        const path = join(shared.directory, bundle);
        if (bundle === 'pipe.crt') await tool('mkfifo', [path]);
        if (bundle === 'empty.crt') await writeFile(path, '');
        for (const option of ['--ca-certificates', `--ca-certificates=${authority}`]) {
          await writeFile(join(context, 'Dockerfile'), 'FROM scratch\nCOPY bundle.crt /\n');
          const ended = await shared.build([option, context], { env: { SSL_CERT_FILE: path } });
          assert.match(messageOf(ended), /^ARG_INVALID: /);
          assert.match(messageOf(ended), want);
        }
      });
    }

    test('without a value they are the machine’s', async () => {
      const cooper = await made();
      await writeFile(join(context, 'Dockerfile'), 'FROM base\nRUN grep -c BEGIN $SSL_CERT_FILE\n');
      const args = ['--ca-certificates', ...(await localBase(cooper)), context];
      const built = await cooper.built(args, { env: { SSL_CERT_FILE: authority } });
      assert.equal(outputOf(built), '1\n');
    });
  });
}

const newKey = (file: string): readonly string[] => ['-newkey', 'rsa:2048', '-nodes', '-keyout', file, '-days', '2'];

/** An authority, and a server's certificate from it with its key, in one file. */
async function makeAuthority(directory: string): Promise<string> {
  const at = (name: string): string => join(directory, name);
  await tool('openssl', ['req', '-x509', ...newKey(at('authority.key')), '-out', at('authority.crt'), '-subj', '/CN=authority']);
  await tool('openssl', ['req', ...newKey(at('server.key')).slice(0, -2), '-out', at('server.csr'), '-subj', '/CN=server']);
  await writeFile(at('extensions'), 'subjectAltName=IP:192.0.2.10\n');
  const by = ['-CA', at('authority.crt'), '-CAkey', at('authority.key'), '-CAcreateserial', '-days', '2', '-extfile', at('extensions')];
  await tool('openssl', ['x509', '-req', '-in', at('server.csr'), ...by, '-out', at('server.crt')]);
  const parts = await Promise.all(['server.crt', 'server.key'].map((name) => readFile(at(name), 'utf8')));
  await writeFile(at('identity.pem'), parts.join(''));
  return at('identity.pem');
}

/** curl and openssl with the libraries that they need. */
async function copyTools(folder: string): Promise<void> {
  const programs = ['/usr/bin/curl', '/usr/bin/openssl'];
  const libraries = (await tool('ldd', programs)).match(/\/\S+(?= \(0x)/g) ?? [];
  await tool('cp', ['--parents', '--dereference', ...programs, ...new Set(libraries), folder]);
}
