import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { BuildError } from '../diagnostics/build-error.ts';
import { nearest } from '../diagnostics/suggest.ts';
import { readBoundedFile } from './read-bounded.ts';
import { resolveWithin } from './resolve-within.ts';

/** Longer files are refused: nobody writes one by hand, and a wrong path should not fill the memory. */
export const maxDockerfileBytes = 16 * 1024 * 1024;

/** A Dockerfile as it was read. */
export interface DockerfileSource {
  /** Absolute; undefined for one that is no file of this machine. */
  readonly path: string | undefined;
  /** As messages name it: relative to the context where it lies inside. */
  readonly file: string;
  readonly text: string;
}

/** The names under which it is looked for: `dockerfile` stands in for `Dockerfile`, wherever that is. Source: buildx, `handleLowercaseDockerfile`. */
export function candidatesFor(path: string): readonly string[] {
  return basename(path) === 'Dockerfile' ? [path, join(dirname(path), 'dockerfile')] : [path];
}

/** Reads the Dockerfile at an absolute path. `context` is for messages. Throws DOCKERFILE_MISSING, DOCKERFILE_INVALID. */
export async function readDockerfile(path: string, context: string | undefined): Promise<DockerfileSource> {
  for (const candidate of candidatesFor(path)) {
    const text = await readText(await withinItsDirectory(candidate));
    if (text !== undefined) return { path: candidate, file: nameIn(context, candidate), text };
  }
  const directory = dirname(path);
  await refuseLeadingOut(path, directory);
  const inContext = context !== undefined && !path.startsWith(`${context}/`) && (await isThere(join(context, basename(path))));
  if (inContext) {
    const hint = `"--file" is relative to where you are: build with -f ${join(context, basename(path))}`;
    throw new BuildError('DOCKERFILE_MISSING', `there is no "${basename(path)}" in "${directory}"`, { hint });
  }
  throw missingDockerfile(basename(path), `"${directory}"`, await namesIn(directory));
}

/** Reads one that comes as a stream. Throws DOCKERFILE_INVALID. */
export async function dockerfileFromStream(stream: AsyncIterable<Uint8Array>): Promise<DockerfileSource> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxDockerfileBytes) throw tooLong('the Dockerfile from standard input');
  }
  return { path: undefined, file: 'stdin', text: Buffer.concat(chunks).toString() };
}

/** `names` are what does exist where it was looked for. */
export function missingDockerfile(name: string, where: string, names: readonly string[]): BuildError {
  return new BuildError('DOCKERFILE_MISSING', `there is no "${name}" in ${where}`, { hint: hintFor(name, names) });
}

const tooLong = (what: string): BuildError => new BuildError('DOCKERFILE_INVALID', `${what} has more than ${maxDockerfileBytes} bytes`);

function hintFor(name: string, names: readonly string[]): string {
  const other = names.find((each) => /^containerfile$/i.test(each));
  if (other !== undefined && !/containerfile/i.test(name)) return `there is a "${other}": build with -f ${other}`;
  const kin = names.filter((each) => /^dockerfile[._-]|[._-]dockerfile$/i.test(each) && !each.endsWith('.dockerignore')).toSorted();
  const near = nearest(name, names) ?? kin[0];
  return near === undefined ? 'name another file with -f, or another context' : `did you mean "${near}"? Name it with -f`;
}

/**
 * A symlink is followed within the directory that it lies in, as if that were `/`: a context of somebody else's must not show other files of
 * this machine. Source: BuildKit, which sends that directory. What the shell gives in place of a file (`-f <(…)`) is where it says.
 */
async function withinItsDirectory(path: string): Promise<string> {
  if (/^\/(?:dev|proc)\//.test(path)) return path;
  return (await resolveWithin(dirname(path), basename(path))) ?? path;
}

async function refuseLeadingOut(path: string, directory: string): Promise<void> {
  if (!(await isThere(path))) return;
  throw new BuildError('DOCKERFILE_MISSING', `"${path}" is a symlink that leads out of "${directory}"`, {
    hint: 'name the file itself with -f',
  });
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

async function namesIn(directory: string): Promise<string[]> {
  // Only a help: what cannot be listed gives no hint.
  return readdir(directory).catch(() => []);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    const bytes = await readBoundedFile(path, maxDockerfileBytes);
    if (!bytes) throw tooLong(`"${path}"`);
    return bytes.toString();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (error instanceof BuildError) throw error;
    throw new BuildError('DOCKERFILE_MISSING', `"${path}" cannot be read: ${code ?? (error as Error).message}`, { cause: error });
  }
}

function nameIn(context: string | undefined, path: string): string {
  if (context === undefined) return path;
  const name = relative(context, path);
  return name === '..' || name.startsWith('../') ? path : name;
}
