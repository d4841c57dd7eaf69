import type { Spec } from '../graph/spec.ts';
import { type Vertex, vertex } from '../graph/vertex.ts';
import type { Digest } from '../oci/digest.ts';
import type { ContainerConfig, History } from '../oci/image-config.ts';
import type { Platform } from '../oci/platform.ts';
import { copyNames, defaultPath, type NamedConfig, type PlainConfig, splitConfig } from './container-config.ts';
import { absolutePath, nextWorkdir } from './container-path.ts';
import type { Environment } from './environment.ts';
import type { PlannedHistory, ResolvedImage } from './plan.ts';

/** A stage while its instructions are lowered, one after the other. */
export interface StageState {
  /** The filesystem so far. */
  vertex: Vertex<Spec>;
  config: PlainConfig;
  readonly named: NamedConfig;
  author: string | undefined;
  /** What its programs run on. */
  readonly platform: Platform;
  /** What the config of the image says, unless a platform was asked for: that of the base image. */
  readonly imagePlatform: Platform;
  /** ENV and ARG in effect: what words expand with, and what RUN gets. One namespace, the later declaration wins. */
  readonly scope: Map<string, string>;
  /** Declared ARGs with their values, in order, for the history of RUN. */
  readonly args: Map<string, string | undefined>;
  readonly baseHistory: readonly History[];
  readonly history: PlannedHistory[];
  /** CMD stands in this stage: then ENTRYPOINT does not reset it. */
  hasCmd: boolean;
  readonly numbering: Numbering;
}

/** `[name 2/5]` before the name of a step. */
export interface Numbering {
  readonly stageName: string;
  readonly total: number;
  current: number;
}

interface Start {
  readonly platform: Platform;
  readonly numbering: Numbering;
}

/** FROM scratch, or the files of a named context. Like BuildKit, it begins in `/`. */
export function scratchState(start: Start, root: Vertex<Spec> = vertex<Spec>({ kind: 'scratch' }, [], 'FROM scratch')): StageState {
  return initialState(root, { WorkingDir: '/' }, { ...start, imagePlatform: start.platform, author: undefined, baseHistory: [] });
}

/** FROM an image, whose vertex is `root`. */
export function imageState(root: Vertex<Spec>, image: ResolvedImage, start: Start): StageState {
  const { config, author, history } = image.config;
  return initialState(root, config, { ...start, imagePlatform: platformOf(image), author, baseHistory: history ?? [] });
}

/** FROM an earlier stage: all but its ONBUILD goes on, its ARGs too, but where its ENV has the same name, that wins again. */
export function inheritedState(base: StageState, numbering: Numbering): StageState {
  const { OnBuild: _triggers, ...config } = base.config;
  return {
    ...base,
    config,
    named: copyNames(base.named),
    scope: withEnvironment(base.scope, base.named.env),
    args: new Map(base.args),
    history: [...base.history],
    hasCmd: false,
    numbering,
  };
}

/** Adds a row of history; `layer` is the vertex that the row stands for. */
export function addHistory(state: StageState, createdBy: string, layer?: Digest): void {
  state.history.push(layer === undefined ? { createdBy } : { createdBy, vertex: layer });
}

/** Sets a variable. It goes to the end of the environment, as BuildKit's do. */
export function define({ scope }: StageState, name: string, value: string): void {
  scope.delete(name);
  scope.set(name, value);
}

/** Each ENV as if it stood there again. */
function withEnvironment(scope: ReadonlyMap<string, string>, env: Environment): Map<string, string> {
  const result = new Map(scope);
  for (const [name, value] of env) {
    result.delete(name);
    result.set(name, value);
  }
  return result;
}

/** The working directory of the next instruction. */
export const workingDirectory = ({ config }: StageState): string => absolutePath('/', config.WorkingDir ?? '');

function platformOf({ config }: ResolvedImage): Platform {
  const { os, architecture, variant } = config;
  const [version, features] = [config['os.version'], config['os.features']];
  return {
    os,
    architecture,
    ...(version && { 'os.version': version }),
    ...(features && { 'os.features': features }),
    ...(variant && { variant }),
  };
}

function initialState(
  root: Vertex<Spec>,
  config: ContainerConfig | undefined,
  { platform, imagePlatform, numbering, author, baseHistory }: Start & Pick<StageState, 'imagePlatform' | 'author' | 'baseHistory'>,
): StageState {
  const { plain, named } = splitConfig(config);
  // Windows has a default of its own.
  if (!named.env.has('PATH') && platform.os !== 'windows') named.env.set('PATH', defaultPath);
  // A relative one is joined to itself, as BuildKit does.
  const directory = plain.WorkingDir && { WorkingDir: nextWorkdir(plain.WorkingDir, plain.WorkingDir) };
  return {
    vertex: root,
    config: { ...plain, ...directory },
    named,
    author,
    platform,
    imagePlatform,
    scope: withEnvironment(new Map(), named.env),
    args: new Map(),
    baseHistory,
    history: [],
    hasCmd: false,
    numbering,
  };
}
