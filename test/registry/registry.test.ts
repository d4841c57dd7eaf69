import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { validateImage } from '../../src/image/validate-image.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { fetchLayers, pullImage, resolveImage } from '../../src/pull.ts';
import { pushImage } from '../../src/push.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { TransferEvent } from '../../src/registry/transfer.ts';
import { withCode } from '../support/errors.ts';
import { putImage } from '../support/images.ts';
import { startRegistry } from '../support/registry.ts';
import { temporaryFolder, temporaryStore } from '../support/store.ts';

const run = promisify(execFile);
const platform = { os: 'linux', architecture: 'amd64' };
const { signal } = new AbortController();

/** A client that ends with the value. */
function client(environment: Record<string, string> = {}, options: { chunkBytes?: number } = {}) {
  const registry = new Registry({ environment, ...options });
  return { registry, [Symbol.asyncDispose]: () => registry.close() };
}

test('what is pushed comes back with the same digest, whole', async () => {
  await using server = await startRegistry();
  await using here = await temporaryStore();
  await using there = await temporaryStore();
  await using made = client();
  const image = await putImage(here.store, ['a', 'b', 'a', Buffer.alloc(3_000_000, 'c')]);
  const name = `${server.host}/some/app:1`;
  await pushImage(image, parseReference(name), { store: here.store, registry: made.registry }, signal);
  const ref = await pullImage(name, platform, { store: there.store, registry: made.registry }, signal);
  assert.equal(ref.descriptor.digest, image.digest);
  assert.deepEqual(await validateImage(there.store.blobs, ref.descriptor), []);
  const { stdout } = await run('skopeo', ['inspect', '--tls-verify=false', '--format', '{{.Digest}}', `docker://${name}`]);
  assert.equal(stdout.trim(), image.digest);
});

test('an image that skopeo pushed can be pulled', async () => {
  await using server = await startRegistry();
  await using here = await temporaryStore();
  await using there = await temporaryStore();
  await using made = client();
  const image = await putImage(here.store, ['a']);
  await here.store.refs.set('docker.io/library/x:1', image);
  for (const format of ['oci', 'v2s2']) {
    const name = `${server.host}/x:${format}`;
    const args = ['copy', '-q', '--format', format, '--dest-tls-verify=false', `oci:${here.store.root}:docker.io/library/x:1`];
    await run('skopeo', [...args, `docker://${name}`]);
    const ref = await pullImage(name, platform, { store: there.store, registry: made.registry }, signal);
    assert.deepEqual(await validateImage(there.store.blobs, ref.descriptor), []);
  }
});

test('blobs that are there are not sent again, and blobs of another repository are mounted', async () => {
  await using server = await startRegistry();
  await using here = await temporaryStore();
  await using made = client();
  const image = await putImage(here.store, ['a', 'b']);
  const push = async (name: string) => {
    const events: TransferEvent[] = [];
    const options = { store: here.store, registry: made.registry, onTransfer: (event: TransferEvent) => events.push(event) };
    await pushImage(image, parseReference(`${server.host}/${name}`), options, signal);
    return events.flatMap((event) => (event.type === 'completed' ? [event.how] : []));
  };
  assert.deepEqual(await push('one:1'), ['uploaded', 'uploaded', 'uploaded']);
  assert.deepEqual(await push('one:2'), ['existed', 'existed', 'existed']);
  assert.deepEqual(await push('two:1'), ['mounted', 'mounted', 'mounted']);
  const puts = (await server.requests()).filter((line) => /^PUT .*blobs/.test(line));
  assert.equal(puts.length, 3);
});

