import { resolve } from 'node:path';
import type {
  AnnotationOption,
  CacheFromOption,
  CacheToOption,
  HostOption,
  Permission,
  SecretOption,
  SshOption,
} from '../build-options.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import { nearest } from '../diagnostics/suggest.ts';
import type { NetworkMode } from '../graph/spec.ts';
import type { Platform } from '../oci/platform.ts';
import { familiarReference, parseReference } from '../oci/reference.ts';
import { type ProgressMode, progressModes } from '../progress/renderer.ts';
import { type Flag, sets, type Unavailable } from './flag.ts';
import { defaultLimitFlags, type LimitFlags, limitFlags, unavailableLimitFlags } from './limit-flags.ts';
import { cdiDirectoryFlag, certificatesFlag, defaultSandboxFlags, type SandboxFlags, securityFlag } from './sandbox-flags.ts';
import { type UserNamespaceFlag, usernsFlag } from './userns-flag.ts';
import { parseAnnotation } from './values/annotation.ts';
import { parseAssignment } from './values/assignment.ts';
import { parseBuildContext } from './values/build-context.ts';
import { parseCacheFrom, parseCacheTo } from './values/cache.ts';
import { type CallArgument, parseCall } from './values/call.ts';
import { parseHost } from './values/host.ts';
import { parseNetwork } from './values/network.ts';
import { type OutputArgument, parseOutput } from './values/output.ts';
import { parsePermission } from './values/permission.ts';
import { parsePlatformOption } from './values/platform.ts';
import { parseSecret } from './values/secret.ts';
import { parseSsh } from './values/ssh.ts';

/** What the options of `cooper build` say. Paths are absolute. */
export interface BuildFlags extends LimitFlags, SandboxFlags, UserNamespaceFlag {
  readonly tags: string[];
  /** As typed: what it is relative to depends on the context. */
  file?: string;
  readonly contexts: Record<string, string>;
  target?: string;
  readonly buildArgs: Record<string, string>;
  readonly labels: Record<string, string>;
  readonly annotations: AnnotationOption[];
  readonly secrets: SecretOption[];
  readonly ssh: SshOption[];
  readonly addHosts: HostOption[];
  readonly allow: Permission[];
  readonly outputs: OutputArgument[];
  readonly cacheTo: CacheToOption[];
  readonly cacheFrom: CacheFromOption[];
  platform?: Platform;
  network?: NetworkMode;
  noCache: boolean;
  reproducible: boolean;
  readonly noCacheFilter: string[];
  pull: boolean;
  push: boolean;
  progress: ProgressMode;
  quiet: boolean;
  iidFile?: string;
  metadataFile?: string;
  /** Something is asked in place of a build. */
  call?: CallArgument;
}

export const defaultBuildFlags = (): BuildFlags => ({
  ...defaultLimitFlags(),
  ...defaultSandboxFlags(),
  tags: [],
  contexts: {},
  buildArgs: {},
  labels: {},
  annotations: [],
  secrets: [],
  ssh: [],
  addHosts: [],
  allow: [],
  outputs: [],
  cacheTo: [],
  cacheFrom: [],
  noCache: false,
  reproducible: false,
  noCacheFilter: [],
  pull: false,
  push: false,
  progress: 'auto',
  quiet: false,
});

