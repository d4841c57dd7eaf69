import type { Writable } from 'node:stream';
import type { NetworkMode } from './graph/spec.ts';
import type { Platform } from './oci/platform.ts';
import type { SandboxLimits, UserNamespace } from './worker/protocol.ts';

/** What a build is made of. Paths are host paths; relative ones are resolved by the caller. */
export interface BuildOptions {
  /**
   * What COPY and ADD can see: an absolute directory; the URL of an archive or of a Dockerfile (`https://…`); a git repository
   * (`https://….git#ref:directory`); or `-`, which reads an archive or a Dockerfile from `stdin`.
   */
  readonly context: string;
  /**
   * The Dockerfile: an absolute path, a URL, or `-` for `stdin`. In a context that is no directory, a relative path is within it. Default:
   * `Dockerfile` in the context, then `dockerfile`.
   */
  readonly dockerfile?: string;
  /** What `-` stands for in `context` or `dockerfile`. It is read once. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  /**
   * Named contexts: what stands in place of the stage or the image of that name, in FROM, `COPY --from` and `RUN --mount=from=`. A source is
   * an absolute directory, a URL, a git repository, `docker-image://reference`, or `oci-layout://directory[:tag|@digest]` with an absolute
   * directory. A name may end with `::os/architecture`.
   */
  readonly contexts?: Readonly<Record<string, string>>;
  /** The store's root, absolute. */
  readonly root: string;
  readonly tags?: readonly string[];
  readonly target?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: readonly AnnotationOption[];
  /** Of two with one id the last counts. */
  readonly secrets?: readonly SecretOption[];
  readonly ssh?: readonly SshOption[];
  readonly platform?: Platform;
  readonly network?: NetworkMode;
  /** Lines of /etc/hosts in every RUN, besides the usual ones. */
  readonly addHosts?: readonly HostOption[];
  /** What each RUN may use. */
  readonly resources?: ResourceOptions;
  /** Authorities that RUN trusts besides the image's. */
  readonly certificates?: CertificatesOption;
  /** Which ids containers of root have; layers are the same with both. Default: `auto`. */
  readonly userns?: UserNamespace | undefined;
  /** What a Dockerfile may ask for. */
  readonly allow?: readonly Permission[];
  /** Other walls for every RUN. They are no part of any key: what a step gave with others is taken. */
  readonly security?: SecurityOptions;
  /** Where devices that a RUN may ask for are described (CDI), absolute; later ones count more. Default: /etc/cdi and /var/run/cdi. */
  readonly cdiDirectories?: readonly string[];
  readonly noCache?: boolean;
  /** Without a SOURCE_DATE_EPOCH, the time of the commit that the context's git repository stands at takes its place. */
  readonly reproducible?: boolean;
  /** Names of stages whose steps are run again; not together with `noCache`. */
  readonly noCacheFilter?: readonly string[];
  /** Asks the registry for base tags that the store already has. */
  readonly pull?: boolean;
  /** Empty: the image goes to the store only. */
  readonly outputs?: readonly OutputOption[];
  /** Where an output with the destination `-` goes; it is not closed. */
  readonly outputStream?: Writable;
  readonly push?: boolean;
  /** Where the cache mounts of the Dockerfile go after the build. */
  readonly cacheTo?: readonly CacheToOption[];
  /** Where cache mounts that the store lacks come from, when a step first uses them. The first that has one counts. */
  readonly cacheFrom?: readonly CacheFromOption[];
  /** Environment of the caller that counts: proxy variables, SOURCE_DATE_EPOCH, DOCKER_CONFIG, HOME. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** `--secret id=…`: the value comes from a file or from an environment variable. */
export interface SecretOption {
  readonly id: string;
  readonly source: { readonly file: string } | { readonly value: string };
  /** `false`: what is built may hold it. */
  readonly scan?: boolean;
  /** Steps that may read it run again when its value has changed. */
  readonly invalidate?: boolean;
}

/** `--ca-certificates`: those of a file or of a directory, absolute; without `source` those of this machine. */
export interface CertificatesOption {
  readonly source?: string;
}

/** `--annotation`: of the image's manifest, or of the descriptor that lists it. */
export interface AnnotationOption {
  readonly scope: 'manifest' | 'manifest-descriptor';
  /** Only for this platform. */
  readonly platform?: Platform;
  readonly name: string;
  readonly value: string;
}

/** `--add-host`. */
export interface HostOption {
  readonly name: string;
  /** IPv4 or IPv6, without brackets. */
  readonly ip: string;
}

/** What a container may use. Where a limit cannot be had, what needs it fails with LIMIT_UNAVAILABLE. */
export interface ResourceOptions {
  readonly limits?: SandboxLimits;
  /** A path from the root of the machine's cgroups. */
  readonly cgroupParent?: string;
  /** Size of /dev/shm. */
  readonly shmBytes?: number;
  /** By Docker's names; -1 is no limit. */
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
}

/** `--allow`: `device` alone is every device, `device=NAME` one of them (`vendor/class=name`), with `,alias=OTHER` for what the Dockerfile calls OTHER. */
export type Permission = 'network.host' | 'security.insecure' | 'device' | `device=${string}`;

/** `--security-opt`. */
export interface SecurityOptions {
  /** No filter of system calls, that of a profile in Docker's format (an absolute path), or the usual one. */
  readonly seccomp?: 'unconfined' | 'default' | { readonly file: string };
  /** Setuid programs give nothing. */
  readonly noNewPrivileges?: boolean;
  /** Nothing of /proc and /sys is hidden or read-only. For a build the permission `security.insecure` is needed too. */
  readonly systemPaths?: 'unconfined';
  /** No profile of AppArmor, no label of SELinux: a container has none but what cooper itself has. */
  readonly appArmor?: 'unconfined';
  readonly label?: 'disable';
}

/** `--ssh id=…`: an agent that RUN --mount=type=ssh may ask. */
export interface SshOption {
  readonly id: string;
  /** One socket of an agent, or files of private keys. */
  readonly paths: readonly string[];
  /** Passes every byte on to the socket, also requests that are no question for keys or signatures. */
  readonly raw: boolean;
}

/** `--output`. `destination` is absolute, or `-` for stdout (archives only). */
export interface OutputOption {
  readonly type: 'oci' | 'docker' | 'local';
  readonly destination: string;
}

/** A file, or a name in a registry, that holds cache mounts. The path is absolute. */
export type CachePlace = { readonly file: string } | { readonly reference: string };

/** `--cache-to type=mounts`. What it writes is an OCI artifact; parts that have not changed are neither packed nor sent again. */
export interface CacheToOption {
  readonly type: 'mounts';
  readonly place: CachePlace;
  /** Ids as the Dockerfile writes them. Default: all that the built stages name. */
  readonly ids?: readonly string[];
  /** Also after a build that failed. */
  readonly onFailure?: boolean;
  /** What goes wrong is a warning, not the end of the build. */
  readonly ignoreError?: boolean;
}

/** `--cache-from type=mounts`. What goes wrong is a warning. */
export interface CacheFromOption {
  readonly type: 'mounts';
  readonly place: CachePlace;
  /** Ids as the Dockerfile writes them. Default: all. */
  readonly ids?: readonly string[];
  /** Also in place of a cache mount that the store has. */
  readonly replace?: boolean;
}
