import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { lstat, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { busyboxBase, pushBase } from '../support/bases.ts';
import { type Cooper, makeCooper } from '../support/cooper.ts';
import { type Registry, startRegistry } from '../support/registry.ts';
import { containers, tool } from '../support/tools.ts';
import { assertValid } from '../support/valid.ts';

// An image with all that a layer can say, read by those who did not write it.
const dockerfile = `
ARG BASE
FROM $BASE
RUN mkdir -p /srv/kept /srv/gone && echo 1 >/srv/kept/a && echo 2 >/srv/gone/b && ln -s kept /srv/link && ln /srv/kept/a /srv/hard
RUN rm -r /srv/gone && rm /srv/kept/a && mkdir /srv/gone && echo 3 >/srv/gone/c && chmod 4755 /bin/busybox && chown user:staff /srv/hard
COPY --chown=user:staff --chmod=640 note.txt /srv/note.txt
ENV WOOD="oak ash"
WORKDIR /srv
USER user
CMD ["sh", "-c", "echo \\"$WOOD\\"; id -un; pwd; cat gone/c"]
`;

describe('readers that are not ours', { concurrency: false }, () => {
  let cooper: Cooper;
  let registry: Registry;
  let archive: string;
  let layout: string;

  before(async () => {
    cooper = await makeCooper();
    registry = await startRegistry();
    const base = await pushBase(await busyboxBase(), registry, 'busybox');
    const context = await cooper.context('c', { Dockerfile: dockerfile, 'note.txt': 'a note\n' });
    archive = join(cooper.directory, 'image.tar');
    layout = join(cooper.directory, 'layout');
    await cooper.built(['-t', 'readers', `--build-arg=BASE=${base}`, '-o', `type=oci,dest=${archive}`, context]);
    await tool('skopeo', ['copy', '--quiet', `oci-archive:${archive}`, `oci:${layout}:x`]);
  });

  after(async () => {
    await cooper?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
  });

  test('our own validator finds nothing wrong', () => assertValid(cooper.root, 'readers'));

  test('umoci unpacks what the steps left', async () => {
    const bundle = join(cooper.directory, 'bundle');
    await tool('umoci', ['unpack', '--image', `${layout}:x`, bundle]);
    const at = (path: string): string => join(bundle, 'rootfs/srv', path);
    assert.equal(existsSync(at('kept/a')), false, 'a deleted file is gone');
    assert.equal(existsSync(at('gone/b')), false, 'a directory that was made again hides what it held');
    assert.equal(await readFile(at('gone/c'), 'utf8'), '3\n');
    assert.equal(await readlink(at('link')), 'kept');
    assert.equal(await readFile(at('hard'), 'utf8'), '1\n');
    const { uid, gid, mode } = await lstat(at('note.txt'));
    assert.deepEqual([uid, gid, mode & 0o7777], [1000, 50, 0o640]);
    assert.equal((await stat(join(bundle, 'rootfs/bin/busybox'))).mode & 0o7777, 0o4755);
  });

  test('our own run sees the same', async () => {
    assert.equal(await cooper.ok(['run', '--rm', 'readers']), 'oak ash\nuser\n/srv\n3\n');
  });

  test('buildah takes it as a base', async () => {
    await using peer = await containers();
    const name = (await peer.buildah('from', `oci-archive:${archive}`)).trim();
    assert.equal(await peer.buildah('run', '--isolation', 'chroot', name, 'sh', '-c', 'echo $WOOD; id -un; pwd'), 'oak ash\nuser\n/srv\n');
  });

  test('podman runs it', async (t) => {
    await using peer = await containers();
    // Limits that a machine without CAP_SYS_RESOURCE can set, and no network: neither is the matter here.
    const flags = ['--rm', '--network=none', '--ulimit=nofile=1024:1024', '--ulimit=nproc=1000:1000'];
    const busybox = await busyboxBase();
    const works = await peer.podman('run', ...flags, `oci:${busybox.layout}:${busybox.tag}`, 'true').then(
      () => undefined,
      (error: Error) => error,
    );
    if (works) return t.skip(`podman runs no container on this machine: ${works.message.slice(-200)}`);
    assert.equal(await peer.podman('run', ...flags, `oci-archive:${archive}`), 'oak ash\nuser\n/srv\n3\n');
  });

  test('what is pushed is what others find, and what comes back', async () => {
    const name = `${registry.host}/a/readers:1`;
    await cooper.ok(['tag', 'readers', name]);
    await cooper.ok(['push', name]);
    const own = (await cooper.ok(['images', '-q', 'readers'])).trim();
    const inspected = JSON.parse(await tool('skopeo', ['inspect', '--tls-verify=false', `docker://${name}`]));
    assert.equal(inspected.Digest, own);
    await using other = await makeCooper();
    await other.ok(['pull', name]);
    await assertValid(other.root, name);
    assert.equal((await other.ok(['images', '-q', name])).trim(), own);
    assert.equal(await other.ok(['run', '--rm', name]), 'oak ash\nuser\n/srv\n3\n');
  });

  test('blobs that the registry has are not sent again, nor those that another repository has', async () => {
    const uploads = async (): Promise<number> =>
      (await registry.requests()).filter((line) => line.startsWith('PUT /v2/') && line.includes('/blobs/uploads/')).length;
    const name = `${registry.host}/a/readers:2`;
    await cooper.ok(['tag', 'readers', name]);
    await cooper.ok(['push', name]);
    const before = await uploads();
    await cooper.ok(['push', name]);
    assert.equal(await uploads(), before);
    const elsewhere = `${registry.host}/b/readers:2`;
    await cooper.ok(['tag', 'readers', elsewhere]);
    await cooper.ok(['push', elsewhere]);
    assert.equal(await uploads(), before, 'layers and config are mounted across repositories');
  });

  test('basic auth comes from config.json', async () => {
    await using locked = await startRegistry({ auth: { user: 'anna', password: 'secret' } });
    const name = `${locked.host}/readers:1`;
    await cooper.ok(['tag', 'readers', name]);
    const refused = await cooper.run(['push', name]);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /REGISTRY_AUTH/);
    const auths = { [locked.host]: { auth: Buffer.from('anna:secret').toString('base64') } };
    await cooper.context('docker', { 'config.json': JSON.stringify({ auths }) });
    await cooper.ok(['push', name], { env: { DOCKER_CONFIG: join(cooper.directory, 'docker') } });
    const credentials = ['--tls-verify=false', '--creds=anna:secret'];
    assert.match(await tool('skopeo', ['inspect', ...credentials, `docker://${name}`]), /sha256:/);
  });
});
