// Messages between the builder and the native worker. The twin of this file is native/src/protocol.rs; the tests of both decode
// and encode every message in fixtures/protocol/.
//
// A frame on stdin or stdout is `u32 length | u8 kind | u32 stream | payload`, little-endian (codec.ts); `length` counts kind, stream
// and payload. Kinds: 1 request, 2 response, 3 event (JSON), 4 data (bytes), 5 credit (u32: bytes the peer may send more on this
// stream), 6 cancel (empty). A stream is one request: the builder numbers them upwards from 1. Requests run side by side, each on a thread
// of its own. The worker's first frame is event `welcome` on stream 0. Blobs go by digest, snapshots by id, host directories by handle: the
// only messages that name a host path are `hello` (the store's root) and `handle.open`.
// The worker ends when its stdin closes, and takes every child with it, so a dead builder leaves no process behind.
// A request is `{ method, params }`, a response `{ result }` or `{ error: WorkerError }`. A cancelled request is answered with error code `CANCELLED`.

import type { Descriptor } from '../oci/descriptor.ts';
import type { ChainID, DiffID, Digest } from '../oci/digest.ts';
import type { SandboxLimits, TerminalSize } from './sandbox-limits.ts';
import type { CacheMount, StoreUsage } from './store-content.ts';

export type { WorkerEvent } from './events.ts';
export type { SandboxLimits, TerminalSize } from './sandbox-limits.ts';

export const protocolVersion = 1;
/** The longest frame that either side accepts, in bytes. */
export const maxFrameBytes = 16 * 1024 * 1024;
/** Data that may be sent on a stream before the first credit comes, in bytes. */
export const initialCredit = 1024 * 1024;

export interface WorkerError {
  /** One of ErrorCode's that the worker can know (COPY_SOURCE_MISSING, USER_NOT_FOUND, IMAGE_INVALID, …), or `INTERNAL`. */
  readonly code: string;
  /** Lower case, no full stop, values in quotes. */
  readonly message: string;
  readonly hint?: string;
  /** For COPY_SOURCE_MISSING of a copy with several selections: which of them; the first where it is left out. */
  readonly selection?: number;
  /** For COPY_SOURCE_MISSING: the place of the pattern in `sources`. */
  readonly source?: number;
  /** For COPY_SOURCE_MISSING: the ignore rule that took it (its `line`). */
  readonly ignoredBy?: number;
  /** For COPY_SOURCE_MISSING: names that do exist and are near. */
  readonly similar?: readonly string[];
}

/** A snapshot that this worker holds in this session and that may have no diffID yet: `snap:7`. Known to this worker only, until it ends. */
export type SnapshotID = `snap:${number}`;

/** A layer of the store by diffID, or a snapshot of this session. */
export type LayerRef = DiffID | SnapshotID;

/** A filesystem: its layers, base first. Empty is scratch. */
export type Chain = readonly LayerRef[];

/** Where a layer's bytes are, when it has to be unpacked. The builder knows (layers/ in the store); the worker trusts the digest only. */
export interface LayerBlob {
  readonly diffID: DiffID;
  readonly descriptor: Descriptor;
}

/** What is copied or bound from. */
export type Source =
  | { readonly kind: 'handle'; readonly handle: string; readonly ignore: readonly IgnoreRule[] }
  | { readonly kind: 'chain'; readonly chain: Chain }
  | { readonly kind: 'inline'; readonly files: readonly { readonly name: string; readonly text: string; readonly mode: number }[] };

/** One line of a .dockerignore, cleaned (src/context/ignore-file.ts): no leading `/`, no `!`. The last match wins. */
export interface IgnoreRule {
  readonly pattern: string;
  readonly negated: boolean;
  /** Counts from 1. */
  readonly line: number;
}

/** Which files of a source: as COPY and ADD read their sources. */
export interface Selection {
  readonly source: Source;
  /** Patterns as written: may begin with `/` or `./`, hold wildcards (Go filepath.Match), `..` is clamped to the root. */
  readonly sources: readonly string[];
  readonly exclude: readonly string[];
  readonly parents: boolean;
  readonly unpack: boolean;
}

/** What is known of one layer, once it is packed or unpacked. */
export interface PackedLayer {
  readonly diffID: DiffID;
  /** Length of the uncompressed tar. */
  readonly size: number;
  /** Entries in the tar: 0 is an empty layer. */
  readonly entries: number;
  /** The compressed form, when it was asked for. */
  readonly blob?: Descriptor;
}

export type LayerForm = 'gzip' | 'none';

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

/**
 * Which ids containers of root have: `auto` is those of a user namespace over idmapped layers where that works, `host` the machine's. Layers are
 * the same with both, so it is part of no key.
 */
export type UserNamespace = 'auto' | 'host';