for (const chunkBytes of [undefined, 100_000]) {
  test(`the last request of an upload waits for the verdict, ${chunkBytes ? 'in pieces' : 'whole'}`, async () => {
    await using server = await startRegistry();
    await using here = await temporaryStore();
    await using made = client({}, chunkBytes === undefined ? {} : { chunkBytes });
    const image = await putImage(here.store, [Buffer.alloc(300_000, 'a'), 'b']);
    const push = (verdict: Promise<void>) =>
      pushImage(image, parseReference(`${server.host}/one:1`), { store: here.store, registry: made.registry, verdict }, signal);
    const leaked = Promise.withResolvers<void>();
    const running = push(leaked.promise);
    while (!(await server.requests()).some((line) => /^POST .*uploads/.test(line))) await sleep(20);
    leaked.reject(new Error('leaked'));
    await assert.rejects(running, { message: 'leaked' });
    const stored = await readdir(join(server.directory, 'docker/registry/v2'), { recursive: true });
    assert.deepEqual(
      stored.filter((name) => /^blobs\/sha256\/|_manifests\//.test(name)),
      [],
    );
    assert.ok(!(await server.requests()).some((line) => line.startsWith('PUT')));
    await push(Promise.resolve());
    assert.ok((await server.requests()).some((line) => /^PUT .*manifests\/1 201/.test(line)));
  });
}

test('a mount that the registry cannot make becomes an upload', async () => {
  await using server = await startRegistry();
  await using here = await temporaryStore();
  await using made = client();
  const image = await putImage(here.store, ['a']);
  const manifest = JSON.parse((await here.store.blobs.readBytes(image.digest, 10_000)).toString());
  await here.store.origins.add(manifest.layers[0].digest, { registry: server.host, repository: 'never/seen' });
  await pushImage(image, parseReference(`${server.host}/one:1`), { store: here.store, registry: made.registry }, signal);
  await run('skopeo', ['inspect', '--tls-verify=false', `docker://${server.host}/one:1`]);
});

for (const chunkBytes of [1000, 4096, 10_000_000]) {
  test(`blobs can be sent in pieces of ${chunkBytes} bytes`, async () => {
    await using server = await startRegistry();
    await using here = await temporaryStore();
    await using made = client({}, { chunkBytes });
    const image = await putImage(here.store, [Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * 7919) % 251))]);
    await pushImage(image, parseReference(`${server.host}/one:1`), { store: here.store, registry: made.registry }, signal);
    assert.ok((await server.requests()).some((line) => /^PATCH .* 202$/.test(line)));
    await run('skopeo', ['copy', '-q', '--src-tls-verify=false', `docker://${server.host}/one:1`, `dir:${here.store.root}/copy`]);
  });
}

test('one platform of an index is pulled, and its name stands for it', async () => {
  await using server = await startRegistry();
  await using here = await temporaryStore();
  await using there = await temporaryStore();
  await using made = client();
  const platforms = [platform, { os: 'linux', architecture: 'arm64' }, { os: 'linux', architecture: 'arm', variant: 'v7' }];
  const manifests = await Promise.all(
    platforms.map(async (one) => ({ ...(await putImage(here.store, [one.architecture], { platform: one })), platform: one })),
  );
  const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests };
  const image = await here.store.blobs.put(Buffer.from(JSON.stringify(index)), index.mediaType);
  const name = `${server.host}/multi:1`;
  await pushImage(image, parseReference(name), { store: here.store, registry: made.registry }, signal);
  const options = { store: there.store, registry: made.registry };
  for (const [at, one] of platforms.entries()) {
    const ref = await pullImage(name, one, options, signal);
    assert.equal(ref.descriptor.digest, manifests[at]?.digest);
  }
  // The name stands for arm/v7 now; another platform is asked for in the registry again.
  assert.equal((await resolveImage(name, platform, options, signal)).digest, manifests[0]?.digest);
  const other = { os: 'linux', architecture: 's390x' };
  await assert.rejects(resolveImage(name, other, options, signal), withCode('PLATFORM_UNSUPPORTED', /no platform "linux\/s390x"/));
});

test('an image is resolved without its layers, and from the store once it is there', async () => {
  await using server = await startRegistry();
  await using here = await temporaryStore();
  await using there = await temporaryStore();
  await using made = client();
  const name = `${server.host}/base:1`;
  const old = await putImage(here.store, ['old']);
  await pushImage(old, parseReference(name), { store: here.store, registry: made.registry }, signal);
  const options = { store: there.store, registry: made.registry };
  const image = await resolveImage(name, platform, options, signal);
  assert.equal(image.reference, name);
  assert.equal(image.digest, old.digest);
  assert.deepEqual(image.config.config, { Cmd: ['/file-0'] });
  const [layer] = image.layers;
  assert.ok(layer);
  assert.equal(await there.store.blobs.has(layer.descriptor.digest), false);
  assert.deepEqual(await there.store.origins.get(layer.descriptor.digest), [{ registry: server.host, repository: 'base' }]);
  await fetchLayers(image, options, signal);
  const renewed = await putImage(here.store, ['new']);
  await pushImage(renewed, parseReference(name), { store: here.store, registry: made.registry }, signal);
  assert.equal((await resolveImage(name, platform, options, signal)).digest, old.digest);
  assert.equal((await resolveImage(name, platform, { ...options, pull: true }, signal)).digest, renewed.digest);
  const pinned = await resolveImage(`${server.host}/base@${old.digest}`, platform, options, signal);
  assert.equal(pinned.digest, old.digest);
});

