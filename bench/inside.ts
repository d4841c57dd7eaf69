import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { basename, join } from 'node:path';
import type { Benchmark, Comparison } from './benchmark.ts';
import { type Contender, measure } from './measure.ts';
import { call } from './tools.ts';
import type { Workspace } from './workspace.ts';

const programs = ['sysbench', 'fio', 'iperf3'];
const image = 'localhost/bench-inside';
const rounds = 5;
/** What fio writes and reads, in the working directory. */
const file = 'fio.data';

/** A fixed amount of work, and how long the program says it took. */
interface Work {
  readonly title: string;
  readonly argv: readonly string[];
  readonly ms: (said: string) => number;
}

/**
 * Figure (f): the same programs on the machine and in a container, in turn: processor, memory, disk, network. By the programs' own clocks, so that the start of
 * the container does not count (`step-start` has that).
 */
export const inside: Benchmark = async (workspace) => {
  const missing = programs.filter((program) => spawnSync(program, ['--version']).error);
  if (missing.length > 0) throw new Error(`not installed: ${missing.join(', ')}`);
  makeImage(workspace);
  const comparisons: Comparison[] = [];
  const files = workspace.folder('inside-files');
  for (const work of [...processor, ...disk]) comparisons.push(await compare(workspace, work, ['default'], files));
  const address = ownAddress();
  if (address === undefined) return comparisons;
  const server = await serve(address);
  try {
    comparisons.push(await compare(workspace, network(address), ['default', 'host'], files));
  } finally {
    server.kill();
    await once(server, 'close');
  }
  return comparisons;
};

const sysbench = (title: string, ...argv: string[]): Work => ({
  title,
  argv: ['sysbench', ...argv, '--time=0', 'run'],
  ms: (said) => 1000 * Number(said.match(/total time:\s+([\d.]+)s/)?.[1]),
});

const memory = (operation: string): Work =>
  sysbench(
    `memory, ${operation} 16 GiB in blocks of 1 MiB (sysbench)`,
    ...['memory', '--memory-block-size=1M', '--memory-total-size=16G', `--memory-oper=${operation}`],
  );

const processor: readonly Work[] = [
  sysbench('processor, primes up to 20,000, 2,000 times (sysbench)', 'cpu', '--cpu-max-prime=20000', '--events=2000'),
  memory('read'),
  memory('write'),
];

const fio = (title: string, ...argv: string[]): Work => ({
  title,
  argv: ['fio', '--name=x', `--filename=${file}`, '--output-format=json', '--thread', '--randseed=1', ...argv],
  ms: (said) => {
    const { jobs } = JSON.parse(said.slice(said.indexOf('{')));
    return jobs[0].read.runtime + jobs[0].write.runtime;
  },
});

const disk: readonly Work[] = [
  fio('disk, write 1 GiB (fio)', '--rw=write', '--bs=1M', '--size=1G'),
  fio('disk, write 64 MiB past the page cache (fio)', '--rw=write', '--bs=1M', '--size=64M', '--direct=1'),
  fio('disk, read 4 KiB at random 100,000 times (fio)', '--rw=randread', '--bs=4k', '--size=256M', '--number_ios=100000', '--loops=2'),
];

const network = (address: string): Work => ({
  title: 'network, 1 GiB to a server on the machine (iperf3)',
  argv: ['iperf3', '--client', address, '--bytes', '1G', '--json'],
  ms: (said) => 1000 * JSON.parse(said.slice(said.indexOf('{'))).end.sum_received.seconds,
});

/** The samples are what the programs say, so `measure` only gives the order. */
async function compare(workspace: Workspace, { title, argv, ms }: Work, networks: readonly string[], cwd: string): Promise<Comparison> {
  const cooper = join(import.meta.dirname, '../bin/cooper');
  const root = ['--root', join(workspace.directory, 'cooper')];
  const contenders = [
    ...networks.map((name) => ({
      name: networks.length > 1 ? `in a container, --network ${name}` : 'in a container',
      command: [cooper, 'run', ...root, '--rm', '--network', name, image, ...argv],
    })),
    { name: 'on the machine', command: argv },
  ];
  const taken = contenders.map((): number[] => []);
  const runs = contenders.map(
    ({ name, command: [program = '', ...rest] }, index): Contender => ({
      name,
      run: () => {
        // A container begins without it: writing over one that is there is less work.
        rmSync(join(cwd, file), { force: true });
        const { status, stdout, stderr } = spawnSync(program, rest, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 });
        const took = status === 0 ? ms(stdout) : Number.NaN;
        if (!(took > 0)) throw new Error(`${program} ${rest.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
        taken[index]?.push(took);
      },
    }),
  );
  await measure(runs, { rounds });
  const measured = contenders.map(({ name }, index) => ({ name, samplesMs: taken[index]?.slice(1) ?? [] }));
  return { title, unit: 'the work, by its own clock', measured };
}

/** The machine's own programs with the libraries that they need, on nothing. */
function makeImage(workspace: Workspace): void {
  const folder = workspace.folder('inside');
  mkdirSync(join(folder, 'bin'));
  for (const name of programs) {
    const path = call('which', [name]).trim();
    copyFileSync(path, join(folder, 'bin', basename(path)));
    for (const [, library = ''] of call('ldd', [path]).matchAll(/(\/\S+) \(0x/g)) {
      mkdirSync(join(folder, library, '..'), { recursive: true });
      copyFileSync(library, join(folder, library));
    }
  }
  // fio and sysbench put files there.
  mkdirSync(join(folder, 'tmp'));
  const dockerfile = workspace.file('inside.Dockerfile', 'FROM scratch\nCOPY . /\nENV PATH=/bin\nWORKDIR /tmp\n');
  workspace.cooper.build(dockerfile, folder, image);
}

/** The machine's first address that is not its loopback: a container cannot reach that. */
function ownAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
}

async function serve(address: string): Promise<ChildProcess> {
  const server = spawn('iperf3', ['--server', '--bind', address, '--forceflush'], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const text of server.stdout.iterator({ destroyOnReturn: false })) if (`${text}`.includes('listening')) break;
  server.stdout.resume();
  return server;
}
