// What messages say of containers; protocol.ts has the rest.

import type { Chain, Selection, SnapshotID } from './files.ts';

/** Of a terminal, in characters. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** What a container may use together, by its cgroup. */
export interface SandboxLimits {
  readonly memoryBytes?: number;
  /** Memory and swap together; -1 is no limit. Left out: twice the memory. */
  readonly memorySwapBytes?: number;
  /** Millionths of a processor. */
  readonly cpus?: number;
  /** 2 to 262144; 1024 is what a cgroup has that nobody asked it for. */
  readonly cpuShares?: number;
  /** A list of the kernel's: `0-2,4`. */
  readonly cpusetCpus?: string;
  readonly pids?: number;
}

export interface SandboxMount {
  readonly type: 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh' | 'volume';
  readonly target: string;
  readonly readonly: boolean;
  /** bind: of this chain (read-only lower, writes are thrown away) … */
  readonly chain?: Chain;
  /** … or of a context: a snapshot of the selected files is made, never the user's directory itself … */
  readonly selection?: Selection;
  /** … or (`cooper run -v`) a host directory or file. */
  readonly handle?: string;
  /** bind: path within chain, selection or handle; absolute. cache: path within the cache; absolute. */
  readonly source?: string;
  /** cache: key of the mount in the store (any text; the worker hashes it to a name). volume: seeded from the image's content at `target`. */
  readonly id?: string;
  /** cache: what tells caches of one id apart: what they begin with, and whose they are. */
  readonly variant?: string;
  /** cache: a new one begins with these files. */
  readonly seed?: Selection;
  readonly sharing?: 'shared' | 'private' | 'locked';
  /** tmpfs: bytes. */
  readonly size?: number;
  /** secret: an id given to `secret.put`. */
  readonly secret?: string;
  /** ssh: said again in each `connection` event. */
  readonly agent?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly mode?: number;
}

/** The walls besides the namespaces, where they are to be others than usual. */
export interface SandboxSecurity {
  /** No filter, or the text of a profile in Docker's format. */
  readonly seccomp?: { readonly unconfined: true } | { readonly profile: string };
  /** Setuid programs give nothing. */
  readonly noNewPrivileges?: boolean;
  /** Nothing of /proc and /sys is hidden or read-only. */
  readonly systemPaths?: 'unconfined';
  /** The whole bounding set, as `CAP_CHOWN`, in place of Docker's default one. With `ALL` among them, those that there are. */
  readonly capabilities?: readonly string[];
}

/** A device of the machine, as a node in the container: the only ones besides the usual that can be opened. */
export interface SandboxDevice {
  readonly handle: string;
  /** In the container, absolute. */
  readonly path: string;
  /** Of the node, where it is one of the container's own; without them as on the machine. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Where nobody said whose it is and the program's user is not root, it is his. */
  readonly ofUser?: boolean;
}

/** `cooper run -p`: the host's port 0 is one of the kernel's choice. */
export type PublishedPort = { readonly hostIP: string; readonly hostPort: number; readonly port: number; readonly protocol: 'tcp' | 'udp' };

export interface SandboxParams {
  readonly root: Chain;
  readonly argv: readonly string[];
  /** The whole environment, nothing is added but HOME (from the image's passwd) where it has none. */
  readonly env: readonly string[];
  /** Secrets as environment variables: name → secret id. */
  readonly secretEnv?: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly user: string;
  readonly mounts: readonly SandboxMount[];
  readonly network: 'default' | 'none' | 'host';
  /** All capabilities, no seccomp filter, no masked paths (RUN --security=insecure). */
  readonly insecure?: boolean;
  readonly security?: SandboxSecurity;
  readonly devices?: readonly SandboxDevice[];
  readonly hostname: string;
  /** Lines for /etc/hosts besides the usual ones: `ip name`. */
  readonly hosts?: readonly string[];
  /** `cooper run -p`: a forwarder listens on the host. */
  readonly ports?: readonly PublishedPort[];
  /** Of authorities that the program trusts besides the image's, PEM; `usual` takes the place of a bundle that the image has not. */
  readonly certificates?: { readonly added: string; readonly usual: string };
  /** The upper directory becomes a snapshot of this session (RUN); otherwise it is thrown away (`cooper run`). */
  readonly commit: boolean;
  /** With `commit`: nothing in the snapshot has a later mtime; what has gets this one. */
  readonly epochSeconds?: number;
  /** The builder sends stdin as data frames; otherwise stdin is /dev/null. */
  readonly stdin: boolean;
  /** A cgroup is made where one of these is asked for, or `cgroupParent`. What cannot be had fails with LIMIT_UNAVAILABLE. */
  readonly limits?: SandboxLimits;
  /** The cgroup to make it in: a path from the root of the machine's cgroups. Made where it is missing. */
  readonly cgroupParent?: string;
  /** Size of /dev/shm. */
  readonly shmBytes?: number;
  /** Resource limits by their Docker names (`nofile`); -1 is no limit. */
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  /** The program has a terminal of this size for all three streams; what it writes comes as stdout. */
  readonly tty?: TerminalSize;
}

export interface SandboxResult {
  /** 0..255; 128 + signal when a signal ended it. */
  readonly exitCode: number;
  readonly signal?: number;
  /** A process was killed because memory was used up: the program itself, or one that it had started. */
  readonly oom: boolean;
  /** The most that the container used at a time; only where it had a cgroup that counts memory. */
  readonly peakMemoryBytes?: number;
  /** Of the largest single process. */
  readonly maxRssBytes: number;
  readonly userMs: number;
  readonly systemMs: number;
  /** Wall clock, ns since the epoch as decimal text: the run's own interval, for content-stable names. */
  readonly startedNs: string;
  readonly endedNs: string;
  /** Present when `commit` and exitCode is 0. */
  readonly snapshot?: SnapshotID;
}
