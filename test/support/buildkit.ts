import { readFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { caseBase, type Subject } from './cases.ts';
import type { StoredImage } from './image-tree.ts';
import { tool } from './tools.ts';

/** Where a buildkitd is: its address as buildctl takes it, and that program. */
export interface BuildKit {
  readonly address: string;
  readonly buildctl: string;
}

/** Builds with BuildKit into an empty directory. The base stands under its name for a named context, so no registry is asked. Throws with what buildctl says. */
export async function buildWithBuildKit(
  { address, buildctl }: BuildKit,
  subject: Subject,
  base: StoredImage,
  into: string,
): Promise<StoredImage> {
  const { flags, output } = await translate(subject);
  await tool(buildctl, [
    ...['--addr', address, 'build', '--no-cache', '--progress', 'plain', '--frontend', 'dockerfile.v0'],
    ...['--oci-layout', `base=${dirname(base.blobs)}`, '--opt', `context:${caseBase}=oci-layout://base@${base.manifest}`],
    ...flags,
    ...['--output', `type=oci,tar=false,dest=${into}${output}`],
  ]);
  const index = JSON.parse(await readFile(join(into, 'index.json'), 'utf8')) as { manifests: readonly [{ digest: string }] };
  return { blobs: join(into, 'blobs'), manifest: index.manifests[0].digest };
}

/** The last line of what buildctl says, without names that are others each time. */
export function buildKitError(error: Error): string {
  const last =
    error.message
      .trimEnd()
      .split('\n')
      .findLast((line) => line.startsWith('error: ')) ?? error.message;
  return last
    .replace(/^error: failed to solve: /, '')
    .replace(/ of ref \S+::\S+:/, ':')
    .replace(/\/\S*\/buildkit\d+/, '');
}

interface Translated {
  readonly flags: readonly string[];
  readonly output: string;
}

/** Flags of `docker build` as buildctl takes them: the table that buildx has in code. */
async function translate({ args, context }: Subject): Promise<Translated> {
  const flags: string[] = ['--local', `context=${context}`];
  let output = '';
  let file = join(context, 'Dockerfile');
  const option = (name: string, value: string): unknown => flags.push('--opt', `${name}=${value}`);
  for (const [name, value] of pairs(args)) {
    const [key = '', rest = ''] = value.split(/=(.*)/s);
    if (name === 'build-arg' && value.includes('=')) option(`build-arg:${key}`, rest);
    else if (name === 'build-arg') option(`build-arg:${key}`, process.env[key] ?? '');
    else if (name === 'label') option(`label:${key}`, rest);
    else if (name === 'target' || name === 'platform' || name === 'shm-size' || name === 'ulimit') option(name, value);
    else if (name === 'network') option('force-network-mode', value);
    else if (name === 'add-host') option('add-hosts', value.replace(/^([^:=]*):/, '$1='));
    else if (name === 'no-cache-filter') option('no-cache', value);
    else if (name === 'secret' || name === 'ssh' || name === 'allow') flags.push(`--${name}`, value);
    else if (name === 'annotation') output += `,annotation.${value}`;
    else if (name === 'file') file = isAbsolute(value) ? value : join(context, value);
    else if (name === 'build-context' && /^[a-z-]+:\/\//.test(rest)) option(`context:${key}`, rest);
    else if (name === 'build-context') {
      option(`context:${key}`, `local:named-${key}`);
      flags.push('--local', `named-${key}=${rest}`);
    } else throw new Error(`buildctl has no word for "--${name}"`);
  }
  flags.push('--local', `dockerfile=${dirname(file)}`);
  option('filename', basename(file));
  // A frontend of its own would be pulled: the one that BuildKit has in it counts.
  if (/^(#|\/\/)\s*syntax\s*=/im.test(await readFile(file, 'utf8').catch(() => ''))) option('cmdline', 'dockerfile.v0');
  return { flags, output };
}

/** `--name value` and `--name=value`. */
function* pairs(args: readonly string[]): Generator<readonly [string, string]> {
  for (let index = 0; index < args.length; index++) {
    const [name = '', value] = (args[index] ?? '').replace(/^--?/, '').split(/=(.*)/s);
    yield [name === 'f' ? 'file' : name, value ?? args[++index] ?? ''];
  }
}
