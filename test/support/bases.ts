import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { aptConfiguration, debianSources, machineCodename } from './machine.ts';
import type { Registry } from './registry.ts';

const exec = promisify(execFile);

/** An OCI layout on disk with one image: what skopeo calls `oci:<layout>:<tag>`. */
export interface Base {
  readonly layout: string;
  readonly tag: string;
}

/** A minimal Debian from this machine's own package sources. Made once, then taken from the cache. */
export async function debianBase(): Promise<Base> {
  const sources = await debianSources();
  const codename = await machineCodename();
  const conf = await aptConfiguration();
  const make = async (layout: string): Promise<void> => {
    await writeFile(`${layout}.list`, sources);
    await writeFile(`${layout}.conf`, conf);
    await exec('sh', [script('debian-base.sh'), layout, codename, `${layout}.list`, `${layout}.conf`], { maxBuffer: 1 << 26 });
  };
  return { layout: await cached('debian', ['debian-base.sh', 'layout.sh'], [sources, codename, conf], make), tag: codename };
}

/** This machine's static busybox with its applets, and a user `user` (1000). */
export async function busyboxBase(): Promise<Base> {
  const make = async (layout: string): Promise<void> => {
    await exec('sh', [script('busybox-base.sh'), layout]);
  };
  const { stdout } = await exec('dpkg-query', ['--show', 'busybox-static']);
  return { layout: await cached('busybox', ['busybox-base.sh', 'layout.sh'], [stdout], make), tag: 'latest' };
}

/** Puts a base into a registry. Gives the reference: `127.0.0.1:PORT/name:tag`. */
export async function pushBase({ layout, tag }: Base, registry: Registry, name: string, auth: readonly string[] = []): Promise<string> {
  const reference = `${registry.host}/${name}:${tag}`;
  await exec('skopeo', ['copy', '--quiet', '--dest-tls-verify=false', ...auth, `oci:${layout}:${tag}`, `docker://${reference}`]);
  return reference;
}

/** Where bases are kept between runs: never in the repo. */
function cacheDirectory(): string {
  const own = process.env.XDG_CACHE_HOME;
  if (own) return join(own, 'cooper-test');
  return process.getuid?.() === 0 ? '/var/cache/cooper-test' : join(homedir(), '.cache/cooper-test');
}

const script = (name: string): string => join(import.meta.dirname, name);

/** A layout named by its recipe: the scripts' text and what they are given. Test files run side by side, so one makes it and the others wait. */
async function cached(name: string, scripts: string[], inputs: string[], make: (layout: string) => Promise<void>): Promise<string> {
  const recipe = createHash('sha256');
  for (const each of scripts) recipe.update(await readFile(script(each)));
  for (const each of inputs) recipe.update(`${each.length}\n${each}`);
  const layout = join(cacheDirectory(), `${name}-${recipe.digest('hex').slice(0, 16)}`);
  if (existsSync(layout)) return layout;
  await mkdir(cacheDirectory(), { recursive: true });
  await using _ = await lock(join(cacheDirectory(), `${name}.lock`));
  if (existsSync(layout)) return layout;
  const aside = `${layout}.${process.pid}`;
  await make(aside);
  await rename(aside, layout);
  await Promise.all(['list', 'conf'].map((suffix) => rm(`${aside}.${suffix}`, { force: true })));
  return layout;
}

/** A flock, held by a child that ends with us. */
async function lock(path: string): Promise<AsyncDisposable> {
  const child = spawn('flock', [path, 'sh', '-c', 'echo held; exec cat >/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('error', reject);
  });
  return {
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}
