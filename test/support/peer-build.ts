import { execFile } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Subject } from './cases.ts';
import { type Cooper, makeCooper } from './cooper.ts';
import { type Containers, containers, tool } from './tools.ts';

/** What a build gave, in lines that can be compared; a build that failed gave one line that says so. */
export interface Outcome {
  readonly lines: readonly string[];
  /** Why it failed. */
  readonly error?: string;
}

/** Paths, as tree.py describes them. */
export type Tree = Readonly<Record<string, string>>;

/** Builds with buildah in a storage of its own: `await using peer = await makePeer(base)`. */
export async function makePeer(base: Tree): Promise<{ build(subject: Subject): Promise<Outcome> } & AsyncDisposable> {
  const peer = await containers();
  return { build: (subject) => buildWithPeer(peer, base, subject), [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose]() };
}

async function buildWithPeer(peer: Containers, base: Tree, { name, context, args }: Subject): Promise<Outcome> {
  const flags = ['--isolation', 'chroot', '--layers=false', '--format', 'docker', '--tls-verify=false', '--quiet'];
  try {
    await peer.buildah('bud', ...flags, ...args, '-t', `localhost/${name}`, context);
  } catch (error) {
    return failed(error);
  }
  const { tree, config } = await readStorage(peer.root, `localhost/${name}:latest`);
  return { lines: describe(tree, base, config).filter((line) => !stubs.has(line)) };
}

/** An image as the storage has it: two processes less for each case than by asking buildah. */
async function readStorage(root: string, name: string): Promise<{ tree: Tree; config: Config }> {
  const images: readonly StoredImage[] = await readJson(join(root, 'vfs-images/images.json'));
  const image = images.find(({ names }) => names?.includes(name));
  if (!image) throw new Error(`buildah's storage has no "${name}"`);
  const file = `=${Buffer.from(`sha256:${image.id}`).toString('base64')}`;
  const { config } = await readJson<{ config?: Config }>(join(root, 'vfs-images', image.id, file));
  return { tree: image.layer ? await readTree(join(root, 'vfs/dir', image.layer)) : {}, config: config ?? {} };
}

interface StoredImage {
  readonly id: string;
  readonly layer?: string;
  readonly names?: readonly string[];
}

type Config = Readonly<Record<string, unknown>>;

const readJson = async <Value>(path: string): Promise<Value> => JSON.parse(await readFile(path, 'utf8'));

/** Places for mounts of a RUN: buildah leaves them in the image. */
const stubs: ReadonlySet<string> = new Set([
  ...['/dev', '/proc', '/run', '/sys'].map((path) => `${path} dir 755 0:0`),
  ...['/etc/hostname', '/etc/hosts', '/etc/resolv.conf'].map((path) => `${path} file 755 0:0 0 e3b0c44298fc1c14`),
]);

/** Builds with cooper, all in one store; umoci unpacks what it made. */
export async function makeOwn(base: Tree): Promise<{ build(subject: Subject): Promise<Outcome> } & AsyncDisposable> {
  const cooper = await makeCooper();
  return { build: (subject) => buildWithCooper(cooper, base, subject), [Symbol.asyncDispose]: () => cooper[Symbol.asyncDispose]() };
}

async function buildWithCooper(cooper: Cooper, base: Tree, { name, context, args }: Subject): Promise<Outcome> {
  try {
    await cooper.built(['-t', name, ...args, context]);
  } catch (error) {
    return failed(error);
  }
  const work = join(cooper.directory, `${name}.image`);
  await mkdir(work);
  await tool('skopeo', ['copy', '--quiet', `oci:${cooper.root}:docker.io/library/${name}:latest`, `oci:${work}/layout:x`]);
  const { config = {} } = await readConfig(join(work, 'layout'));
  const tree = await unpackedTree(`${work}/layout:x`, join(work, 'root'));
  await rm(work, { recursive: true, force: true });
  return { lines: describe(tree, base, config) };
}

/** The config of the only image in a layout. */
async function readConfig(layout: string): Promise<{ config?: Config }> {
  const blob = (digest: string): string => join(layout, 'blobs', digest.replace(':', '/'));
  const index = await readJson<{ manifests: readonly [{ digest: string }] }>(join(layout, 'index.json'));
  const manifest = await readJson<{ config: { digest: string } }>(blob(index.manifests[0].digest));
  return readJson(blob(manifest.config.digest));
}

/** The merged tree of an image in a layout, by umoci. */
export async function unpackedTree(image: string, directory: string): Promise<Tree> {
  await tool('umoci', ['raw', 'unpack', '--image', image, directory]);
  return readTree(directory);
}

async function readTree(directory: string): Promise<Tree> {
  const { stdout } = await promisify(execFile)('python3', [join(import.meta.dirname, 'tree.py'), directory], { maxBuffer: 1 << 28 });
  return JSON.parse(stdout);
}

const configKeys = [
  'User',
  'Env',
  'Cmd',
  'Entrypoint',
  'WorkingDir',
  'ExposedPorts',
  'Volumes',
  'Labels',
  'StopSignal',
  'Shell',
  'OnBuild',
  'Healthcheck',
];

/** Only what differs from the base, so that a difference is read and not looked for. */
function describe(tree: Tree, base: Tree, config: Config): readonly string[] {
  const lines: string[] = [];
  for (const [path, line] of Object.entries(tree)) if (base[path] !== line) lines.push(`/${path} ${line}`);
  // An image FROM scratch lacks all of it: that says nothing.
  if (tree['bin/busybox'] && tree['etc/passwd']) {
    for (const path of Object.keys(base)) if (!(path in tree)) lines.push(`/${path} is gone`);
  }
  for (const key of configKeys) {
    const value = meant(key, config[key]);
    if (!isEmpty(value)) lines.push(`${key} ${JSON.stringify(inOrder(value))}`);
  }
  return lines.sort();
}

/** buildah labels what it makes, and BuildKit says "/" where no WORKDIR means it. */
function meant(key: string, value: unknown): unknown {
  if (key === 'WorkingDir') return value === '/' ? '' : value;
  if (key !== 'Labels' || typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== 'io.buildah.version'));
}

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0);

/** Objects with their keys sorted, and no empty ones' noise: `omitempty` is not the same in all versions. */
function inOrder(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const failed = (error: unknown): Outcome => ({ lines: ['the build fails'], error: error instanceof Error ? error.message : String(error) });