test('a name that is not there', async () => {
  await using server = await startRegistry();
  await using here = await temporaryStore();
  await using made = client();
  const options = { store: here.store, registry: made.registry };
  for (const name of ['no/such:1', `no/such@sha256:${'0'.repeat(64)}`]) {
    await assert.rejects(resolveImage(`${server.host}/${name}`, platform, options, signal), withCode('BASE_NOT_FOUND', /no\/such/));
  }
  assert.deepEqual(await here.store.refs.list(), []);
});

test('a registry that is not there', async () => {
  await using made = client();
  const server = await startRegistry();
  await server[Symbol.asyncDispose]();
  await assert.rejects(
    made.registry.document(parseReference(`${server.host}/x`), signal),
    withCode('REGISTRY_UNREACHABLE', /ECONNREFUSED/),
  );
});

test("basic auth comes from Docker's config.json", async () => {
  await using server = await startRegistry({ auth: { user: 'user', password: 'pass:word' } });
  await using here = await temporaryStore();
  await using folder = await temporaryFolder();
  const image = await putImage(here.store, ['a', 'b']);
  const target = parseReference(`${server.host}/app:1`);
  const push = async (environment: Record<string, string>) => {
    await using made = client(environment);
    await pushImage(image, target, { store: here.store, registry: made.registry }, signal);
  };
  await assert.rejects(push({}), withCode('REGISTRY_AUTH', /there are none/));
  await assert.rejects(push({ HOME: folder.path }), withCode('REGISTRY_AUTH', /there are none/));
  const write = async (auths: unknown) => {
    await mkdir(join(folder.path, '.docker'), { recursive: true });
    await writeFile(join(folder.path, '.docker', 'config.json'), JSON.stringify({ auths }));
  };
  const auth = (text: string) => ({ auth: Buffer.from(text).toString('base64') });
  await write({ [server.host]: auth('user:wrong') });
  await assert.rejects(push({ HOME: folder.path }), (error: Error) => {
    assert.doesNotMatch(JSON.stringify([error.message, error.stack]), /wrong/);
    return withCode('REGISTRY_AUTH', /refuses these credentials/)(error);
  });
  await write({ [server.host]: auth('user:pass:word') });
  await push({ HOME: folder.path });
  await write({ [`http://${server.host}/v1/`]: auth('user:pass:word') });
  await push({ DOCKER_CONFIG: join(folder.path, '.docker') });
  await writeFile(join(folder.path, '.docker', 'config.json'), '{"auths": secret');
  await assert.rejects(push({ HOME: folder.path }), withCode('REGISTRY_AUTH', /not valid JSON$/));
});

test('a credential helper is asked', async () => {
  await using server = await startRegistry({ auth: { user: 'user', password: 'secret' } });
  await using folder = await temporaryFolder();
  const helper = join(folder.path, 'docker-credential-test');
  const script = `#!/bin/sh\nread server\n[ "$1 $server" = "get ${server.host}" ] || { echo "credentials not found in native keychain"; exit 1; }\n`;
  await writeFile(helper, `${script}echo '{"ServerURL":"x","Username":"user","Secret":"secret"}'\n`);
  await chmod(helper, 0o755);
  const environment = { DOCKER_CONFIG: folder.path, PATH: `${folder.path}:/usr/bin:/bin` };
  const ask = async (config: unknown) => {
    await writeFile(join(folder.path, 'config.json'), JSON.stringify(config));
    await using made = client(environment);
    return await made.registry.hasBlob({ registry: server.host, repository: 'x' }, `sha256:${'0'.repeat(64)}` as Digest, signal);
  };
  assert.equal(await ask({ credsStore: 'test' }), false);
  assert.equal(await ask({ credHelpers: { [server.host]: 'test' } }), false);
  await assert.rejects(ask({ credHelpers: { 'other.example': 'test' } }), withCode('REGISTRY_AUTH', /there are none/));
  for (const name of ['missing', '../test', '-x']) {
    await assert.rejects(ask({ credsStore: name }), withCode('REGISTRY_AUTH', /credential/));
  }
  await rm(helper);
});
