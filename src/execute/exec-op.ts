import type { ExecSpec, Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import { type Field, field, makeKey } from '../solve/key.ts';
import type { Op, Outcome, RunContext } from '../solve/op.ts';
import type { SandboxResult, SnapshotID } from '../worker/protocol.ts';
import { relayTo } from './agents.ts';
import { contentOf } from './content.ts';
import type { ExecuteContext } from './context.ts';
import { giveDevices } from './exec-devices.ts';
import { absenceHint, absentSecretEnv, givenMounts, sandboxMounts, secretEnvOf } from './exec-mounts.ts';
import {
  allPacked,
  asFilesystem,
  chainOf,
  type Filesystem,
  Layer,
  layerUnder,
  nameOf,
  type Result,
  readySource,
  stack,
} from './filesystem.ts';
import { mountContents, mountDefinitions, mountField } from './mount-keys.ts';
import { OutputLog } from './output-log.ts';
import { memoryOf, runError, stepOf } from './run-error.ts';

/** Source: BuildKit, executor/oci, `defaultHostname`. */
const defaultHostname = 'buildkitsandbox';

/** Steps that may run before their parents are packed. */
const mostUnpacked = 64;

/** RUN. */
export function execOp(vertex: Vertex<Spec>, spec: ExecSpec, context: ExecuteContext): Op<Result> {
  const own = [...execFields(spec, context), ...resourceFields(context.resources)];
  return {
    limit: 'exec',
    cacheable: true,
    async definitionKey(inputs, signal) {
      const root = inputs[0];
      if (!root) throw new Error('a RUN without root');
      const mounts = await mountDefinitions(vertex, spec.mounts, inputs, context, signal);
      return makeKey(own, [['root', root.digest], ...mounts, ...secretFields(spec, context)]);
    },
    async contentKey(inputs, signal) {
      const mounts = await mountContents(spec.mounts, inputs, context, signal);
      const root = await contentOf(asFilesystem(inputs[0]), context, signal);
      return makeKey(own, [['root content', root], ...mounts, ...secretFields(spec, context)]);
    },
    async run(inputs, run) {
      const below = asFilesystem(inputs[0]);
      const ran = await execute(vertex, spec, context, inputs, run.signal);
      return pack(vertex, context, below, ran, run);
    },
  };
}

/**
 * The secrets whose change makes this step run again. Like its inputs, and not among its own fields: where the step gives the same files with
 * the new value, its older layer is taken, and what stands on it need not run.
 */
const secretFields = ({ mounts }: ExecSpec, { secretDigests }: ExecuteContext): readonly Field[] =>
  mounts.flatMap((mount): Field[] => {
    const digest = mount.type === 'secret' ? secretDigests.get(mount.id) : undefined;
    return mount.type === 'secret' && digest ? [[`secret ${mount.id}`, digest]] : [];
  });

/**
 * What enters the key of a RUN, besides the content of its root and of what its mounts show. Left out: proxy variables, added certificates,
 * the bytes of secrets, the answers of agents, the content of cache mounts and what --security-opt says, because they are not meant to change
 * what comes out.
 */
const execFields = (spec: ExecSpec, { worker }: ExecuteContext): readonly Field[] => [
  field('kind', spec.kind),
  field('argv', spec.argv),
  field('env', spec.env),
  field('cwd', spec.cwd),
  field('user', spec.user),
  field('mounts', spec.mounts.map(mountField)),
  field('network', spec.network),
  field('hosts', spec.hosts),
  field('hostname', spec.hostname ?? null),
  field('security', spec.security),
  // As asked for: what a device is called here, and what it is, are matters of this machine.
  ...(spec.devices ? [field('devices', spec.devices.asked)] : []),
  field('platform', spec.platform),
  field('epoch', spec.epoch ?? null),
  // Nearly the same comes out, but not for sure: it serves those that would do no better.
  ...(worker.info.mode === 'single-id' ? [field('ids', 'emulated')] : []),
  // A program that finds no /proc may do other things.
  ...(worker.info.mode === 'chroot' ? [field('mode', 'chroot')] : []),
];

/**
 * Of what containers may use, that enters the key which BuildKit has in its (`ExecOp`: `Meta.Ulimit`, `Meta.CgroupParent`, and /dev/shm as a mount
 * with a size), as a program can see it and do something else. Limits of memory, processors and processes are none of its, and are left out: they
 * decide whether a step ends well, not what comes out. What was not asked for adds nothing.
 */
const resourceFields = ({ ulimits, shmBytes, cgroupParent }: ExecuteContext['resources']): readonly Field[] => [
  ...(ulimits ? [field('ulimits', ulimits)] : []),
  ...(shmBytes === undefined ? [] : [field('shm', shmBytes)]),
  ...(cgroupParent === undefined ? [] : [field('cgroup parent', cgroupParent)]),
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
  // Packing may fall behind: only layers with a diffID are mounted in blocks, and the kernel takes so many without.
  await layerUnder(asFilesystem(inputs[0]), mostUnpacked - 1)?.packed;
  const root = chainOf(asFilesystem(inputs[0]));
  const sources = await Promise.all(inputs.slice(1).map((input) => readySource(input, signal)));
  const chains = [root, ...sources.flatMap((source) => (source.kind === 'chain' ? [source.chain] : []))];
  for (const chain of chains) await layers.ensureSnapshots(chain, signal);
  const mounts = givenMounts(vertex, spec, context);
  const agents = relayTo(context.agents, worker, { signal, warn: context.onWarning });
  const edits = context.devices(spec.devices?.given ?? []);
  const given = await giveDevices(edits, worker, signal);
  const log = new OutputLog((stream, text) => context.onOutput(vertex, stream, text));
  const result = await worker.call(
    'sandbox.run',
    {
      root,
      argv: spec.argv,
      env: environmentOf([...spec.env, ...spec.proxyEnv, ...absentSecretEnv(spec, context.secrets), ...edits.env]),
      secretEnv: secretEnvOf(mounts),
      cwd: spec.cwd,
      user: spec.user,
      mounts: [...(await sandboxMounts(mounts, inputs, context, signal)), ...given.mounts],
      ...(given.devices.length > 0 && { devices: given.devices }),
      network: spec.network,
      ...(spec.security === 'insecure' && { insecure: true }),
      ...(context.security && { security: context.security }),
      ...(context.certificates && { certificates: context.certificates }),
      hosts: spec.hosts.map(({ name, ip }) => `${ip}\t${name}`),
      hostname: spec.hostname ?? defaultHostname,
      commit: true,
      ...(spec.epoch !== undefined && { epochSeconds: spec.epoch }),
      stdin: false,
      ...context.resources,
    },
    {
      signal,
      // The worker may send more when this is fulfilled: a program that prints faster than anyone reads has to wait.
      onData: (payload) => {
        log.take(payload);
        return context.keptUp();
      },
      onEvent: (event) => {
        if (event.type === 'warning') context.onWarning(event.message);
        else if (event.type === 'connection') agents(event);
      },
    },
  );
  log.end();
  const { limits } = context.resources;
  if (result.exitCode !== 0 || !result.snapshot)
    throw runError(vertex, spec, { result, tail: log.tail, limits, absence: absenceHint(spec, mounts) });
  if (result.oom) context.onWarning(`${stepOf(vertex)} ended well, but ${memoryOf(result, limits)}`.trimStart());
  return { ...result, snapshot: result.snapshot };
}

/** Each name once, the last that it has: of two variables of one name programs would not agree which counts. */
function environmentOf(variables: readonly string[]): readonly string[] {
  return [...new Map(variables.map((variable) => [variable.split('=', 1)[0] ?? '', variable])).values()];
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
    layers.addSnapshot(packed.diffID);
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
