import { spawn } from 'node:child_process';
import { BuildError } from '../diagnostics/build-error.ts';

/** Environment of the caller that counts: PATH and proxy variables. */
export type GitEnvironment = Readonly<Record<string, string | undefined>>;

/** How git runs. */
export interface GitSetting {
  readonly environment: GitEnvironment;
  /** Settings that are secret (an `Authorization` header): they stand in git's environment, which other users cannot read. */
  readonly secretConfig?: readonly (readonly [string, string])[];
  /** Socket of the agent that answers for `--ssh`. */
  readonly sshSocket?: string | undefined;
  /** Another repository of this machine is read: one of ours. */
  readonly allowFile?: boolean;
  readonly idleMs?: number;
}

/** How a git command ended. */
export class GitFailure extends Error {
  override readonly name = 'GitFailure';
  readonly stderr: string;

  constructor(args: readonly string[], stderr: string) {
    super(`git ${args[0] ?? ''} failed: ${stderr}`);
    this.stderr = stderr;
  }
}

/**
 * Runs git and gives what it printed. It knows no configuration of the user or the system, runs no hook, asks nobody, and speaks to no
 * transport but https, http, git and ssh. It ends with us, however we end. Throws GitFailure, and GIT_MISSING where there is no git.
 */
export async function runGit(args: readonly string[], setting: GitSetting, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const argv = ['git', ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]), ...args];
  // Its own process group: all helpers of git end with it, and none has a terminal to ask on.
  const child = spawn('/bin/sh', ['-c', supervisor, 'sh', ...argv], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    cwd: '/',
    env: environmentOf(setting),
  });
  const [stdout, stderr] = [new Tail(maxOutput), new Tail(maxMessages)];
  // The end of its input is the word to stop; what does not listen is killed.
  let kill: NodeJS.Timeout | undefined;
  const stop = () => {
    child.stdin.destroy();
    kill ??= setTimeout(() => killGroup(child.pid), killAfterMs);
  };
  let idle = false;
  const idleMs = setting.idleMs ?? defaultIdleMs;
  const timer = setTimeout(() => {
    idle = true;
    stop();
  }, idleMs);
  child.stdin.on('error', () => {}); // It may have ended before we did.
  const into = (tail: Tail) => (chunk: Buffer) => {
    timer.refresh();
    tail.add(chunk);
  };
  child.stdout.on('data', into(stdout));
  child.stderr.on('data', into(stderr));
  signal.addEventListener('abort', stop);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    signal.throwIfAborted();
    if (status === missingStatus) throw missing();
    if (idle) throw new GitFailure(args, `nothing came for ${Math.round(idleMs / 1000)} seconds`);
    if (stdout.isCut) throw new GitFailure(args, 'it printed too much');
    if (status !== 0) throw new GitFailure(args, printable(stderr.text()));
    return stdout.text();
  } finally {
    clearTimeout(timer);
    clearTimeout(kill);
    signal.removeEventListener('abort', stop);
    child.stdin.destroy();
  }
}

/**
 * The files have the modes that git gives them under this umask, whatever ours is. A watcher ends the group when our end of the pipe
 * closes, and removes the socket of the agent, whose folder is made for it: who was killed cannot do that any more.
 */
const supervisor = `
command -v git >/dev/null || exit 127
umask 022
exec 3<&0
"$@" 3<&- </dev/null &
job=$!
{ read -r _ <&3; test -z "$SSH_AUTH_SOCK" || { rm -f "$SSH_AUTH_SOCK"; rmdir "\${SSH_AUTH_SOCK%/*}"; }; kill -TERM 0; } >/dev/null 2>&1 &
watcher=$!
wait "$job"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"`;

const missingStatus = 127;
const killAfterMs = 5_000;
const defaultIdleMs = 5 * 60_000;
/** A repository may have a million references. */
const maxOutput = 256 * 1024 * 1024;
const maxMessages = 64 * 1024;

