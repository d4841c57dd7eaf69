import type { Duplex } from 'node:stream';
import { BuildError } from '../diagnostics/build-error.ts';
import { agentSocket } from './agent-socket.ts';
import type { GitEnvironment, GitSetting } from './git-command.ts';
import { splitUrl } from './url-parts.ts';

/** What a build gives to those that fetch for it. */
export interface Access {
  /** Of the caller: PATH and proxy variables. */
  readonly environment: GitEnvironment;
  /** The value of `--secret id=…`. */
  readonly secret: (id: string) => Uint8Array | undefined;
  /** Connects to an agent of `--ssh`; undefined where there is none of this id. */
  readonly agent?: (id: string) => Promise<(() => Duplex) | undefined>;
}

/** How git reaches this remote: with the credentials that secrets and agents have for it. Throws SSH_MISSING. */
export async function gitSetting(remote: string, access: Access): Promise<GitSetting & AsyncDisposable> {
  const { environment, secret } = access;
  if (isSsh(remote)) return { environment, ...(await throughAgent(remote, access)) };
  const credentials = fromSecrets(remote, secret) ?? fromUrl(remote);
  if (credentials === undefined) return { environment, async [Symbol.asyncDispose]() {} };
  return {
    environment,
    async [Symbol.asyncDispose]() {},
    secretConfig: [
      [`http.${credentials.scope}.extraHeader`, `Authorization: ${credentials.header}`],
      // git would send the header on to wherever it is led.
      ['http.followRedirects', 'false'],
    ],
  };
}

const isSsh = (remote: string): boolean => /^ssh:/i.test(remote) || !/^[a-zA-Z0-9]+:\/\//.test(remote);

/** As in BuildKit the keys are those of `--ssh default` alone: a build does not reach for what lies in a home by chance. */
async function throughAgent(remote: string, { agent }: Access): Promise<{ sshSocket: string } & AsyncDisposable> {
  const connect = await agent?.('default');
  if (!connect) {
    throw new BuildError('SSH_MISSING', `"${redactUrl(remote)}" is fetched by ssh, and no agent was given`, {
      hint: 'give your agent, or the file of a key, with --ssh default',
    });
  }
  const socket = await agentSocket(connect);
  return { sshSocket: socket.path, [Symbol.asyncDispose]: () => socket[Symbol.asyncDispose]() };
}

/** An `Authorization` header, and the URL prefix that it is for. */
interface Credentials {
  readonly header: string;
  readonly scope: string;
}

/** Source: BuildKit 0.32, source/git, `authSecretNames`: those of the host before the others, a header before a token. */
function fromSecrets(remote: string, secret: Access['secret']): Credentials | undefined {
  const { host = '' } = splitUrl(remote) ?? {};
  const scope = credentialScope(commandUrl(remote));
  for (const suffix of [`.${host}`, '']) {
    const header = secretText(`GIT_AUTH_HEADER${suffix}`, secret);
    if (header !== undefined) return { header, scope };
    const token = secretText(`GIT_AUTH_TOKEN${suffix}`, secret);
    if (token !== undefined) return { header: basic(`x-access-token:${token}`), scope };
  }
  return undefined;
}

/** User and password of the URL itself: for its whole origin, so that submodules beside it have them too. */
function fromUrl(remote: string): Credentials | undefined {
  const [, scheme = '', user = '', password = '', host = ''] = credentialUrl.exec(remote) ?? [];
  return host === '' ? undefined : { header: basic(`${unescaped(user)}:${unescaped(password)}`), scope: `${scheme}${host}/` };
}

/** What stands in git's arguments, which every user of the machine can read: without the password, and the user who needs it. */
export const commandUrl = (remote: string): string => remote.replace(credentialUrl, '$1$4');

const credentialUrl = /^(https?:\/\/)([^/?#@:]*):([^/?#]*)@([^/?#@]+)/i;

const basic = (pair: string): string => `basic ${Buffer.from(pair).toString('base64')}`;

/** A `%` that begins no escape stands for itself. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The remote alone, but all of GitHub: so that submodules are fetched with the same token. Source: the same, `tokenScope`. */
function credentialScope(remote: string): string {
  return ['https://github.com/', 'https://www.github.com/'].find((prefix) => remote.startsWith(prefix)) ?? remote;
}

/** A secret that goes into a header: one line. Files often end with a line feed, which is no part of it. */
export function secretText(id: string, secret: Access['secret']): string | undefined {
  const bytes = secret(id);
  if (bytes === undefined) return undefined;
  const text = Buffer.from(bytes)
    .toString()
    .replace(/[\r\n]+$/, '');
  if (/^[\x20-\x7e\u0080-\u00ff]*$/.test(text)) return text;
  throw new BuildError('SECRET_MISSING', `the secret "${id}" cannot stand in an HTTP header: it is more than one line of plain text`, {
    hint: 'give the header or token alone',
  });
}

/** A URL for messages, and for what goes into an image: without its user and password. Source: BuildKit, util/urlutil, `RedactCredentials`. */
export const redactUrl = (url: string): string =>
  url.replace(/^([a-zA-Z][a-zA-Z0-9+.-]*:\/\/)([^/?#@:]*)(:?)[^/?#]*@/, (_all, scheme: string, user: string, colon: string) => {
    return `${scheme}${user && 'xxxxx'}${colon && ':xxxxx'}@`;
  });