export interface FileAttributes {
  /** `name`, `uid`, `name:group`, …, looked up in the parent's /etc/passwd and /etc/group. */
  readonly chown?: string;
  readonly chmod?: string;
}

export interface Downgrade {
  /** A mode, or a snapshotter. */
  readonly rung: string;
  readonly reason: string;
  /** What would make it work. */
  readonly hint?: string;
}

export interface Requests {
  /** The first request. Opens the store (makes it where it is missing), takes a lease, sweeps what dead leases left, probes the mode. */
  hello: {
    params: {
      version: number;
      root: string;
      /** Default: `auto`. */
      userns?: UserNamespace;
    };
    result: {
      lease: string;
      /** Where this process puts temporary files; relative to the root: `tmp/<lease>`. */
      temporary: string;
      /** The rung of the ladder: docs/modes.md has them all. */
      mode: 'root' | 'pod' | 'rootless' | 'single-id' | 'chroot' | 'unprivileged';
      /** Why not the rung above. */
      reason: string;
      snapshotter: 'overlay' | 'overlay-userxattr' | 'fuse-overlayfs' | 'copy' | 'none';
      /** The rungs that were tried and refused, the highest first. */
      downgrades: readonly Downgrade[];
    };
  };
  /** Names a host directory (or file) for later messages. Opened once, held as a descriptor. */
  'handle.open': { params: { handle: string; path: string; access: 'read' | 'write' }; result: Record<string, never> };
  /**
   * Keeps a secret's bytes in the worker's memory only. Unless `scan` is false, no layer that is made from now on may hold it: packing fails
   * with SECRET_LEAKED. In the output of containers it is masked. Gives, as base64, the forms in which it may be written, and lines of it
   * that are not shown either; none for a secret that is too short to be told from other bytes.
   */
  'secret.put': {
    params: { id: string; base64: string; scan?: boolean };
    result: { forms: readonly string[]; lines: readonly string[] };
  };
  /** A flock on `locks/<name>`; freed by release or by the worker's death. Waits. */
  'lock.acquire': { params: { name: string; exclusive: boolean }; result: { lock: number } };
  'lock.release': { params: { lock: number }; result: Record<string, never> };
  /**
   * Moves paths of the store (relative, no `..`) into trash/ and deletes them in the background; with `wait` the answer comes when all of the
   * trash is gone. A missing path is fine.
   */
  'store.discard': { params: { paths: readonly string[]; wait?: boolean }; result: Record<string, never> };
  /** Has the store for this worker alone, until it ends: who comes meanwhile waits in `hello`. `exclusive` is false when others work with it. */
  'store.exclusive': { params: Record<string, never>; result: { exclusive: boolean } };
  /** What the entries of one of the store's folders take on the disk. */
  'store.usage': { params: { folder: string }; result: { entries: readonly StoreUsage[] } };

  /** The content digest of the selected files: path, type, mode, ids, xattrs, bytes; never mtime. Uses and renews the stat cache. */
  'tree.select': {
    params: { selection: Selection };
    /** `directories`: how many of a host directory were listed. */
    result: { digest: Digest; entries: number; bytes: number; directories: number };
  };
  /**
   * Sends the bytes of one file as data frames (a byte 1, then bytes). Symlinks are followed within the source, and ignore rules don't count.
   * Where there is no such file, `names` are some of those that stand where it was looked for. Fails with CONTEXT_INVALID for a longer one.
   */
  'tree.read': {
    params: { source: Source; path: string; maxBytes: number };
    result: { found: boolean; names: readonly string[] };
  };
  /**
   * The content digest of a whole filesystem. Kept on disk by chainID when all layers have a diffID. With `below` the chain stands on the one of
   * that name, and there is no digest where the worker does not remember that one: then it wants to be given all layers.
   */
  'tree.digest': { params: { chain: Chain; below?: ChainID }; result: { digest?: Digest } };
  /** uid, gid and home of a USER or --chown text in this filesystem. Fails with USER_NOT_FOUND. */
  'tree.user': { params: { chain: Chain; user: string }; result: { uid: number; gid: number; groups: readonly number[]; home: string } };
  /** Whether the store holds what is needed of these layers: index, snapshot. */
  'tree.stat': { params: { layers: readonly DiffID[] }; result: { layers: readonly { index: boolean; snapshot: boolean }[] } };
  /** Writes a filesystem to a directory handle (`-o type=local`). */
  'tree.export': { params: { chain: Chain; handle: string }; result: { entries: number } };

