import { BuildError } from '../../diagnostics/build-error.ts';
import { renderFinding } from '../../diagnostics/render.ts';
import type { Digest } from '../../oci/digest.ts';
import { familiarReference, formatReference, parseReference } from '../../oci/reference.ts';
import { formatBytes } from '../../progress/units.ts';
import type { Ref } from '../../store/ref-store.ts';
import { Store, type StoreReader } from '../../store/store.ts';
import { readStoredImage } from '../../store/stored-image.ts';
import type { Caller } from '../caller.ts';
import { defineCommand } from '../command.ts';
import { sets } from '../flag.ts';
import { needRoot } from '../globals.ts';
import { formatAgo, formatTable } from '../table.ts';

interface Row {
  readonly repository: string;
  readonly tag: string;
  /** Of the manifest; of the index for several platforms. */
  readonly digest: Digest;
  readonly created?: string;
  /** Bytes of config and layers, as a push sends them. */
  readonly size?: number;
}

export const command = defineCommand({
  name: 'images',
  summary: 'lists the images, the newest first',
  operands: '[NAME[:TAG]]',
  count: [0, 1],
  flags: [
    { name: 'quiet', short: 'q', help: 'the digests only', set: sets('quiet') },
    { name: 'json', help: 'everything, as JSON', set: sets('json') },
  ],
  unavailable: [
    { name: 'all', short: 'a', hint: 'leave it out: there are no intermediate images' },
    { name: 'filter', short: 'f', hint: 'use "cooper images NAME", or --json and a filter of your own' },
    { name: 'format', hint: 'use --json' },
    { name: 'no-trunc', hint: 'use --json or -q' },
  ],
  details: ['The size is that of the compressed layers, which is what a push sends.'],
  defaults: () => ({ quiet: false, json: false }),
  run: async ({ quiet, json, ...globals }, [filter], caller) => {
    const store = Store.openForReading(needRoot(globals));
    const refs = (await store.refs.list()).filter(matching(filter));
    const rows = await Promise.all(refs.map((ref) => rowOf(store, ref, caller)));
    rows.sort((a, b) => Date.parse(b.created ?? '') - Date.parse(a.created ?? '') || 0);
    if (quiet) await caller.writeResult([...new Set(rows.map(({ digest }) => `${digest}\n`))].join(''));
    else await caller.writeResult(json ? `${JSON.stringify(rows, undefined, 2)}\n` : table(rows));
    return 0;
  },
});

/** `NAME` stands for all its tags. */
function matching(filter: string | undefined): (ref: Ref) => boolean {
  if (filter === undefined) return () => true;
  const wanted = parseReference(filter);
  const whole = formatReference(wanted);
  const anyTag = wanted.digest === undefined && !filter.endsWith(`:${wanted.tag}`);
  const prefix = `${wanted.registry}/${wanted.repository}`;
  return ({ name }) => name === whole || (anyTag && (name.startsWith(`${prefix}:`) || name.startsWith(`${prefix}@`)));
}

/** One image that is damaged is no reason not to list the others. */
async function rowOf(store: StoreReader, { name, descriptor }: Ref, { color, writeMessage }: Caller): Promise<Row> {
  const reference = parseReference(name);
  const repository = familiarReference({ registry: reference.registry, repository: reference.repository });
  const named = { repository, tag: reference.tag ?? '<none>', digest: descriptor.digest };
  try {
    const { config, size } = await readStoredImage(store, descriptor);
    return { ...named, ...(config.created === undefined ? {} : { created: config.created }), size };
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    const { code, message, hint } = error;
    writeMessage(renderFinding({ severity: 'warning', code, message: `"${name}": ${message}`, hint }, { color }));
    return named;
  }
}

function table(rows: readonly Row[]): string {
  const now = Date.now();
  const cells = rows.map(({ repository, tag, digest, created, size }) => {
    return [
      repository,
      tag,
      digest.slice('sha256:'.length).slice(0, 12),
      formatAgo(created, now),
      size === undefined ? '-' : formatBytes(size),
    ];
  });
  return formatTable([['REPOSITORY', 'TAG', 'DIGEST', 'CREATED', 'SIZE'], ...cells]);
}
