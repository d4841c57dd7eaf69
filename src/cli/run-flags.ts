import { BuildError } from '../diagnostics/build-error.ts';
import type { NetworkMode } from '../graph/spec.ts';
import type { DeviceArgument } from '../run.ts';
import { type Flag, sets, type Unavailable } from './flag.ts';
import { defaultLimitFlags, type LimitFlags, limitFlags, pidsFlag, unavailableLimitFlags } from './limit-flags.ts';
import { cdiDirectoryFlag, certificatesFlag, defaultSandboxFlags, type SandboxFlags, securityFlag } from './sandbox-flags.ts';
import { type UserNamespaceFlag, usernsFlag } from './userns-flag.ts';
import { parseAssignment } from './values/assignment.ts';
import { parseCapability } from './values/capability.ts';
import { parseDevice } from './values/device.ts';
import { parseNetwork } from './values/network.ts';
import { type PortMapping, parsePort } from './values/port.ts';
import { parseVolume, type VolumeMapping } from './values/volume.ts';

/** What the options of `cooper run` say. */
export interface RunFlags extends LimitFlags, SandboxFlags, UserNamespaceFlag {
  /** `NAME=value`, in the order given. */
  readonly env: string[];
  readonly volumes: VolumeMapping[];
  readonly ports: PortMapping[];
  network: NetworkMode;
  workdir?: string;
  user?: string;
  /** Empty: the image's own is taken away. */
  entrypoint?: string;
  hostname?: string;
  readonly addedCapabilities: string[];
  readonly droppedCapabilities: string[];
  readonly devices: DeviceArgument[];
  remove: boolean;
  /** Standard input goes to the program. */
  interactive: boolean;
  /** The program has a terminal. */
  tty: boolean;
}

export const defaultRunFlags = (): RunFlags => ({
  ...defaultLimitFlags(),
  ...defaultSandboxFlags(),
  env: [],
  volumes: [],
  ports: [],
  network: 'default',
  addedCapabilities: [],
  droppedCapabilities: [],
  devices: [],
  remove: true,
  interactive: false,
  tty: false,
});

export const runFlags: readonly Flag<RunFlags>[] = [
  { name: 'interactive', short: 'i', help: 'pass standard input on to the program', set: sets('interactive') },
  { name: 'tty', short: 't', help: 'give the program a terminal: -it for a shell', set: sets('tty') },
  {
    name: 'env',
    short: 'e',
    value: 'NAME[=VALUE]',
    help: 'environment variable; without a value, that of the environment',
    set: ({ env }, text, { environment }) => {
      const { name, value = environment[name] } = parseAssignment(text, '--env');
      if (value !== undefined) env.push(`${name}=${value}`);
    },
  },
  {
    name: 'volume',
    short: 'v',
    value: 'HOST:PATH[:ro]',
    help: 'show a file or directory of the host in the container',
    set: ({ volumes }, text, { directory }) => void volumes.push(parseVolume(text, directory)),
  },
  {
    name: 'workdir',
    short: 'w',
    value: 'DIR',
    help: 'working directory, absolute',
    set: (options, text) => {
      if (!text.startsWith('/') || text.includes('\0')) throw new BuildError('ARG_INVALID', `"--workdir ${text}" is not an absolute path`);
      options.workdir = text;
    },
  },
  {
    name: 'user',
    short: 'u',
    value: 'USER[:GROUP]',
    help: 'who runs the program: names or numbers',
    set: (options, text) => {
      if (text === '' || text.includes('\0')) throw new BuildError('ARG_INVALID', `"--user ${text}" is not a user`);
      options.user = text;
    },
  },
  {
    name: 'publish',
    short: 'p',
    value: '[[IP:]HOSTPORT:]PORT[/udp]',
    help: "make a port of the container one of the host's; without a port of the host it is one that is free, which is said",
    set: ({ ports }, text) => void ports.push(parsePort(text)),
  },
  {
    name: 'network',
    value: 'MODE',
    help: 'network of the container: default, none or host',
    set: (options, text) => {
      options.network = parseNetwork(text);
    },
  },
  certificatesFlag('the program'),
  {
    name: 'entrypoint',
    value: 'PROGRAM',
    help: "run this in place of the image's ENTRYPOINT",
    set: (options, text) => {
      options.entrypoint = text;
    },
  },
  {
    name: 'name',
    value: 'NAME',
    help: "the container's host name",
    set: (options, text) => {
      options.hostname = parseHostName(text);
    },
  },
  {
    name: 'cap-add',
    value: 'CAPABILITY',
    help: 'a capability besides the usual ones, or ALL; may be given several times',
    set: ({ addedCapabilities }, text) => void addedCapabilities.push(parseCapability(text, '--cap-add')),
  },
  {
    name: 'cap-drop',
    value: 'CAPABILITY',
    help: 'a capability to leave out, or ALL; may be given several times',
    set: ({ droppedCapabilities }, text) => void droppedCapabilities.push(parseCapability(text, '--cap-drop')),
  },
  {
    name: 'device',
    value: 'HOST[:PATH]',
    help: 'a device of the host, by its path or the name of its description (VENDOR/CLASS=NAME); may be given several times',
    set: ({ devices }, text) => void devices.push(parseDevice(text)),
  },
  cdiDirectoryFlag('devices'),
  securityFlag('the container'),
  ...limitFlags,
  usernsFlag,
  pidsFlag,
  { name: 'rm', help: 'always so: a container is gone when it ends', set: sets('remove') },
];

/** What `docker run` has besides. */
export const unavailableRunFlags: readonly Unavailable[] = [
  { name: 'add-host', hint: 'show an /etc/hosts of your own with --volume' },
  { name: 'detach-keys', hint: 'containers run in the foreground: there is nothing to come back to' },
  { name: 'detach', short: 'd', hint: 'containers run in the foreground; put "&" behind the command' },
  { name: 'dns', hint: 'show an /etc/resolv.conf of your own with --volume' },
  { name: 'env-file', hint: 'give each variable with --env' },
  { name: 'expose', hint: 'use --publish' },
  { name: 'gpus', hint: 'give each with --device' },
  { name: 'health-cmd', hint: 'health checks are not run' },
  { name: 'hostname', hint: 'use --name' },
  { name: 'init', hint: 'the program is process 1, as in Docker without --init' },
  { name: 'label', short: 'l', hint: 'containers are not kept, so nothing could be found by it' },
  { name: 'mount', hint: 'use --volume' },
  { name: 'platform', hint: 'build or pull the image for the platform that you want' },
  { name: 'privileged', hint: 'give what the program needs: --cap-add, --security-opt' },
  { name: 'publish-all', short: 'P', hint: 'give each port with --publish' },
  { name: 'pull', hint: 'use "cooper pull" first' },
  { name: 'read-only', hint: 'what a container writes is gone when it ends' },
  { name: 'restart', hint: 'containers run in the foreground, once' },
  { name: 'sig-proxy', hint: 'signals always go to the program' },
  { name: 'stop-signal', hint: 'signals go to the program as they come' },
  { name: 'tmpfs', hint: 'what a container writes is gone when it ends' },
  ...unavailableLimitFlags,
  { name: 'volumes-from', hint: 'containers are not kept; use --volume with a directory' },
];

/** Source: RFC 1123, one label; underscores as Docker allows them in names. */
function parseHostName(text: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/.test(text)) return text;
  const hint = 'up to 63 letters, digits, "-", "_" and ".", the first one a letter or digit';
  throw new BuildError('ARG_INVALID', `"--name ${text}" cannot be a host name`, { hint });
}
