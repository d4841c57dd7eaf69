import type { Descriptor } from '../oci/descriptor.ts';
import type { DiffID, Digest } from '../oci/digest.ts';
import type { Platform } from '../oci/platform.ts';

// The kinds of vertices. Close to BuildKit's LLB (source, exec, file ops), so that a definition of it can be mapped onto them later.
// A vertex gives a filesystem: a chain of layers. Inputs are named by their place in `Vertex.inputs`.

export type Spec = ImageSpec | ScratchSpec | LocalSpec | InlineSpec | HttpSpec | GitSpec | ExecSpec | CopySpec | MkdirSpec;

/** The layers of an image that was resolved to a digest. No inputs. */
export interface ImageSpec {
  readonly kind: 'image';
  /** Full reference: `docker.io/library/debian:bookworm`. */
  readonly reference: string;
  /** Of the platform's manifest. */
  readonly digest: Digest;
  readonly layers: readonly { readonly descriptor: Descriptor; readonly diffID: DiffID }[];
}

/** The empty filesystem. No inputs. */
export interface ScratchSpec {
  readonly kind: 'scratch';
}

/** A directory of the user's: the build context, or a named one. No inputs; it can only be copied or bound from. */
export interface LocalSpec {
  readonly kind: 'local';
  /** `context`, or the name of a named context: `BuildOptions` says which directory that is. */
  readonly name: string;
}

/** Files whose text stands in the Dockerfile (heredocs). No inputs; it can only be copied or bound from. */
export interface InlineSpec {
  readonly kind: 'inline';
  readonly files: readonly { readonly name: string; readonly text: string; readonly mode: number }[];
}

/** One file from an http(s) URL. No inputs; it can only be copied or bound from: a directory with this one file. */
export interface HttpSpec {
  readonly kind: 'http';
  readonly url: string;
  /** The name of the file in the source: a name without `/`, not `.` or `..`. */
  readonly filename: string;
  /** The bytes must have it. Then nothing is asked of the server while the cache has all that is made of them. */
  readonly checksum?: Digest;
}

/** The files of a git repository at one commit. No inputs; it can only be copied or bound from. */
export interface GitSpec {
  readonly kind: 'git';
  /** As `parseGitUrl` gives it, with a scheme or `user@host:path`. */
  readonly remote: string;
  /** Commit, tag, branch or full reference; undefined for the default branch. */
  readonly ref?: string;
  /** Clean, without `/` around it; undefined for the whole tree. */
  readonly subdir?: string;
  /** Hex: a commit, or how it begins. */
  readonly checksum?: string;
  readonly keepGitDir: boolean;
  readonly submodules: boolean;
  /** What mtime the files have: that of their checkout, or that of the commit. */
  readonly mtime: 'checkout' | 'commit';
  /** Takes `checksum` (or a `ref` that is a commit) for the commit and does not ask where the reference stands now. */
  readonly fetchByCommit: boolean;
}

/** RUN. Input 0 is the root filesystem, the others are what bind mounts show. */
export interface ExecSpec {
  readonly kind: 'exec';
  readonly argv: readonly string[];
  /** `NAME=value`, ARGs that are in effect included, in order. */
  readonly env: readonly string[];
  /** Predefined proxy variables: given to the program, but no part of any key. */
  readonly proxyEnv: readonly string[];
  readonly cwd: string;
  /** As in USER: `name`, `uid`, `name:group`, …; empty for root. */
  readonly user: string;
  readonly mounts: readonly MountSpec[];
  readonly network: NetworkMode;
  /** Lines of /etc/hosts besides the usual ones. */
  readonly hosts: readonly HostSpec[];
  /** From BUILDKIT_SANDBOX_HOSTNAME; without one it is BuildKit's own default. */
  readonly hostname?: string;
  readonly security: SecurityMode;
  readonly devices?: DevicesSpec;
  readonly platform: Platform;
  /** SOURCE_DATE_EPOCH, in seconds: no file of the layer has a later mtime. */
  readonly epoch?: number;
}

/** A line of /etc/hosts. */
export interface HostSpec {
  readonly name: string;
  readonly ip: string;
}

