import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { tool } from './tools.ts';

/** Nothing of this machine's git configuration counts, and what is made is the same everywhere. */
const environment = {
  HOME: '/dev/null',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_COMMITTER_NAME: 'c',
  GIT_COMMITTER_EMAIL: 'c@example.com',
  GIT_AUTHOR_DATE: '@1500000000 +0000',
  GIT_COMMITTER_DATE: '@1500000001 +0000',
};

/** What may stand in a repository: a text, an executable, a symlink. */
export type GitFile = string | { readonly text: string } | { readonly link: string };

/** Repositories, and a server for them: `await using git = await gitServer()`. */
export class GitServer implements AsyncDisposable {
  readonly directory: string;
  /** `http://127.0.0.1:port`. */
  url = '';
  /** Headers that a request has to have; 401 without. */
  authorization: string | undefined;
  /** Where to lead a path to, instead of answering. */
  redirect: ((path: string) => string | undefined) | undefined;
  /** Which paths get no answer at all. */
  hold: ((path: string) => boolean) | undefined;
  /** Paths and Authorization headers of all requests. */
  readonly seen: string[] = [];

  constructor(directory: string) {
    this.directory = directory;
  }

  /** The address of a repository. */
  address = (name: string): string => `${this.url}/${name}.git`;

  /** Runs git in a repository. */
  async git(name: string, ...args: readonly string[]): Promise<string> {
    return (await tool('git', ['-C', join(this.directory, `${name}.git`), ...args], environment)).trim();
  }

  /** Makes a repository that anyone may fetch from; its branch is `main`. */
  async create(name: string, ...format: readonly string[]): Promise<void> {
    const path = join(this.directory, `${name}.git`);
    await mkdir(path, { recursive: true });
    await this.git(name, 'init', '-q', '-b', 'main', ...format);
    await this.git(name, 'config', 'http.receivepack', 'false');
  }

  /** Commits these files on top of what is there, and gives the commit. */
  async commit(name: string, files: Readonly<Record<string, GitFile>>): Promise<string> {
    for (const [path, file] of Object.entries(files)) {
      const at = join(this.directory, `${name}.git`, path);
      await mkdir(dirname(at), { recursive: true });
      if (typeof file === 'string') await writeFile(at, file);
      else if ('link' in file) await symlink(file.link, at);
      else await writeFile(at, file.text, { mode: 0o755 });
    }
    await this.git(name, 'add', '-A', '-f');
    await this.git(name, 'commit', '-q', '--allow-empty', '-m', 'commit');
    return this.git(name, 'rev-parse', 'HEAD');
  }

  /** Adds a gitlink and what .gitmodules says of it, whatever that is, and commits. */
  async link(name: string, path: string, commit: string, gitmodules: string): Promise<string> {
    await this.git(name, 'update-index', '--add', '--cacheinfo', `160000,${commit},${path}`);
    await writeFile(join(this.directory, `${name}.git`, '.gitmodules'), gitmodules);
    await this.git(name, 'add', '.gitmodules');
    await this.git(name, 'commit', '-q', '-m', 'link');
    return this.git(name, 'rev-parse', 'HEAD');
  }

  async listen(): Promise<AsyncDisposable> {
    const server = createServer((request, response) => this.#answer(request, response)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    this.url = `http://127.0.0.1:${address.port}`;
    return {
      async [Symbol.asyncDispose]() {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      },
    };
  }

  /** Source: git-http-backend(1). */
  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, search } = new URL(request.url ?? '/', 'http://host');
    this.seen.push(`${pathname} ${request.headers.authorization ?? '-'}`);
    if (this.hold?.(request.url ?? '')) return;
    const location = this.redirect?.(request.url ?? '');
    if (location !== undefined) return void response.writeHead(302, { location }).end();
    if (this.authorization !== undefined && request.headers.authorization !== this.authorization)
      return void response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
    const header = (name: string) => String(request.headers[name] ?? '');
    const child = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env.PATH,
        ...environment,
        GIT_PROJECT_ROOT: this.directory,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: pathname,
        QUERY_STRING: search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: header('content-type'),
        HTTP_CONTENT_ENCODING: header('content-encoding'),
        GIT_PROTOCOL: header('git-protocol'),
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child.stdin.on('error', () => {}); // It reads only what it needs.
    request.pipe(child.stdin);
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('close', () => reply(Buffer.concat(chunks), response));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

function reply(output: Buffer, response: ServerResponse): void {
  const end = output.indexOf('\r\n\r\n');
  const headers = output
    .subarray(0, Math.max(end, 0))
    .toString('latin1')
    .split('\r\n')
    .map((line) => line.split(': ', 2) as [string, string]);
  const status = headers.find(([name]) => name === 'Status')?.[1] ?? '200';
  response.writeHead(Number.parseInt(status, 10), Object.fromEntries(headers.filter(([name]) => name !== 'Status' && name !== '')));
  response.end(output.subarray(end + 4));
}

/** A server without a repository. */
export async function gitServer(): Promise<GitServer> {
  const server = new GitServer(await mkdtemp(join(tmpdir(), 'cooper-git-')));
  const listening = await server.listen();
  const dispose = server[Symbol.asyncDispose].bind(server);
  server[Symbol.asyncDispose] = async () => {
    await listening[Symbol.asyncDispose]();
    await dispose();
  };
  return server;
}
