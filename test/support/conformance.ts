import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a program of an ordinary Debian does, and what it prints in a container of Docker's with default options. */
export interface Expectation {
  readonly name: string;
  /** For `sh`. */
  readonly script: string;
  /** As in USER. */
  readonly user: string;
  /** All that it prints, both streams together. */
  readonly output: string;
  /** The same without root, where it differs as it does for every builder. */
  readonly rootlessOutput: string;
}

const folder = join(import.meta.dirname, '../../fixtures/conformance');

/** Debian packages that the scripts need. Their maintainer scripts are the first thing that must work. */
export const packages = [
  ...['acl', 'attr', 'busybox-static', 'gcc', 'gdb', 'git', 'iproute2', 'iputils-ping', 'libc6-dev', 'libcap2-bin', 'locales'],
  ...['openssh-client', 'procps', 'strace', 'sudo', 'systemd-standalone-tmpfiles', 'tzdata'],
];

/** So maintainer scripts and apt complain where something that they expect is missing. */
export const complaints = /Is \/dev\/pts mounted|Operation not permitted|Permission denied|Read-only file system|unable to|dpkg: error/;

/**
 * The scripts of fixtures/conformance, in the order of their names: later ones use what earlier ones made. Beside each is what it prints
 * (`.out`); a first line `# user: NAME` says as whom it runs.
 */
export async function expectations(): Promise<readonly Expectation[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sh')).toSorted();
  return Promise.all(
    files.map(async (file) => {
      const stem = file.slice(0, -'.sh'.length);
      const script = await readFile(join(folder, file), 'utf8');
      const output = await readFile(join(folder, `${stem}.out`), 'utf8');
      const rootlessOutput = await readFile(join(folder, `${stem}.rootless.out`), 'utf8').catch(() => output); // Most are the same.
      return { name: stem.slice('00-'.length), script, user: script.match(/^# user: (\w+)\n/)?.[1] ?? 'root', output, rootlessOutput };
    }),
  );
}
