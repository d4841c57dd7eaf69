import type { Descriptor } from '../oci/descriptor.ts';
import { containerConfigKeys, type ImageConfig } from '../oci/image-config.ts';
import type { Index, Manifest } from '../oci/manifest.ts';

// JSON in one form for one value: keys in the order of the specification's Go structs, maps sorted by name, no spaces. Equal images
// have equal digests, whatever way their parts came together.

/** Source of the order: image-spec, specs-go/v1/config.go; Docker's fields after them, as in moby's docker/image-spec. */
export function encodeConfig(config: ImageConfig): Buffer {
  return encode(
    pick(config, ['created', 'author', 'architecture', 'os', 'os.version', 'os.features', 'variant', 'config', 'rootfs', 'history'], {
      config: (value) =>
        pick(value, containerConfigKeys, {
          ExposedPorts: sorted,
          Volumes: sorted,
          Labels: sorted,
          Healthcheck: (check) => pick(check, checkKeys),
        }),
      rootfs: (value) => pick(value, ['type', 'diff_ids']),
      history: (rows) => rows.map((row) => pick(row, ['created', 'created_by', 'author', 'comment', 'empty_layer'])),
    }),
  );
}

export function encodeManifest(manifest: Manifest): Buffer {
  return encode(
    pick(manifest, ['schemaVersion', 'mediaType', 'artifactType', 'config', 'layers', 'annotations'], {
      config: descriptor,
      layers: (layers) => layers.map(descriptor),
      annotations: sorted,
    }),
  );
}

export function encodeIndex(index: Index): Buffer {
  const manifests = (list: readonly Descriptor[]) => list.map(descriptor);
  return encode(pick(index, ['schemaVersion', 'mediaType', 'manifests', 'annotations'], { manifests, annotations: sorted }));
}

const checkKeys = ['Test', 'Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries'] as const;

const encode = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

const descriptor = (value: Descriptor) =>
  pick(value, ['mediaType', 'digest', 'size', 'annotations', 'platform'], {
    annotations: sorted,
    platform: (platform) => pick(platform, ['architecture', 'os', 'os.version', 'os.features', 'variant']),
  });

/** The named properties, in this order; those that are not there are left out. */
function pick<T extends object, K extends keyof T>(
  value: T,
  keys: readonly K[],
  inner: { readonly [P in K]?: (value: NonNullable<T[P]>) => unknown } = {},
): Record<string, unknown> {
  return Object.fromEntries(
    keys.flatMap((key) => {
      const property = value[key];
      if (property === undefined || property === null) return [];
      return [[key, inner[key]?.(property) ?? property]];
    }),
  );
}

/** By the bytes of the names, as Go sorts a map; but names that are whole numbers come first, as in every JavaScript object. */
function sorted<V>(map: Readonly<Record<string, V>>): Record<string, V> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
}
