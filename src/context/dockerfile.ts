import { stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { BuildError } from '../diagnostics/build-error.ts';
import { readBounded } from './read-bounded.ts';

/** Longer files are refused: nobody writes one by hand, and a wrong path should not fill the memory. */
const maxBytes = 16 * 1024 * 1024;

/** A Dockerfile as it was read. */
export interface DockerfileSource {
  /** Absolute. */
  readonly path: string;
  /** As messages name it: relative to the context where it lies inside. */
  readonly file: string;
  readonly text: string;
}

/** Reads `dockerfile`, or `Dockerfile` or `dockerfile` in the context. Throws CONTEXT_INVALID, DOCKERFILE_MISSING, DOCKERFILE_INVALID. */
export async function readDockerfile(context: string, dockerfile?: string): Promise<DockerfileSource> {
  const directory = await stat(context).catch(() => undefined);
  if (!directory?.isDirectory()) {
    throw new BuildError('CONTEXT_INVALID', `the build context "${context}" is not a directory`, {
      hint: 'the last argument is the directory whose files COPY can see, often "."',
    });
  }
  const candidates = dockerfile === undefined ? [join(context, 'Dockerfile'), join(context, 'dockerfile')] : [dockerfile];
  for (const path of candidates) {
    const text = await readText(path);
    if (text !== undefined) return { path, file: nameIn(context, path), text };
  }
  throw new BuildError('DOCKERFILE_MISSING', `there is no "${basename(candidates[0] ?? '')}" in "${dirname(candidates[0] ?? '')}"`, {
    hint: 'name another file with -f, or another context directory',
  });
}

async function readText(path: string): Promise<string | undefined> {
  try {
    const bytes = await readBounded(path, maxBytes);
    if (!bytes) throw new BuildError('DOCKERFILE_INVALID', `"${path}" has more than ${maxBytes} bytes`);
    return bytes.toString();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (error instanceof BuildError) throw error;
    throw new BuildError('DOCKERFILE_MISSING', `"${path}" cannot be read: ${code ?? error}`, { cause: error });
  }
}

function nameIn(context: string, path: string): string {
  const name = relative(context, path);
  return name === '..' || name.startsWith('../') ? path : name;
}