export const buildFlags: readonly Flag<BuildFlags>[] = [
  {
    name: 'tag',
    short: 't',
    value: 'NAME[:TAG]',
    help: 'name of the image; may be given several times',
    set: ({ tags }, text) => void tags.push(checkTag(text)),
  },
  {
    name: 'file',
    short: 'f',
    value: 'FILE',
    help: 'the Dockerfile: a path, a URL, or - for standard input (default: PATH/Dockerfile)',
    set: (options, text) => {
      options.file = notEmpty('--file', text);
    },
  },
  {
    name: 'build-context',
    value: 'NAME=SOURCE',
    help: 'what FROM, --from and from= find under a name: a directory, a URL, a git repository, docker-image://IMAGE or oci-layout://DIR',
    set: ({ contexts }, text, { directory }) => {
      const { name, source } = parseBuildContext(text, directory);
      define(contexts, name, source);
    },
  },
  {
    name: 'target',
    value: 'STAGE',
    help: 'the stage to build (default: the last one)',
    set: (options, text) => {
      options.target = notEmpty('--target', text);
    },
  },
  {
    name: 'build-arg',
    value: 'NAME[=VALUE]',
    help: "value of an ARG; without one, that of the environment's variable",
    set: ({ buildArgs }, text, { environment }) => {
      const { name, value = environment[name] } = parseAssignment(text, '--build-arg');
      if (value !== undefined) define(buildArgs, name, value);
    },
  },
  {
    name: 'label',
    value: 'NAME=VALUE',
    help: 'label of the image; may be given several times',
    set: ({ labels }, text) => {
      const { name, value = '' } = parseAssignment(text, '--label');
      define(labels, name, value);
    },
  },
  {
    name: 'annotation',
    value: '[SCOPE:]NAME=VALUE',
    help: "annotation of the image's manifest, or with manifest-descriptor: of where it is listed; may be given several times",
    set: ({ annotations }, text) => void annotations.push(...parseAnnotation(text)),
  },
  {
    name: 'secret',
    value: 'id=ID,src=FILE',
    help:
      'what a RUN --mount=type=secret may read: a file, or with env=NAME a variable; with invalidate steps that read it run again when it ' +
      'has changed, with scan=false what is built may hold it',
    set: ({ secrets }, text, caller) => void secrets.push(parseSecret(text, caller)),
  },
  {
    name: 'ssh',
    value: 'default|ID=SOCKET|ID=KEY',
    help: 'an agent, or private keys, that a RUN --mount=type=ssh may ask for signatures',
    set: ({ ssh }, text, caller) => {
      const agent = parseSsh(text, caller);
      // The last one of a name counts, as in buildx.
      const same = ssh.findIndex(({ id }) => id === agent.id);
      ssh.splice(same < 0 ? ssh.length : same, 1, agent);
    },
  },
  {
    name: 'platform',
    value: 'OS/ARCH',
    help: 'platform of the image, one (default: that of this machine)',
    set: (options, text) => {
      options.platform = parsePlatformOption(text);
    },
  },
  {
    name: 'network',
    value: 'MODE',
    help: 'network of RUN: default, none or host',
    set: (options, text) => {
      options.network = parseNetwork(text);
    },
  },
  {
    name: 'add-host',
    value: 'NAME:IP',
    help: 'a line of /etc/hosts for every RUN; may be given several times',
    set: ({ addHosts }, text) => void addHosts.push(...parseHost(text)),
  },
  ...limitFlags,
  usernsFlag,
  certificatesFlag('RUN'),
  {
    name: 'allow',
    value: 'PERMISSION',
    help: 'what the Dockerfile may ask for: network.host, security.insecure, device or device=NAME; may be given several times',
    set: ({ allow }, text) => void allow.push(parsePermission(text)),
  },
  cdiDirectoryFlag('devices of RUN --device'),
  securityFlag('every RUN'),
  {
    name: 'reproducible',
    help: "the same image for the same commit: SOURCE_DATE_EPOCH is the time of the context's git HEAD",
    set: sets('reproducible'),
  },
  { name: 'no-cache', help: 'run every step again', set: sets('noCache') },
  {
    name: 'no-cache-filter',
    value: 'STAGE[,STAGE]',
    help: 'run every step of these stages again; may be given several times',
    set: ({ noCacheFilter }, text) => void noCacheFilter.push(...notEmpty('--no-cache-filter', text).split(',').filter(Boolean)),
  },
  { name: 'pull', help: 'ask the registry for base images that are already here', set: sets('pull') },
  {
    name: 'output',
    short: 'o',
    value: 'type=TYPE,dest=PATH',
    help: 'also write the result: oci or docker (an archive, - for standard output) or local (the files, to a directory)',
    set: ({ outputs }, text, caller) => void outputs.push(parseOutput(text, caller)),
  },
  {
    name: 'cache-to',
    value: 'type=mounts,ref=NAME|dest=FILE',
    help: "write the files of RUN's cache mounts to a registry or an archive, after the build; may be given several times",
    set: ({ cacheTo }, text, caller) => void cacheTo.push(parseCacheTo(text, caller)),
  },
  {
    name: 'cache-from',
    value: 'type=mounts,ref=NAME|src=FILE',
    help: 'begin cache mounts that are not here with those of a registry or an archive; may be given several times',
    set: ({ cacheFrom }, text, caller) => void cacheFrom.push(parseCacheFrom(text, caller)),
  },
  { name: 'push', help: 'send the image to the registry of each of its names', set: sets('push') },
  {
    name: 'progress',
    value: 'MODE',
    help: 'auto, plain, json (one event per line) or quiet; auto is plain',
    set: (options, text) => {
      options.progress = parseProgress(text);
    },
  },
  { name: 'quiet', short: 'q', help: 'show no progress, print the digest', set: sets('quiet') },
  {
    name: 'iidfile',
    value: 'FILE',
    help: "write the digest of the image's manifest to a file",
    set: (options, text, { directory }) => {
      options.iidFile = resolve(directory, notEmpty('--iidfile', text));
    },
  },
  {
    name: 'metadata-file',
    value: 'FILE',
    help: 'write digests, descriptor and names to a file, as JSON',
    set: (options, text, { directory }) => {
      options.metadataFile = resolve(directory, notEmpty('--metadata-file', text));
    },
  },
  {
    name: 'call',
    value: 'METHOD[,format=json]',
    help: 'build nothing, but answer a question about the Dockerfile: check, outline or targets',
    set: (options, text) => {
      setCall(options, parseCall(text));
    },
  },
  {
    name: 'check',
    help: 'short for --call=check: what the rules have against the Dockerfile',
    set: (options, on) => {
      if (on) setCall(options, parseCall('check'));
    },
  },
];

