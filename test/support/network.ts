import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { busyboxBase } from './bases.ts';
import type { Cooper, Installation } from './cooper.ts';
import { tool } from './tools.ts';

/** A network namespace that stands for the machine's, with addresses and routes of the test's own. Nothing outside can be reached from it. */
export interface MachineNetwork extends AsyncDisposable {
  /** Words to put before a command that is to run in it. */
  readonly prefix: readonly [string, ...string[]];
  /** Of a process in it. */
  readonly pid: number;
}

/** `commands`: for the shell; `lo` is up, `eth0` leads nowhere, and no packet is forwarded. */
export async function machineNetwork(commands: readonly string[]): Promise<MachineNetwork> {
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo made; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  const prefix = ['nsenter', `--net=/proc/${holder.pid}/ns/net`] as const;
  const setUp = [
    'echo 0 >/proc/sys/net/ipv4/ip_forward',
    'ip link set lo up',
    'ip link add eth0 type veth peer name nowhere',
    'ip link set eth0 up',
    'ip link set nowhere up',
    ...commands,
  ].join('\n');
  await tool(prefix[0], [prefix[1], 'sh', '-ec', setUp]).catch(async (error) => {
    await ended(holder);
    throw error;
  });
  return { prefix, pid: holder.pid ?? 0, [Symbol.asyncDispose]: () => ended(holder) };
}

/** The files of the machine that say how names are found. */
export interface MachineFiles {
  readonly resolvConf?: string;
  /** What systemd-resolved says is behind its stub. */
  readonly behindStub?: string;
  /** /dev/net/tun is there, and only root may open it. */
  readonly ownTun?: boolean;
}

/** As root: gives what follows files of its own in the places of the machine's. */
const withFiles = `
mount -t tmpfs -o mode=755 none /run
mkdir -p /run/systemd/resolve "$(dirname "$(readlink -m /etc/resolv.conf)")"
[ -e /etc/resolv.conf ] || touch "$(readlink -m /etc/resolv.conf)"
[ -z "$1" ] || mount --bind "$1" /etc/resolv.conf
[ -z "$2" ] || cp "$2" /run/systemd/resolve/resolv.conf
[ -z "$3" ] || { mount -t tmpfs -o mode=755 none /dev/net; mknod -m 600 /dev/net/tun c 10 200; }
shift 3
exec "$@"`;

/** The same command on another machine, as far as it can see. */
export async function onMachine(
  installation: Installation,
  { prefix }: MachineNetwork,
  directory: string,
  { resolvConf, behindStub, ownTun = false }: MachineFiles = {},
): Promise<Installation> {
  const write = async (name: string, text: string | undefined): Promise<string> => {
    if (text === undefined) return '';
    await writeFile(join(directory, name), text);
    return join(directory, name);
  };
  const files = [await write('resolv.conf', resolvConf), await write('behind', behindStub), ownTun ? 'own' : ''];
  const command = [
    ...prefix,
    'unshare',
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-ec',
    withFiles,
    'sh',
    ...files,
    ...installation.command,
  ];
  return { ...installation, command: command as unknown as readonly [string, ...string[]] };
}

/** Starts a program of test/support/ in the network; it says `ready` when it is. */
export async function startThere(
  { prefix: [first, ...rest] }: MachineNetwork,
  name: string,
  args: readonly string[],
): Promise<AsyncDisposable> {
  const program = [process.execPath, join(import.meta.dirname, name), ...args];
  const child = spawn(first, [...rest, ...program], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return { [Symbol.asyncDispose]: () => ended(child) };
}

/** Busybox, where the command's user can read it, and no registry is needed: `FROM base` with these options. */
export async function localBase(cooper: Cooper): Promise<readonly string[]> {
  const { layout, tag } = await busyboxBase();
  const copy = join(cooper.directory, 'base');
  await cp(layout, copy, { recursive: true });
  await tool('chmod', ['-R', 'a+rX', copy]);
  return ['--build-context', `base=oci-layout://${copy}:${tag}`];
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
