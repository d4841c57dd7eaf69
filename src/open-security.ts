import type { SecurityOptions } from './build-options.ts';
import { readBounded } from './context/read-bounded.ts';
import { BuildError } from './diagnostics/build-error.ts';
import type { SandboxSecurity } from './worker/protocol.ts';

/** The worker takes no longer one. */
const mostBytes = 1024 * 1024;

/** What the worker is told of the walls; undefined for the usual ones. Throws ARG_INVALID for a profile that cannot be read. */
export async function openSecurity({ seccomp, noNewPrivileges, systemPaths }: SecurityOptions): Promise<SandboxSecurity | undefined> {
  const filter =
    seccomp === 'unconfined'
      ? ({ unconfined: true } as const)
      : typeof seccomp === 'object'
        ? { profile: await readProfile(seccomp.file) }
        : undefined;
  if (!filter && !noNewPrivileges && !systemPaths) return undefined;
  return {
    ...(filter && { seccomp: filter }),
    ...(noNewPrivileges && { noNewPrivileges }),
    ...(systemPaths && { systemPaths }),
  };
}

async function readProfile(path: string): Promise<string> {
  const bad = (why: string, cause?: unknown): BuildError =>
    new BuildError('ARG_INVALID', `the seccomp profile "${path}" ${why}`, { hint: 'a profile is a file in the format of Docker', cause });
  const bytes = await readBounded(path, mostBytes).catch((error: Error) => {
    throw bad(`cannot be read: ${error.message}`, error);
  });
  if (!bytes) throw bad(`has more than ${mostBytes} bytes`);
  const text = bytes.toString('utf8');
  try {
    JSON.parse(text);
  } catch (error) {
    // All else is the worker's to say, at the first RUN. The parser's own message quotes the file, which may be any.
    throw bad('is not JSON', error);
  }
  return text;
}
