import type { BindMountSpec, ExecSpec, MountSpec, NetworkMode, Spec } from '../../graph/spec.ts';
import { type Vertex, vertex } from '../../graph/vertex.ts';
import { commandLine, withShell } from '../command-line.ts';
import { inlineVertex } from '../copy-files.ts';
import { epochOf } from '../epoch.ts';
import { listFlag, textFlag } from '../flags.ts';
import { lowerMount } from '../mounts.ts';
import { addHistory, type StageState, workingDirectory } from '../stage-state.ts';
import { invalid, rangeOf, type Step, unsupported } from '../step.ts';
import { stepName, summaryOf } from '../step-name.ts';

const networkModes: readonly string[] = ['default', 'none', 'host'] satisfies NetworkMode[];
/** Where a heredoc that begins with `#!` is shown to the step. Source: BuildKit, `dispatchRun`. */
const scriptDirectory = '/dev/pipes';

/** RUN. */
export function lowerRun(step: Step): void {
  const { state, build } = step;
  refuseUnbuilt(step);
  const inputs: Vertex<Spec>[] = [state.vertex];
  const program = readProgram(step, inputs);
  const mounts = [...program.mounts, ...listFlag(step, 'mount').map((flag) => lowerMount(step, flag, inputs))];
  const env = [...state.scope].map(([name, value]) => `${name}=${value}`);
  const spec: ExecSpec = {
    kind: 'exec',
    argv: program.argv,
    env,
    proxyEnv: build.proxyEnv.filter((variable) => !state.scope.has(variable.slice(0, variable.indexOf('=')))),
    cwd: workingDirectory(state),
    user: state.config.User ?? '',
    mounts,
    network: networkMode(step),
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

/** One word that begins a heredoc, and nothing else. Source: BuildKit, parser, `heredocFromMatch`. */
const onlyHeredoc = /^\d*<<-?(?:[^\s<"'\\]|\\.|"[^"<]*"|'[^'<]*')+$/;

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
  if (!onlyHeredoc.test(text.trim())) {
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

function networkMode(step: Step): NetworkMode {
  const flag = textFlag(step, 'network');
  if (!flag) return step.build.network;
  const mode = flag.value.toLowerCase();
  if (!isNetworkMode(mode)) {
    throw invalid(step, `"${flag.value}" is not a network`, { range: flag.range, hint: 'a network is default, none or host' });
  }
  if (mode === 'host' && step.build.network !== 'host') {
    throw unsupported(step, 'a Dockerfile may not take the network of the host by itself', {
      range: flag.range,
      hint: 'if you trust it, build with "--network host"',
    });
  }
  // "default" is what the build has: BuildKit leaves its network as it is then.
  return mode === 'default' ? step.build.network : mode;
}

const isNetworkMode = (text: string): text is NetworkMode => networkModes.includes(text);

function refuseUnbuilt(step: Step): void {
  const security = textFlag(step, 'security');
  if (security && security.value !== 'sandbox' && security.value !== 'insecure') {
    throw invalid(step, `"--security" is "sandbox" or "insecure", not "${security.value}"`, { range: security.range });
  }
  if (security?.value === 'insecure') throw unsupported(step, '"--security=insecure" is not built yet', { range: security.range });
  const [device] = listFlag(step, 'device');
  if (device) throw unsupported(step, '"--device" is not built yet', { range: device.range });
}
