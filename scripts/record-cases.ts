// `npm run record-cases [-- NAME...]`: builds the folders of fixtures/cases with BuildKit and writes what it gives to their expected/: tree and
// config.json, or error. BUILDKIT_HOST is the address of a buildkitd, BUILDCTL the program (default: the one on the PATH). Needs root and Debian's
// busybox-static, as the tests do. A folder that has expected/error needs a file `error` too: what cooper is to say.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { busyboxBase } from '../test/support/bases.ts';
import { type BuildKit, buildKitError, buildWithBuildKit } from '../test/support/buildkit.ts';
import { caseBase, caseNames, casesFolder, prepareCase } from '../test/support/cases.ts';
import { type ImageContent, type StoredImage, startReader, storedBase, withoutFreeTimes } from '../test/support/image-tree.ts';

const address = process.env.BUILDKIT_HOST;
if (!address) throw new Error('BUILDKIT_HOST is not set: the address of a buildkitd, as unix:///run/buildkit/buildkitd.sock');
const buildkit: BuildKit = { address, buildctl: process.env.BUILDCTL ?? 'buildctl' };
const wanted = process.argv.length > 2 ? process.argv.slice(2) : await caseNames();

const base = await storedBase(await busyboxBase());
await using reader = startReader(base);
const directory = await mkdtemp(join(tmpdir(), 'cooper-record-'));
try {
  for (const name of wanted) {
    const result = await record(name);
    await write(name, result);
    process.stderr.write(`record: ${name}${result instanceof Error ? ': fails' : ''}\n`);
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}

/** What two builds have in common: the time of a directory depends on what of it BuildKit had from an earlier build. */
async function record(name: string): Promise<ImageContent | Error> {
  const [first, second] = [await content(name), await content(name)];
  if (first instanceof Error || second instanceof Error) return first;
  return { ...first, tree: withoutFreeTimes(second.tree, first.tree) };
}

async function content(name: string): Promise<ImageContent | Error> {
  const built = await build(name);
  const content = built instanceof Error ? built : await reader.read(built);
  await rm(join(directory, name), { recursive: true, force: true });
  return content;
}

async function build(name: string): Promise<StoredImage | Error> {
  // BuildKit keeps what was sent to it, also by other builds, and takes again only what differs in size or time: so no two cases have one time.
  const fraction = String(Math.floor(Math.random() * 1e9)).padStart(9, '0');
  const folder = join(directory, name);
  await mkdir(folder);
  const subject = await prepareCase(name, folder, caseBase, `1000000000.${fraction}`);
  return buildWithBuildKit(buildkit, subject, base, join(folder, '.image')).catch((error: Error) => error);
}

async function write(name: string, result: ImageContent | Error): Promise<void> {
  const into = join(casesFolder, name, 'expected');
  for (const each of ['tree', 'config.json', 'error']) await rm(join(into, each), { force: true });
  await mkdir(into, { recursive: true });
  if (result instanceof Error) return writeFile(join(into, 'error'), `${buildKitError(result)}\n`);
  await writeFile(join(into, 'tree'), result.tree.map((line) => `${line}\n`).join(''));
  await writeFile(join(into, 'config.json'), `${JSON.stringify(result.config, null, 2)}\n`);
}