function setCall(options: BuildFlags, call: CallArgument | undefined): void {
  delete options.call;
  if (call) options.call = call;
}

/** What `docker build` has besides. */
export const unavailableBuildFlags: readonly Unavailable[] = [
  { name: 'attest', hint: 'the image has no attestations' },
  { name: 'builder', hint: 'there is no builder to choose: cooper builds by itself' },
  { name: 'compression', hint: 'layers are compressed with gzip' },
  { name: 'debug', hint: 'use "cooper run" with an image of the stage before: --target' },
  { name: 'device', hint: 'write RUN --device=NAME in the Dockerfile, and build with --allow device=NAME' },
  { name: 'explain', hint: '"--progress plain" shows which steps the cache had' },
  { name: 'force-rm', hint: 'leave it out: no containers are kept' },
  { name: 'load', hint: 'leave it out: the image is always in the store' },
  { name: 'locked', hint: 'write FROM IMAGE@sha256:...' },
  { name: 'policy', hint: 'write FROM IMAGE@sha256:...' },
  { name: 'provenance', hint: 'the image has no attestations' },
  { name: 'rm', hint: 'leave it out: no containers are kept' },
  { name: 'sbom', hint: 'the image has no attestations' },
  { name: 'squash', hint: 'copy the result into a last stage FROM scratch' },
  ...unavailableLimitFlags,
];

function checkTag(text: string): string {
  const reference = parseReference(text);
  if (reference.digest === undefined) return text;
  const hint = `use "${familiarReference({ registry: reference.registry, repository: reference.repository })}" and a tag`;
  throw new BuildError('REFERENCE_INVALID', `"${text}" has a digest, which cannot be chosen`, { hint });
}

function parseProgress(text: string): ProgressMode {
  const known = progressModes.find((mode) => mode === text);
  if (known) return known;
  if (text === 'rawjson') return 'json';
  if (text === 'none') return 'quiet';
  if (text === 'tty') throw new BuildError('UNSUPPORTED', '"--progress tty" is not there yet', { hint: 'use --progress plain' });
  const near = nearest(text, progressModes);
  const hint = near ? `did you mean "${near}"?` : `write one of ${progressModes.join(', ')}`;
  throw new BuildError('ARG_INVALID', `"--progress ${text}" is no way to show progress`, { hint });
}

function notEmpty(option: string, text: string): string {
  if (text === '') throw new BuildError('ARG_INVALID', `"${option}" needs a value that is not empty`);
  return text;
}

/** As an own property whatever its name is: `--build-arg __proto__=x` is an argument like any other. */
function define(record: Record<string, string>, name: string, value: string): void {
  Object.defineProperty(record, name, { value, enumerable: true, configurable: true, writable: true });
}
