import { BuildError } from '../diagnostics/build-error.ts';
import type { BindMountSpec, ExecSpec, MountSpec, Spec } from '../graph/spec.ts';
import { inputAt, type Vertex } from '../graph/vertex.ts';
import { type Field, field, type Key, makeKey } from '../solve/key.ts';
import type { Op, Outcome, RunContext } from '../solve/op.ts';
import type { SandboxMount, SandboxResult, SnapshotID, Source } from '../worker/protocol.ts';
import { contentOf, contentOfSelection, wholeOf } from './content.ts';
import type { ExecuteContext } from './context.ts';
import {
  allPacked,
  asFilesystem,
  chainOf,
  type Filesystem,
  Layer,
  nameOf,
  type Result,
  readySource,
  sourceOf,
  stack,
} from './filesystem.ts';
import { OutputLog } from './output-log.ts';
import { looseSource } from './source-ops.ts';

/** Source: BuildKit, executor/oci, `defaultHostname`. */
const defaultHostname = 'buildkitsandbox';

/** RUN. */
export function execOp(vertex: Vertex<Spec>, spec: ExecSpec, context: ExecuteContext): Op<Result> {
  const own = execFields(spec);
  const binds = spec.mounts.filter((mount) => mount.type === 'bind');
  const bindField = async (bind: BindMountSpec, source: Source, signal: AbortSignal): Promise<Field> => [
    `mount ${bind.target}`,
    await contentOfSelection(wholeOf(source, bind.source), context, signal),
  ];
  return {
    limit: 'exec',
    cacheable: true,
    async definitionKey(inputs, signal) {
      const mounts = binds.map(async (bind): Promise<Field> => {
        const loose = looseSource(inputAt(vertex, bind.input), context);
        return loose ? bindField(bind, loose, signal) : [`mount ${bind.target}`, keyAt(inputs, bind.input).digest];
      });
      return makeKey(own, [['root', keyAt(inputs, 0).digest], ...(await Promise.all(mounts))]);
    },
    async contentKey(inputs, signal) {
      const mounts = binds.map(async (bind) => bindField(bind, await readySource(inputs[bind.input], signal), signal));
      return makeKey(own, [['root content', await contentOf(asFilesystem(inputs[0]), context, signal)], ...(await Promise.all(mounts))]);
    },
    async run(inputs, run) {
      const below = asFilesystem(inputs[0]);
      const ran = await execute(vertex, spec, context, inputs, run.signal);
      return pack(vertex, context, below, ran, run);
    },
  };
}

function keyAt(inputs: readonly Key[], index: number): Key {
  const key = inputs[index];
  if (!key) throw new Error(`there is no input ${index}`);
  return key;
}

/**
 * What enters the key of a RUN, besides the content of its root and of its bind mounts. Left out: proxy variables, the bytes of secrets and
 * the content of cache mounts, because they are not meant to change what comes out.
 */
const execFields = (spec: ExecSpec): readonly Field[] => [
  field('kind', spec.kind),
  field('argv', spec.argv),
  field('env', spec.env),
  field('cwd', spec.cwd),
  field('user', spec.user),
  // Inputs are named by place here, and by content beside it.
  field('mounts', spec.mounts),
  field('network', spec.network),
  field('hosts', spec.hosts),
  field('hostname', spec.hostname ?? null),
  field('platform', spec.platform),
  field('epoch', spec.epoch ?? null),
];

interface Ran extends SandboxResult {
  readonly snapshot: SnapshotID;
}

async function execute(
  vertex: Vertex<Spec>,
  spec: ExecSpec,
  context: ExecuteContext,
  inputs: readonly Result[],
  signal: AbortSignal,
): Promise<Ran> {
  const { worker, layers } = context;
  const root = chainOf(asFilesystem(inputs[0]));
  const sources = await Promise.all(inputs.slice(1).map((input) => readySource(input, signal)));
  const chains = [root, ...sources.flatMap((source) => (source.kind === 'chain' ? [source.chain] : []))];
  for (const chain of chains) await layers.ensureSnapshots(chain, signal);
  const mounts = withSecrets(vertex, spec, context.secrets);
  const log = new OutputLog((stream, text) => context.onOutput(vertex, stream, text));
  const result = await worker.call(
    'sandbox.run',
    {
      root,
      argv: spec.argv,
      env: [...spec.env, ...spec.proxyEnv],
      secretEnv: secretEnvOf(mounts),
      cwd: spec.cwd,
      user: spec.user,
      mounts: mounts.flatMap((mount) => mountOf(mount, inputs)),
      network: spec.network,
      hosts: spec.hosts.map(({ name, ip }) => `${ip} ${name}`),
      hostname: spec.hostname ?? defaultHostname,
      commit: true,
      ...(spec.epoch !== undefined && { epochSeconds: spec.epoch }),
      stdin: false,
    },
    {
      signal,
      // The worker may send more when this is fulfilled: a program that prints faster than anyone reads has to wait.
      onData: (payload) => {
        log.take(payload);
        return context.keptUp();
      },
      onEvent: (event) => event.type === 'warning' && context.onWarning(event.message),
    },
  );
  log.end();
  if (result.exitCode !== 0 || !result.snapshot) throw runError(vertex, spec, result, log.tail);
  return { ...result, snapshot: result.snapshot };
}