  /** Makes sure that snapshots of all these layers are on disk; unpacks what is missing, in parallel; verifies digest, size and diffID. */
  'layer.unpack': { params: { layers: readonly LayerBlob[] }; result: Record<string, never> };
  /** Makes indexes from blobs without unpacking. Verifies as `layer.unpack` does. */
  'layer.index': { params: { layers: readonly LayerBlob[] }; result: Record<string, never> };
  /**
   * Commits a snapshot: walks it, makes tar, diffID and index, and the compressed blob where asked. `stable`: its content-stable name
   * covers `own` (the step's fields), the parent and the entries, with mtimes inside the run left out. When `layers-by-name/<name>`
   * in the store has an older layer that is complete, that one is the result and `reused` is true.
   */
  'layer.pack': {
    params: {
      snapshot: SnapshotID;
      form: LayerForm;
      stable?: { own: Digest; parent: string; startedNs: string; endedNs: string };
    };
    result: PackedLayer & { reused: boolean };
  };
  /** Compresses a layer that has only a snapshot. Gives the blob; makes it only when it is not there. */
  'layer.compress': { params: { diffID: DiffID; form: 'gzip' }; result: { blob: Descriptor } };

  /** Looks for the secrets of this session in a layer that was made before it knew them. Fails with SECRET_LEAKED. */
  'layer.search': { params: { layer: LayerBlob }; result: Record<string, never> };

  /** COPY and ADD: one pass over the source makes tar, index and diffID, the blob where asked, the snapshot where asked. */
  'file.copy': {
    params: {
      parent: Chain;
      /** Copied one after the other. */
      selections: readonly Selection[];
      destination: string;
      attributes: FileAttributes;
      link: boolean;
      /** No entry has a later mtime. */
      epochSeconds?: number;
      form: LayerForm;
      snapshot: boolean;
    };
    /** `selected`: for each selection the digest of what was really copied, as `tree.select` gives it. */
    result: PackedLayer & { selected: readonly Digest[] };
  };
  /** WORKDIR. Makes the directory and missing parents 0755, owned by `user`; always a layer with at least the directory itself. */
  'file.mkdir': {
    params: { parent: Chain; path: string; user: string; epochSeconds?: number; form: LayerForm; snapshot: boolean };
    result: PackedLayer;
  };

  /** Runs a program. Data frames from the worker: one byte (1 stdout, 2 stderr), then bytes. Data frames to it: stdin; an empty one ends it. */
  'sandbox.run': { params: SandboxParams; result: SandboxResult };
  /** Sends a signal to the program of a running `sandbox.run`, named by its stream. */
  'sandbox.signal': { params: { stream: number; signal: number }; result: Record<string, never> };

  /** Sets the size of the terminal of a running `sandbox.run`, once it has told `started`. */
  'sandbox.resize': { params: { stream: number } & TerminalSize; result: Record<string, never> };

  /**
   * Carries the bytes of one connection to an `ssh` mount, told by an event of its `sandbox.run`: data frames both ways, those of the worker with
   * one byte (0) before the bytes. It ends with the connection; an empty frame of the builder's ends that. A connection that has ended in the
   * meantime gives nothing, and no error.
   */
  'sandbox.connect': { params: { connection: number }; result: Record<string, never> };
  /** Moves all cache mounts of these ids out of the way, as soon as no container uses them. */
  'mount.discard': { params: { ids: readonly string[] }; result: Record<string, never> };
  /** All cache mounts of the store. */
  'mount.list': { params: Record<string, never>; result: { mounts: readonly CacheMount[] } };
  /** Whether there is such a cache mount; a private one counts by its first. */
  'mount.find': { params: { id: string; variant?: string }; result: { found: boolean } };
  /**
   * Packs a cache mount into tars, in an order in which each stands on those before it. Their compressed forms are put into
   * `tmp/<lease>/blobs/sha256/`, but for those of `known`: these are `made: false`. What a container uses is not packed. Sends `progress`.
   */
  'mount.pack': {
    params: { name: string; known: readonly LayerBlob[] };
    result: { inUse: boolean; layers: readonly { diffID: DiffID; descriptor: Descriptor; made: boolean }[] };
  };
  /**
   * Makes a cache mount of such tars, read from `tmp/<lease>/blobs/sha256/`, and verified. One that is there stays, unless `replace` is set.
   * Sends `progress`.
   */
  'mount.unpack': {
    params: { id: string; variant?: string; sharing: 'shared' | 'private' | 'locked'; layers: readonly LayerBlob[]; replace: boolean };
    result: { unpacked: boolean };
  };
  /** Moves cache mounts out of the way, by name. Those that a container uses stay, and are not among `pruned`. */
  'mount.prune': { params: { names: readonly string[] }; result: { pruned: readonly string[] } };

  /** What `cooper doctor` shows. */
  doctor: { params: Record<string, never>; result: { checks: readonly DoctorCheck[] } };
}

export interface DoctorCheck {
  readonly name: string;
  readonly state: 'ok' | 'degraded' | 'missing';
  readonly detail: string;
  readonly hint?: string;
}
