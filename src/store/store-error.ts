import { BuildError } from '../diagnostics/build-error.ts';

/** Whether this is the file system's answer `code`, as in `isErrno(error, 'ENOENT')`. */
export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** Runs one file operation of the store; what fails becomes STORE_FAILED. `action` completes "cannot …". */
export async function storing<T>(action: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    if (cause instanceof BuildError || !(cause instanceof Error) || !('code' in cause)) throw cause;
    const code = String(cause.code);
    throw new BuildError('STORE_FAILED', `the store cannot ${action}: ${cause.message}`, { cause, hint: hints[code] ?? defaultHint });
  }
}

const defaultHint = 'check the disk and the rights of the folder that --root names';
const hints: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: make room ("cooper prune" removes what no image needs), or put the store elsewhere with --root',
  EDQUOT: 'your quota is used up: make room, or choose another folder with --root',
  EACCES: 'the folder belongs to someone else: choose another one with --root',
  EPERM: 'the folder belongs to someone else: choose another one with --root',
  EROFS: 'the disk is mounted read-only: choose another folder with --root',
};

/** The content of a file, or undefined when there is none. */
export async function ifThere<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
