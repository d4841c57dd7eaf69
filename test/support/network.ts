import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxBase } from './bases.ts';
import type { Cooper, Installation, Running } from './cooper.ts';
import { descendants } from './processes.ts';
import { tool } from './tools.ts';

/** A network namespace that stands for the machine's, with addresses and routes of the test's own. Nothing outside can be reached from it. */
export interface MachineNetwork extends AsyncDisposable {
  /** Words to put before a command that is to run in it. */
  readonly prefix: readonly [string, ...string[]];
  /** Of a process in it. */
  readonly pid: number;
}

/** What gives a machine an address and a way out; nobody answers there. */
export const ipv4 = ['ip address add 192.0.2.10/24 dev eth0', 'ip route add default via 192.0.2.1'] as const;
export const ipv6 = ['ip address add 2001:db8::10/64 dev eth0 nodad', 'ip -6 route add default via 2001:db8::1'] as const;
/** What lets it forward packets. */
export const forwarding = 'echo 1 >/proc/sys/net/ipv4/ip_forward';
export const forwarding6 = 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding';

/** `commands`: for the shell; `lo` is up, `eth0` leads nowhere, and no packet is forwarded. */
export async function machineNetwork(commands: readonly string[]): Promise<MachineNetwork> {
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo made; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  const network = networkOf(holder.pid ?? 0, () => ended(holder));
  const setUp = [
    'echo 0 >/proc/sys/net/ipv4/ip_forward',
    'ip link set lo up',
    'ip link add eth0 type veth peer name nowhere',
    'ip link set eth0 up',
    'ip link set nowhere up',
    ...commands,
  ].join('\n');
  await within(network, 'sh', '-ec', setUp).catch(async (error) => {
    await ended(holder);
    throw error;
  });
  return network;
}

/** The network that a process is in. Without `end` it ends with that process. */
export const networkOf = (pid: number, end = async (): Promise<void> => {}): MachineNetwork => ({
  pid,
  prefix: ['nsenter', `--net=/proc/${pid}/ns/net`],
  [Symbol.asyncDispose]: end,
});

/** Runs a command there to its end; gives its standard output. */
export const within = ({ prefix: [first, ...rest] }: MachineNetwork, ...command: readonly string[]): Promise<string> =>
  tool(first, [...rest, ...command]);

/** The steps of a build that have come to their `sleep`, as soon as there are so many. */
export async function sleepers(build: Running, count: number): Promise<number[]> {
  for (;;) {
    const found = descendants(build.pid).filter(({ name }) => name === 'sleep');
    if (found.length === count) return found.map(({ pid }) => pid);
    await sleep(20);
  }
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

/** Starts a program of test/support/ in the network; it says `ready` when it is. `onSaid` gets what it says then. */
export async function startThere(
  { prefix: [first, ...rest] }: MachineNetwork,
  name: string,
  args: readonly string[],
  onSaid: (text: string) => void = () => {},
): Promise<AsyncDisposable> {
  const program = [process.execPath, join(import.meta.dirname, name), ...args];
  const child = spawn(first, [...rest, ...program], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.stdout.on('data', (text) => onSaid(String(text)));
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
