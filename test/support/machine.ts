import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

// What this machine is set to use for its packages. Nothing in the repo names a host: a test asks the machine, and passes the answer into a
// build as a user would, by secrets.

const exec = promisify(execFile);

/** `bookworm`, … */
export async function machineCodename(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8');
  const codename = release.match(/^VERSION_CODENAME="?(\w+)"?$/m)?.[1];
  if (!codename) throw new Error('/etc/os-release has no VERSION_CODENAME');
  return codename;
}

/** The machine's sources that are Debian's own, as lines of a sources.list. */
export async function debianSources(): Promise<string> {
  const lines = (await indexTargets()) || ((await exec('apt-get', ['update', '-qq'])) && (await indexTargets()));
  if (!lines) throw new Error('apt-get indextargets shows no source of Debian');
  return lines;
}

/** apt knows the origin of those sources only that it has the index of. */
async function indexTargets(): Promise<string> {
  const format = 'deb [signed-by=$(SIGNED_BY)] $(REPO_URI) $(RELEASE) $(COMPONENT)';
  const { stdout } = await exec('apt-get', ['indextargets', '--format', format, 'Created-By: Packages', 'Origin: Debian']);
  const lines = stdout.split('\n').filter((line) => line !== '');
  // A source without a keyring of its own gives the format's own words.
  return [...new Set(lines)].map((line) => `${line.replace(/ \[signed-by=(\$\(SIGNED_BY\))?\]/, '')}\n`).join('');
}

/** How apt reaches its sources here: proxies, certificates, checks that are off. Text of an apt.conf. */
export async function aptConfiguration(): Promise<string> {
  const { stdout } = await exec('apt-config', ['dump']);
  const counts = /^Acquire::(https?::(Proxy|CaInfo)|Check-(Valid-Until|Date)|Retries)\b.* ".+";$/i;
  return stdout
    .split('\n')
    .filter((line) => counts.test(line))
    .map((line) => `${line}\n`)
    .join('');
}

/** The certificates that programs here trust, as one file. */
export function certificates(): string {
  return process.env.SSL_CERT_FILE ?? process.env.NODE_EXTRA_CA_CERTS ?? '/etc/ssl/certs/ca-certificates.crt';
}

/** A pip.conf for a container that has the certificates as the secret `ca`. */
export async function pipConfiguration(): Promise<string> {
  const lines = ['[global]', 'cert = /run/secrets/ca', 'disable-pip-version-check = true', 'retries = 5'];
  const { stdout } = await exec('python3', ['-m', 'pip', 'config', 'list']).catch(() => ({ stdout: '' })); // No pip here: its defaults.
  const settings = [...stdout.matchAll(/^[^.]+\.(index-url|extra-index-url|trusted-host|proxy|timeout)='(.*)'$/gm)];
  return `${[...lines, ...settings.map(([, name, value]) => `${name} = ${value}`)].join('\n')}\n`;
}

/** An .npmrc for a container that has the certificates as the secret `ca`. Credentials go with the registry they are for. */
export async function npmConfiguration(): Promise<string> {
  const get = async (name: string): Promise<string> => (await exec('npm', ['config', 'get', name])).stdout.trim();
  const lines = ['cafile=/run/secrets/ca', 'update-notifier=false', 'fetch-retries=5'];
  for (const name of ['registry', 'proxy', 'https-proxy', 'strict-ssl']) {
    const value = await get(name);
    if (value !== '' && value !== 'null' && value !== 'undefined') lines.push(`${name}=${value}`);
  }
  return `${lines.join('\n')}\n`;
}
