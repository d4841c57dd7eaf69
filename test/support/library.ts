import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BuildOptions } from '../../src/build-options.ts';
import { type BuildError, type BuildEvent, type BuildResult, build } from '../../src/index.ts';

/** A build by the library that ended, well or not, with what its events say. */
export interface LibraryBuild {
  readonly result?: BuildResult;
  /** What it was rejected with. */
  readonly error?: BuildError;
  readonly events: readonly BuildEvent[];
  /** Instructions by what became of them, in the order of their ends: `RUN make`. Base images and contexts are no instructions. */
  readonly ran: readonly string[];
  readonly cached: readonly string[];
  /** What the programs printed. */
  readonly output: string;
}

/** A folder with a store and a context, for builds by the library: `await using bench = await makeBench({ Dockerfile })`. */
export class Bench implements AsyncDisposable {
  readonly directory: string;
  /** The store. */
  readonly root: string;
  readonly context: string;

  constructor(directory: string) {
    this.directory = directory;
    this.root = join(directory, 'store');
    this.context = join(directory, 'context');
  }

  /** Writes files of the context. */
  async write(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(join(this.context, name, '..'), { recursive: true });
      await writeFile(join(this.context, name), text);
    }
  }

  /** Runs a build to its end. */
  async run(options: Partial<BuildOptions> & { signal?: AbortSignal; onEvent?: (event: BuildEvent) => void } = {}): Promise<LibraryBuild> {
    const { onEvent, ...rest } = options;
    const running = build({ context: this.context, root: this.root, ...rest });
    const events: BuildEvent[] = [];
    for await (const event of running) {
      events.push(event);
      onEvent?.(event);
    }
    const ended = await running.result.then(
      (result) => ({ result }),
      (error: BuildError) => ({ error }),
    );
    return { ...ended, events, ...stepsOf(events) };
  }

  /** A build that has to end well. */
  async built(options: Parameters<Bench['run']>[0] = {}): Promise<LibraryBuild & { readonly result: BuildResult }> {
    const { result, ...rest } = await this.run(options);
    if (!result) throw new Error(`the build failed:\n${rest.output}\n${rest.error?.notes?.join('\n') ?? ''}`, { cause: rest.error });
    return { result, ...rest };
  }

  /** A build that has to fail; gives its error. */
  async fails(options: Parameters<Bench['run']>[0] = {}): Promise<BuildError> {
    const { error } = await this.run(options);
    if (!error) throw new Error('the build ended well');
    return error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** With this machine's static busybox in the context, as `busybox`. */
export async function makeBench(files: Readonly<Record<string, string>>): Promise<Bench> {
  const bench = new Bench(await mkdtemp(join(tmpdir(), 'cooper-library-')));
  await bench.write(files);
  await cp('/bin/busybox', join(bench.context, 'busybox'));
  return bench;
}

/** The first lines of a Dockerfile: a stage with the programs of busybox, a shell among them, and a few users. */
export const busyboxStage = `FROM scratch AS base
COPY busybox /bin/busybox
COPY <<passwd /etc/passwd
root:x:0:0:root:/root:/bin/sh
app:x:1234:2345::/home/app:/bin/sh
passwd
COPY <<group /etc/group
root:x:0:
crew:x:3456:app
group
RUN ["/bin/busybox", "--install", "-s", "/bin"]
ENV PATH=/bin
`;

function stepsOf(events: readonly BuildEvent[]): { ran: string[]; cached: string[]; output: string } {
  const names = new Map<string, string>();
  const ran: string[] = [];
  const cached: string[] = [];
  let output = '';
  for (const event of events) {
    if (event.type === 'plan') for (const { vertex, name } of event.vertices) names.set(vertex, name);
    if (event.type === 'vertex.output') output += event.text;
    if (event.type !== 'vertex.completed') continue;
    const name = names.get(event.vertex)?.match(/(?:^|\] )((?:RUN|COPY|ADD|WORKDIR) .*)$/s)?.[1];
    if (name !== undefined) (event.cached ? cached : ran).push(name);
  }
  return { ran, cached, output };
}
