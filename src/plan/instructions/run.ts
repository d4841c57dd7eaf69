import { heredocStart } from '../../../grammar/lex/heredoc.ts';
import type { Permission } from '../../build-options.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import type { BindMountSpec, ExecSpec, MountSpec, NetworkMode, SecurityMode, Spec } from '../../graph/spec.ts';
import { type Vertex, vertex } from '../../graph/vertex.ts';
import { commandLine, withShell } from '../command-line.ts';
import { inlineVertex } from '../copy-files.ts';
import { epochOf } from '../epoch.ts';
import { type FlagValue, listFlag, textFlag } from '../flags.ts';
import { lowerMounts } from '../mounts.ts';
import { proxyEnvOfStep } from '../proxy-env.ts';
import { devicesOf } from '../run-devices.ts';
import { addHistory, type StageState, workingDirectory } from '../stage-state.ts';
import { invalid, rangeOf, type Step } from '../step.ts';
import { stepName, summaryOf } from '../step-name.ts';

const networkModes: readonly NetworkMode[] = ['default', 'none', 'host'];
/** Where a heredoc that begins with `#!` is shown to the step. Source: BuildKit, `dispatchRun`. */
const scriptDirectory = '/dev/pipes';

/** RUN. */
export function lowerRun(step: Step): void {
  const { state, build } = step;
  const inputs: Vertex<Spec>[] = [state.vertex];
  const program = readProgram(step, inputs);
  const mounts = [...program.mounts, ...lowerMounts(step, listFlag(step, 'mount'), inputs)];
  const env = environment(state, mounts);
  const spec: ExecSpec = {
    kind: 'exec',
    argv: program.argv,
    env,
    proxyEnv: proxyEnvOfStep(build.proxyEnv, { buildArgs: build.buildArgs, scope: state.scope }),
    cwd: workingDirectory(state),
    user: state.config.User ?? '',
    mounts,
    network: networkMode(step),
    security: securityMode(step),
    ...devicesOf(step),
    hosts: build.hosts,
    ...(build.hostname !== undefined && { hostname: build.hostname }),
    platform: state.platform,
    ...epochOf(build),
  };
  state.vertex = vertex<Spec>(spec, inputs, stepName(step, program.note), rangeOf(step));
  addHistory(state, `RUN ${[...declaredArgs(state), ...program.argv].join(' ')} # buildkit`, state.vertex.digest);
}

interface Program {
  readonly argv: readonly string[];
  readonly mounts: readonly MountSpec[];
  /** For the step's name. */
  readonly note: string;
}

/**
 * A heredoc as the only argument is itself the text for the SHELL, so that any shell will do; one that begins with `#!` is a file
 * that the SHELL starts. Heredocs within a command are given back to the SHELL as they were.
 */
function readProgram(step: Step, inputs: Vertex<Spec>[]): Program {
  const { instruction, state } = step;
  const [text = ''] = instruction.args;
  const [heredoc] = instruction.heredocs;
  if (instruction.args.length === 0) throw invalid(step, 'RUN has no command');
  if (!heredoc || instruction.form === 'exec') return { argv: commandLine(step), mounts: [], note: '' };
  if (!heredocStart(text)) {
    const bodies = instruction.heredocs.map(({ name, raw }) => `\n${raw}${name}`);
    return { argv: withShell(state, `${text}${bodies.join('')}`), mounts: [], note: '' };
  }
  const note = summaryOf(heredoc.content);
  if (!heredoc.content.startsWith('#!')) return { argv: withShell(state, heredoc.content), mounts: [], note };
  if (heredoc.name.includes('/')) throw invalid(step, `"${heredoc.name}" cannot be the name of a script`);
  inputs.push(inlineVertex([{ name: heredoc.name, text: heredoc.content, mode: 0o755 }]));
  const mount: BindMountSpec = { type: 'bind', target: scriptDirectory, input: inputs.length - 1, source: '/', writable: false };
  return { argv: withShell(state, `${scriptDirectory}/${heredoc.name}`), mounts: [mount], note };
}

/** `|2 a=1 b=2`: the ARGs declared so far, with the values that the step sees. Source: BuildKit, `runCommandString`. */
function declaredArgs({ args, scope }: StageState): readonly string[] {
  if (args.size === 0) return [];
  return [`|${args.size}`, ...[...args].map(([name, value]) => `${name}=${scope.get(name) ?? value ?? ''}`)];
}

/** What the program gets. The first socket of an agent is the one that clients look for, unless the stage says otherwise. */
function environment({ scope }: StageState, mounts: readonly MountSpec[]): readonly string[] {
  const env = [...scope].map(([name, value]) => `${name}=${value}`);
  const agent = mounts.find((mount) => mount.type === 'ssh');
  return agent && !scope.has('SSH_AUTH_SOCK') ? [...env, `SSH_AUTH_SOCK=${agent.target}`] : env;
}

function networkMode(step: Step): NetworkMode {
  const flag = textFlag(step, 'network');
  // "default" is what the build has: BuildKit leaves its network as it is then.
  const mode = networkModes.find((each) => each === flag?.value) ?? 'default';
  if (mode === 'default') return step.build.network;
  if (flag && mode === 'host' && step.build.network !== 'host') requireAllowed(step, flag, 'network.host');
  return mode;
}

function securityMode(step: Step): SecurityMode {
  const flag = textFlag(step, 'security');
  if (flag?.value !== 'insecure') return 'sandbox';
  requireAllowed(step, flag, 'security.insecure');
  return 'insecure';
}

/** What takes a container's walls down is the user's to say, not the Dockerfile's. */
function requireAllowed(step: Step, { value, range }: FlagValue, permission: Permission): void {
  if (step.build.allow.includes(permission)) return;
  throw new BuildError('NOT_ALLOWED', `RUN asks for "${value}", which was not allowed`, {
    range,
    hint: `if you trust this Dockerfile, build with "--allow ${permission}"`,
  });
}
