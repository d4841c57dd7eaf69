// Messages between the builder and the native worker. The twin of this file is native/src/protocol/; the tests of both decode
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
import type { Chain, FileAttributes, LayerBlob, LayerForm, PackedLayer, Selection, SnapshotID, Source } from './files.ts';
import type { SandboxParams, SandboxResult, TerminalSize } from './sandbox.ts';
import type { CacheMount, StoreUsage } from './store-content.ts';

export type { WorkerEvent } from './events.ts';
export type * from './files.ts';
export type * from './sandbox.ts';

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

/**
 * Which ids containers of root have: `auto` is those of a user namespace over idmapped layers where that works, `host` the machine's. Layers are
 * the same with both, so it is part of no key.
 */
export type UserNamespace = 'auto' | 'host';

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
