import { rmSync } from 'node:fs';
import { chmod, cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Installation } from './cooper.ts';
import { tool } from './tools.ts';

const repo = join(import.meta.dirname, '../..');
/** An unprivileged user with a range in /etc/subuid and /etc/subgid. scripts/setup makes it. */
const name = 'cooper-test';

/** Why the tests of the rootless mode cannot run here; undefined when they can. */
export async function whyNotRootless(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'only root can become another user';
  return tool('id', ['-u', name]).then(
    () => undefined,
    () => `there is no user "${name}": run "npm run setup -- --test"`,
  );
}

/** Gives the program a mount namespace of its own in which everybody may open /dev/net/tun, as on most machines. */
const withTun = 'mount -t tmpfs -o mode=755 none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec "$@"';

export interface InstallOptions {
  /** Whether the user gets a /dev/net/tun to open; default true. Without, it is the machine's. */
  readonly tun?: boolean;
}

/** What is installed where that user can read it: the repo may lie below a home that is closed to others. */
export async function installForUser(options: InstallOptions = {}): Promise<Installation & AsyncDisposable> {
  return installFor(await testUser(), options);
}

/** Somebody without rights. */
export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The user with a range. */
export async function testUser(): Promise<User> {
  const [uid, gid] = await Promise.all([tool('id', ['-u', name]), tool('id', ['-g', name])]);
  return { name, uid: Number(uid), gid: Number(gid) };
}

/** An installation that anybody can read, and in which the user can write to `tmp`. Everything of it ends with the test. */
export async function installFor(
  { name: user, uid, gid }: User,
  { tun = true }: InstallOptions = {},
): Promise<Installation & AsyncDisposable> {
  programs ??= copyProgram();
  const program = await programs;
  const temporary = await mkdtemp(join(tmpdir(), 'cooper-user-'));
  await chmod(temporary, 0o755);
  const inTun = tun ? ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', withTun, 'sh'] : [];
  const become = uid === 0 ? [] : [...inTun, 'setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  return {
    command: [...become, join(program, 'bin/cooper')] as unknown as readonly [string, ...string[]],
    temporary,
    ...(uid !== 0 && { owner: { uid, gid } }),
    // Nothing of root's session belongs to the user.
    env: { USER: user, LOGNAME: user, TMPDIR: temporary, XDG_RUNTIME_DIR: '', XDG_DATA_HOME: '', XDG_CONFIG_HOME: '', XDG_CACHE_HOME: '' },
    async [Symbol.asyncDispose]() {
      await rm(temporary, { recursive: true, force: true });
    },
  };
}

let programs: Promise<string> | undefined;

/** Once for each test file; it is gone when that ends. */
async function copyProgram(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'cooper-rootless-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  for (const each of ['bin', 'dist', 'package.json', 'node_modules/node/bin/node']) {
    await cp(join(repo, each), join(directory, each), { recursive: true, dereference: true });
  }
  await rm(join(directory, 'dist/.cache'), { recursive: true, force: true });
  await tool('chmod', ['-R', 'a+rX', directory]);
  return directory;
}
