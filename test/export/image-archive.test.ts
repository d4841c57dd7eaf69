import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { exportDocker, exportOCI } from '../../src/export/image-archive.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { withCode } from '../support/errors.ts';
import { putImage } from '../support/images.ts';
import { temporaryFolder, temporaryStore } from '../support/store.ts';

const run = promisify(execFile);
const names = ['docker.io/library/hello:1.0', '127.0.0.1:5000/a/hello:latest'];

test('skopeo reads the OCI archive, and finds the same digest', async () => {
  await using made = await temporaryStore();
  await using folder = await temporaryFolder();
  const image = await putImage(made.store, ['a', 'b', 'a']);
  const destination = join(folder.path, 'image.tar');
  await exportOCI({ blobs: made.store.blobs, image, names, destination });
  const { stdout } = await run('skopeo', ['inspect', '--format', '{{.Digest}}', `oci-archive:${destination}:1.0`]);
  assert.equal(stdout.trim(), image.digest);
  await exportOCI({ blobs: made.store.blobs, image, names: [], destination });
  await run('skopeo', ['copy', '-q', `oci-archive:${destination}`, `dir:${join(folder.path, 'copy')}`]);
  assert.deepEqual((await readdir(folder.path)).sort(), ['copy', 'image.tar']);
});

test('skopeo reads the docker archive by its short names', async () => {
  await using made = await temporaryStore();
  await using folder = await temporaryFolder();
  const image = await putImage(made.store, ['a', 'b', 'a']);
  const destination = join(folder.path, 'image.tar');
  await exportDocker({ blobs: made.store.blobs, image, names, destination });
  const { stdout } = await run('skopeo', ['inspect', '--config', `docker-archive:${destination}:hello:1.0`]);
  assert.deepEqual(JSON.parse(stdout).config.Cmd, ['/file-0']);
  await run('skopeo', ['copy', '-q', `docker-archive:${destination}:127.0.0.1:5000/a/hello:latest`, `dir:${join(folder.path, 'copy')}`]);
});

test('the same image gives the same bytes, in a file and in a stream', async () => {
  await using made = await temporaryStore();
  await using folder = await temporaryFolder();
  const { blobs } = made.store;
  const image = await putImage(made.store, ['a', 'b']);
  const [one, two] = [join(folder.path, 'one'), join(folder.path, 'two')];
  await exportOCI({ blobs, image, names, destination: one });
  const stream = createWriteStream(two);
  await exportOCI({ blobs, image, names, destination: stream });
  assert.equal(stream.closed, false, 'a stream that was given is left open');
  await promisify(stream.end.bind(stream))();
  assert.deepEqual(await readFile(one), await readFile(two));
});

test('a destination that cannot be written is named', async () => {
  await using made = await temporaryStore();
  await using folder = await temporaryFolder();
  const { blobs } = made.store;
  const image = await putImage(made.store, ['a', Buffer.alloc(4 * 1024 * 1024, 'x')]);
  await mkdir(join(folder.path, 'directory'));
  for (const destination of [join(folder.path, 'missing', 'image.tar'), join(folder.path, 'directory'), '/dev/full']) {
    await assert.rejects(exportOCI({ blobs, image, names, destination }), withCode('EXPORT_FAILED', new RegExp(destination)));
  }
  assert.deepEqual(await readdir(folder.path), ['directory']);
});

test('an image that is not whole leaves no archive', async () => {
  await using made = await temporaryStore();
  await using folder = await temporaryFolder();
  const { blobs } = made.store;
  const image = await putImage(made.store, ['a']);
  const manifest = JSON.parse((await blobs.readBytes(image.digest, 10_000)).toString());
  await rm(blobs.path(manifest.layers[0].digest));
  await assert.rejects(exportOCI({ blobs, image, names, destination: join(folder.path, 'image.tar') }), withCode('IMAGE_INVALID'));
  assert.deepEqual(await readdir(folder.path), []);
});

test('an abort leaves no archive', async () => {
  await using made = await temporaryStore();
  await using folder = await temporaryFolder();
  const image = await putImage(made.store, ['a']);
  const signal = AbortSignal.abort(new Error('stopped'));
  await assert.rejects(exportOCI({ blobs: made.store.blobs, image, names, destination: join(folder.path, 'x'), signal }), /stopped/);
  assert.deepEqual(await readdir(folder.path), []);
});

test('an index is no docker archive', async () => {
  await using made = await temporaryStore();
  const { blobs } = made.store;
  const image = await putImage(made.store, ['a']);
  const index = await blobs.put(Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [image] })), mediaTypes.index);
  await assert.rejects(exportDocker({ blobs, image: index, names, destination: '/dev/null' }), withCode('EXPORT_FAILED', /several/));
});