/** For every command. The repository has no say in any of them. */
const settings: readonly (readonly [string, string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.attributesFile', '/dev/null'],
  ['core.excludesFile', '/dev/null'],
  ['credential.helper', ''],
  ['init.defaultBranch', 'master'],
  ['advice.detachedHead', 'false'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['submodule.recurse', 'false'],
  ['fetch.recurseSubmodules', 'false'],
  // Slower than a byte a second for this long is dead.
  ['http.lowSpeedLimit', '1'],
  ['http.lowSpeedTime', '60'],
  ['fetch.fsckObjects', 'true'],
  // Flaws that old tools have left in many good repositories, and that do no harm.
  ...[
    'badDate',
    'badDateOverflow',
    'badEmail',
    'badFilemode',
    'badName',
    'badTagName',
    'badTimezone',
    'missingEmail',
    'missingNameBeforeEmail',
    'missingSpaceBeforeDate',
    'missingSpaceBeforeEmail',
    'missingTaggerEntry',
    'multipleAuthors',
    'nulInCommit',
    'zeroPaddedDate',
    'zeroPaddedFilemode',
  ].map((name): [string, string] => [`fetch.fsck.${name}`, 'ignore']),
];

function environmentOf({ environment, secretConfig = [], sshSocket, allowFile = false }: GitSetting): Record<string, string> {
  const secrets = secretConfig.flatMap(([name, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, name],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ]);
  const proxies = proxyNames.flatMap((name) => [name, name.toLowerCase()]).map((name) => [name, environment[name]]);
  const given = [...proxies, ['SSL_CERT_FILE', environment.SSL_CERT_FILE], ['SSH_AUTH_SOCK', sshSocket], ...secrets];
  return {
    PATH: environment.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: '/dev/null',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    GIT_LFS_SKIP_SMUDGE: '1',
    GIT_ALLOW_PROTOCOL: allowFile ? 'file' : 'https:http:git:ssh',
    GIT_SSH_COMMAND: sshCommand(environment),
    GIT_CONFIG_COUNT: String(secretConfig.length),
    // A kept .git has logs of its submodules: they name nobody, and no time.
    GIT_COMMITTER_NAME: 'cooper',
    GIT_COMMITTER_EMAIL: 'cooper@localhost',
    GIT_COMMITTER_DATE: '@0 +0000',
    ...Object.fromEntries(given.filter((each): each is [string, string] => each[1] !== undefined)),
  };
}

const proxyNames = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY'];

/** No configuration and no key of the user but what the agent has. A host that is known with another key is refused; a new one is taken. */
function sshCommand({ HOME }: GitEnvironment): string {
  const known = HOME && /^[\w/.@+-]+$/.test(HOME) ? `${HOME}/.ssh/known_hosts ` : '';
  const options = [
    'BatchMode=yes',
    'ConnectTimeout=30',
    'ServerAliveInterval=30',
    'IdentityFile=none',
    'StrictHostKeyChecking=accept-new',
    'UserKnownHostsFile=/dev/null',
    `"GlobalKnownHostsFile=${known}/etc/ssh/ssh_known_hosts"`,
    'LogLevel=ERROR',
  ];
  return `ssh -F /dev/null ${options.map((option) => `-o ${option}`).join(' ')}`;
}

const missing = (): BuildError =>
  new BuildError('GIT_MISSING', 'the program "git" is not installed, and the build needs it for a git repository', {
    hint: 'install the package "git" (apt-get install git, apk add git, dnf install git)',
  });

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group has ended meanwhile.
  }
}

/** The last bytes of what a program prints. */
class Tail {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #length = 0;
  isCut = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length <= 2 * this.#limit) return;
    this.isCut = true;
    const kept = Buffer.concat(this.#chunks).subarray(-this.#limit);
    this.#chunks = [kept];
    this.#length = kept.length;
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}

/** The last lines of a program's messages, safe for a terminal. Progress lines end with a carriage return: only their last state counts. */
function printable(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => (line.split('\r').findLast((part) => part.trim() !== '') ?? '').replace(/[^\x20-\x7e\u00a0-\u{10ffff}]+/gu, ' ').trim())
    .filter((line) => line !== '');
  return lines.slice(-8).join('; ');
}