/** Devices of the machine. */
export interface DevicesSpec {
  /** As the Dockerfile has them. */
  readonly asked: readonly { readonly name: string; readonly required: boolean }[];
  /** What of that is there and allowed: full names. */
  readonly given: readonly string[];
}

/** `insecure`: with every capability and no seccomp filter. */
export type SecurityMode = 'sandbox' | 'insecure';

export type NetworkMode = 'default' | 'none' | 'host';

export type MountSpec = BindMountSpec | CacheMountSpec | TmpfsMountSpec | SecretMountSpec | SshMountSpec;

export interface BindMountSpec {
  readonly type: 'bind';
  /** Absolute. */
  readonly target: string;
  /** The place in `inputs` of what is mounted; 0 is the stage itself. */
  readonly input: number;
  /** Within the input, absolute. */
  readonly source: string;
  /** Writes are allowed, and thrown away. */
  readonly writable: boolean;
}

export interface CacheMountSpec {
  readonly type: 'cache';
  readonly target: string;
  readonly id: string;
  readonly sharing: 'shared' | 'private' | 'locked';
  readonly readonly: boolean;
  /** The place in `inputs` of what it begins with; undefined for nothing. Another input is another cache. */
  readonly input?: number;
  /** Within the cache, absolute. */
  readonly source: string;
  /** Of the mount's root when it is made; another owner or mode is another cache. */
  readonly owner?: { readonly uid: number; readonly gid: number; readonly mode: number };
}

export interface TmpfsMountSpec {
  readonly type: 'tmpfs';
  readonly target: string;
  readonly readonly: boolean;
  /** Bytes; undefined for the kernel's default. */
  readonly size?: number;
}

export interface SecretMountSpec {
  readonly type: 'secret';
  readonly id: string;
  /** Absolute path of the file; undefined when only `env` was asked for. */
  readonly target?: string;
  /** Name of the environment variable that holds the value. */
  readonly env?: string;
  readonly required: boolean;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** The socket of an agent that answers for keys of the user's. */
export interface SshMountSpec {
  readonly type: 'ssh';
  /** Which of `--ssh`. */
  readonly id: string;
  /** Absolute path of the socket. */
  readonly target: string;
  readonly required: boolean;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** COPY and ADD. Input 0 is the stage so far, the others are what is copied from (`local`, `inline`, or any filesystem). */
export interface CopySpec {
  readonly kind: 'copy';
  /** For messages: `COPY` or `ADD`. */
  readonly instruction: 'COPY' | 'ADD';
  /** Copied one after the other, into one layer. */
  readonly parts: readonly CopyPart[];
  /** Absolute (WORKDIR is joined in); a trailing `/` is kept, it means a directory. */
  readonly destination: string;
  readonly exclude: readonly string[];
  /** `--chown` as written after expansion. Undefined: 0:0 from a `local` or `inline` source, kept from a filesystem. */
  readonly chown?: string;
  /** `--chmod` after expansion: octal digits (`0755`) or symbolic (`u=rwX,go=rX`). */
  readonly chmod?: string;
  /** `--link`: the layer does not depend on input 0. */
  readonly link: boolean;
  /** SOURCE_DATE_EPOCH, in seconds: no file of the layer has a later mtime. */
  readonly epoch?: number;
}

/** What a COPY takes from one of its inputs. */
export interface CopyPart {
  /** The place in `inputs`. */
  readonly input: number;
  /** Patterns as the user wrote them, after expansion and unquoting. */
  readonly sources: readonly string[];
  /** `--parents`. */
  readonly parents: boolean;
  /** ADD: sources that are archives by their magic bytes are unpacked. */
  readonly unpack: boolean;
}

/** WORKDIR: makes the directory and its missing parents, owned by `user`. Input 0 is the stage so far. */
export interface MkdirSpec {
  readonly kind: 'mkdir';
  readonly path: string;
  /** As in USER; empty for root. */
  readonly user: string;
  /** SOURCE_DATE_EPOCH, in seconds: no file of the layer has a later mtime. */
  readonly epoch?: number;
}
