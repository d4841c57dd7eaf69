import { BuildError } from '../diagnostics/build-error.ts';
import type { Descriptor } from './descriptor.ts';
import { type DiffID, isDigest } from './digest.ts';
import type { ContainerConfig, Healthcheck, History, ImageConfig } from './image-config.ts';
import type { Index, Manifest } from './manifest.ts';
import { mediaTypes } from './media-types.ts';
import type { Platform } from './platform.ts';
import { Shape } from './shape.ts';

// What others wrote, read with suspicion: every function throws IMAGE_INVALID for what is not of the right form, and leaves out fields
// that we don't know. `what` names the document in messages.

/** The longest manifest, index or config that is read, in bytes. Source: OCI distribution-spec 1.1, "Pushing Manifests". */
export const maxDocumentBytes = 4 * 1024 * 1024;

/** Whether a media type is that of a manifest or of an index; undefined for all others. */
export function documentKind(mediaType: string): 'manifest' | 'index' | undefined {
  if (mediaType === mediaTypes.manifest || mediaType === mediaTypes.dockerManifest) return 'manifest';
  if (mediaType === mediaTypes.index || mediaType === mediaTypes.dockerIndex) return 'index';
  return undefined;
}

export function parseManifest(bytes: Uint8Array, what = 'the manifest'): Manifest {
  const shape = Shape.parse(bytes, what);
  refuseBoth(shape, what, 'manifests');
  return {
    ...head(shape, what),
    ...strings(shape, ['artifactType']),
    config: descriptor(shape.required('config', (key) => shape.object(key))),
    layers: shape.required('layers', (key) => shape.objects(key)).map(descriptor),
    ...optional('annotations', shape.record('annotations')),
  };
}

export function parseIndex(bytes: Uint8Array, what = 'the index'): Index {
  const shape = Shape.parse(bytes, what);
  refuseBoth(shape, what, 'layers');
  return {
    ...head(shape, what),
    manifests: shape.required('manifests', (key) => shape.objects(key)).map(descriptor),
    ...optional('annotations', shape.record('annotations')),
  };
}

export function parseImageConfig(bytes: Uint8Array, what = 'the image config'): ImageConfig {
  const shape = Shape.parse(bytes, what);
  const rootfs = shape.required('rootfs', (key) => shape.object(key));
  const config = shape.object('config');
  const history = shape.objects('history')?.map(historyRow);
  return {
    architecture: shape.required('architecture', (key) => shape.string(key)),
    os: shape.required('os', (key) => shape.string(key)),
    ...strings(shape, ['variant', 'os.version', 'created', 'author']),
    ...lists(shape, ['os.features']),
    ...(config && { config: containerConfig(config) }),
    rootfs: { type: 'layers', diff_ids: diffIDs(rootfs, what) },
    ...(history && { history }),
  };
}

/** A descriptor from a document of ours or of others. */
export function descriptor(shape: Shape): Descriptor {
  const at = shape.object('platform');
  return {
    mediaType: shape.required('mediaType', (key) => shape.string(key)),
    digest: shape.matching('digest', 'a sha256 digest', isDigest),
    size: shape.required('size', (key) => shape.count(key)),
    ...(at && { platform: platform(at) }),
    ...optional('annotations', shape.record('annotations')),
  };
}

function platform(shape: Shape): Platform {
  return {
    os: shape.string('os') ?? '',
    architecture: shape.string('architecture') ?? '',
    ...strings(shape, ['variant', 'os.version']),
    ...lists(shape, ['os.features']),
  };
}

function head(shape: Shape, what: string): { schemaVersion: 2; mediaType?: string } {
  const version = shape.count('schemaVersion');
  if (version !== 2) {
    const hint = 'images of schema 1 are from before 2016; have it built again';
    throw new BuildError('IMAGE_INVALID', `${what} is of schema version ${version ?? 'none'}, expected 2`, { hint });
  }
  return { schemaVersion: 2, ...strings(shape, ['mediaType']) };
}

/** One text that is a manifest to one reader and an index to another hides what is run (CVE-2021-41190). */
function refuseBoth(shape: Shape, what: string, foreign: string): void {
  if (!shape.has(foreign)) return;
  const hint = 'a manifest has "layers", an index has "manifests", and nothing has both';
  throw new BuildError('IMAGE_INVALID', `${what} has "${foreign}", which does not belong into it`, { hint });
}

function diffIDs(rootfs: Shape, what: string): DiffID[] {
  const type = rootfs.string('type') ?? 'layers';
  if (type !== 'layers') throw new BuildError('IMAGE_INVALID', `${what}: expected a "rootfs" of type "layers", found "${type}"`);
  return (rootfs.strings('diff_ids') ?? []).map((text) => {
    if (!isDigest(text)) throw new BuildError('IMAGE_INVALID', `${what}: expected a diffID, found "${text.slice(0, 80)}"`);
    return text as string as DiffID;
  });
}

function historyRow(shape: Shape): History {
  return {
    ...strings(shape, ['created', 'created_by', 'author', 'comment']),
    ...optional('empty_layer', shape.boolean('empty_layer')),
  };
}

function containerConfig(shape: Shape): ContainerConfig {
  const healthcheck = shape.object('Healthcheck');
  return {
    ...strings(shape, ['User', 'WorkingDir', 'StopSignal']),
    ...optional('ExposedPorts', shape.set('ExposedPorts')),
    ...optional('Volumes', shape.set('Volumes')),
    ...optional('Labels', shape.record('Labels')),
    ...lists(shape, ['Env', 'Entrypoint', 'Cmd', 'OnBuild', 'Shell']),
    ...optional('ArgsEscaped', shape.boolean('ArgsEscaped')),
    ...(healthcheck && { Healthcheck: healthcheckOf(healthcheck) }),
  };
}

function healthcheckOf(shape: Shape): Healthcheck {
  const numbers = (['Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries'] as const).map((key) =>
    optional(key, shape.count(key)),
  );
  return Object.assign({}, lists(shape, ['Test']), ...numbers) as Healthcheck;
}

function strings<K extends string>(shape: Shape, keys: readonly K[]): { [P in K]?: string } {
  return Object.assign({}, ...keys.map((key) => optional(key, shape.string(key)))) as { [P in K]?: string };
}

function lists<K extends string>(shape: Shape, keys: readonly K[]): { [P in K]?: string[] } {
  return Object.assign({}, ...keys.map((key) => optional(key, shape.strings(key)))) as { [P in K]?: string[] };
}

/** The property, or no property: `undefined` is not a value of an optional one. */
function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}
