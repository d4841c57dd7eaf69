import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { here, type Installation } from './cooper.ts';
import { installFor, testUser, type User } from './rootless.ts';

/** A place where cooper may have to run, made on the spot from this machine's root. docs/modes.md lists what is used in each. */
export interface Situation {
  readonly name: string;
  /** What `doctor` has to answer. */
  readonly mode: string;
  install(): Promise<Disposed>;
}

type Disposed = Installation & AsyncDisposable;

/** As a number only: no name, no home, no range of ids. */
const stranger: User = { name: 'stranger', uid: 61_234, gid: 61_234 };
const root: User = { name: 'root', uid: 0, gid: 0 };

/** Docker's default capabilities, as setpriv writes them. */
const dockerCapabilities = [
  '-all',
  ...['chown', 'dac_override', 'fsetid', 'fowner', 'mknod', 'net_raw', 'setgid', 'setuid', 'setfcap', 'setpcap', 'net_bind_service'],
  ...['sys_chroot', 'kill', 'audit_write'],
].map((name) => (name === '-all' ? name : `+${name}`));

/** Root of a container with Docker's default capabilities. Without `refuse` before it, its seccomp profile is off. */
const plainContainer = ['setpriv', `--bounding-set=${dockerCapabilities.join(',')}`, '--inh-caps=-all', '--ambient-caps=-all'];

/** Runs a script of the shell in a mount namespace of its own, as root, before the command. */
export const afterMounts = (script: string): string[] => ['unshare', '--mount', 'sh', '-ec', `${script}; exec "$@"`, 'sh'];

/** /dev/fuse as normal systems have it: for all. */
export const openFuse = afterMounts(
  'cd /dev/shm; mount -t tmpfs none .; cd .; mknod fuse c 10 229; chmod 666 fuse; mount --bind fuse /dev/fuse; cd /; umount /dev/shm',
);

/** A user namespace with a range of ids of its own and, as in a pod, mounts of its own. */
const podNamespaces = ['unshare', '--user', '--map-auto', '--map-root-user', '--mount'];

/** With somebody else in it who has no more rights than a container. He ends with the command. */
const busyPod = [...podNamespaces, 'sh', '-ec', `${[...plainContainer, '--pdeathsig=KILL', 'sleep', '60'].join(' ')} & exec "$@"`, 'sh'];

export const situations = {
  root: { name: 'root of the machine', mode: 'root', install: async () => ({ ...here, [Symbol.asyncDispose]: async () => {} }) },
  rootless: { name: 'a user with a range of ids', mode: 'rootless', install: async () => installFor(await testUser()) },
  stranger: { name: 'a user without a range of ids', mode: 'single-id', install: () => installFor(stranger) },
  pod: {
    name: 'root of a user namespace with a range',
    mode: 'pod',
    install: async () => within(installFor(await testUser()), [], podNamespaces),
  },
  smallNamespace: {
    name: 'root of a user namespace with one id',
    mode: 'single-id',
    install: () => within(installFor(stranger), [], ['unshare', '--user', '--map-root-user']),
  },
  noSeccomp: {
    name: 'root of a plain container without a seccomp profile',
    mode: 'pod',
    install: () => within(installFor(root), plainContainer),
  },
  container: {
    name: 'root of a plain container with Docker’s profile',
    mode: 'chroot',
    install: () => within(installFor(root), [...refusing(), ...plainContainer]),
  },
  confined: {
    name: 'a user to whom namespaces are refused',
    mode: 'unprivileged',
    install: () => within(installFor(stranger, { tun: false }), refusing()),
  },
  fuse: {
    name: 'a user with a range, and /dev/fuse for all',
    mode: 'rootless',
    install: async () => within(installFor(await testUser()), openFuse),
  },
  noNewPrivileges: {
    name: 'a user with a range under no_new_privs',
    mode: 'single-id',
    install: async () => within(installFor(await testUser()), ['setpriv', '--no-new-privs']),
  },
  nosuid: {
    name: 'a user with a range whose newuidmap is on a nosuid mount',
    mode: 'single-id',
    install: async () =>
      within(installFor(await testUser()), afterMounts('mount --bind /usr/bin /usr/bin; mount -o remount,bind,nosuid /usr/bin')),
  },
  coveredProc: {
    name: 'a user with a range, and mounts over /proc',
    mode: 'rootless',
    install: async () => within(installFor(await testUser()), afterMounts('mount --bind /dev/null /proc/version')),
  },
  coveredPod: {
    name: 'root of a user namespace with a range, and mounts over /proc',
    mode: 'pod',
    install: async () => within(installFor(await testUser()), afterMounts('mount --bind /dev/null /proc/version'), busyPod),
  },
} as const satisfies Readonly<Record<string, Situation>>;

/** The same command behind others: `outer` before it becomes another user, `inner` after. */
async function within(installed: Promise<Disposed>, outer: readonly string[], inner: readonly string[] = []): Promise<Disposed> {
  const installation = await installed;
  const command = [...outer, ...installation.command.slice(0, -1), ...inner, installation.command.at(-1) ?? ''];
  return { ...installation, command: command as unknown as readonly [string, ...string[]] };
}

let refuser: string | undefined;

/** The filter of fixtures/situations, compiled once for each test file. */
function refusing(): readonly string[] {
  refuser ??= compileRefuser();
  return [refuser];
}

function compileRefuser(): string {
  const directory = mkdtempSync(join(tmpdir(), 'cooper-situations-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o755);
  const binary = join(directory, 'refuse');
  const source = join(import.meta.dirname, '../../fixtures/situations/refuse.c');
  const { status, error } = spawnSync('gcc', ['-static', '-O1', '-o', binary, source], { stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('gcc cannot make a static binary of fixtures/situations/refuse.c', { cause: error });
  return binary;
}