/** The next step may start on the snapshot while it is packed; but where an older layer may take its place, that is waited for. */
async function pack(
  vertex: Vertex<Spec>,
  { worker, layers, usage }: ExecuteContext,
  below: Filesystem,
  { snapshot, startedNs, endedNs }: Ran,
  { key, known, commitSignal: signal }: RunContext,
): Promise<Outcome<Result>> {
  const layer = new Layer(snapshot);
  const result = stack(below, layer);
  const commit = async (): Promise<Result> => {
    // The parent's name is part of the content-stable name, so the parents' own packing comes first.
    await allPacked(below);
    const stable = { own: key.own, parent: nameOf(below), startedNs, endedNs };
    const packed = await worker.call('layer.pack', { snapshot, form: usage.form(vertex), stable }, { signal });
    await layers.keep(packed);
    layer.commit(packed.diffID);
    return result;
  };
  const committed = commit();
  layer.packed = committed.then(() => {});
  // Whoever waits for it gets the failure; nobody may.
  layer.packed.catch(() => {});
  if (known) await committed;
  return { result, committed };
}

/** The mounts without the optional secrets that nobody gave: they are silently absent, as in BuildKit. Throws SECRET_MISSING. */
function withSecrets(vertex: Vertex<Spec>, { mounts }: ExecSpec, given: ReadonlySet<string>): readonly MountSpec[] {
  return mounts.filter((mount) => {
    if (mount.type !== 'secret' || given.has(mount.id)) return true;
    if (!mount.required) return false;
    throw new BuildError('SECRET_MISSING', `the secret "${mount.id}" was not given`, {
      range: vertex.origin,
      hint: `give it with --secret id=${mount.id},src=FILE or --secret id=${mount.id},env=NAME`,
    });
  });
}

const secretEnvOf = (mounts: readonly MountSpec[]): Record<string, string> =>
  Object.fromEntries(mounts.flatMap((mount) => (mount.type === 'secret' && mount.env !== undefined ? [[mount.env, mount.id]] : [])));

function mountOf(mount: MountSpec, inputs: readonly Result[]): SandboxMount[] {
  switch (mount.type) {
    case 'bind': {
      const source = sourceOf(inputs[mount.input]);
      const what = source.kind === 'chain' ? { chain: source.chain } : { selection: wholeOf(source, mount.source) };
      return [{ type: 'bind', target: mount.target, readonly: !mount.writable, source: mount.source, ...what }];
    }
    case 'cache':
      return [{ ...mount }];
    case 'tmpfs':
      return [{ ...mount, readonly: false }];
    case 'secret': {
      const { type, target, id, uid, gid, mode } = mount;
      return target === undefined ? [] : [{ type, target, readonly: true, secret: id, uid, gid, mode }];
    }
  }
}

function runError(vertex: Vertex<Spec>, spec: ExecSpec, result: SandboxResult, tail: readonly string[]): BuildError {
  const how = result.oom
    ? 'ran out of memory'
    : result.signal
      ? `was ended by signal ${result.signal}`
      : `ended with exit status ${result.exitCode}`;
  const command = spec.argv.at(-1) ?? '';
  const shown = command.length > 200 ? `${command.slice(0, 200)}…` : command;
  return new BuildError('RUN_FAILED', `${vertex.name.match(/^\[[^\]]*\]/)?.[0] ?? ''} "${shown}" ${how}`.trimStart(), {
    range: vertex.origin,
    notes: tail,
    hint: result.exitCode === 127 ? 'exit status 127: a program was not found in the image' : undefined,
  });
}
