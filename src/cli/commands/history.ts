import type { History } from '../../oci/image-config.ts';
import { formatBytes } from '../../progress/units.ts';
import { findImage } from '../../store/find-image.ts';
import { Store } from '../../store/store.ts';
import { readStoredImage, type StoredImage } from '../../store/stored-image.ts';
import { defineCommand } from '../command.ts';
import { sets } from '../flag.ts';
import { needRoot } from '../globals.ts';
import { formatAgo, formatTable } from '../table.ts';

interface Row {
  readonly created: string | undefined;
  readonly createdBy: string;
  /** Bytes of the compressed layer; 0 for a row without one. */
  readonly size: number;
  readonly comment: string;
}

/** Characters of an instruction that the table shows. */
const shownCharacters = 45;

export const command = defineCommand({
  name: 'history',
  summary: 'shows the steps that an image was made by, the last one first',
  operands: 'IMAGE',
  count: [1, 1],
  flags: [
    { name: 'no-trunc', help: 'show the whole instructions', set: sets('whole') },
    { name: 'json', help: 'everything, as JSON', set: sets('json') },
  ],
  unavailable: [
    { name: 'quiet', short: 'q', hint: 'layers have no image of their own; "cooper inspect" lists them' },
    { name: 'format', hint: 'use --json' },
    { name: 'human', short: 'H', hint: 'use --json for exact numbers' },
  ],
  details: ['The sizes are those of the compressed layers.'],
  defaults: () => ({ whole: false, json: false }),
  run: async ({ whole, json, ...globals }, [name = ''], { writeResult }) => {
    const store = Store.openForReading(needRoot(globals));
    const rows = rowsOf(await readStoredImage(store, (await findImage(store, name)).descriptor)).reverse();
    await writeResult(json ? `${JSON.stringify(rows, undefined, 2)}\n` : table(rows, whole));
    return 0;
  },
});

/** Rows without `empty_layer` belong to the layers in order. Layers that no row is left for have one without a text. */
function rowsOf({ config, manifest }: StoredImage): Row[] {
  const layers = [...manifest.layers];
  const rows = (config.history ?? []).map((row) => rowOf(row, row.empty_layer ? 0 : (layers.shift()?.size ?? 0)));
  return [...rows, ...layers.map(({ size }) => rowOf({}, size))];
}

function rowOf({ created, created_by: createdBy, comment }: History, size: number): Row {
  return { created, createdBy: createdBy ?? '', size, comment: comment ?? '' };
}

function table(rows: readonly Row[], whole: boolean): string {
  const now = Date.now();
  const cells = rows.map(({ created, createdBy, size, comment }) => {
    const text = createdBy.replaceAll(/\s+/g, ' ');
    const shown = whole || text.length <= shownCharacters ? text : `${text.slice(0, shownCharacters - 1)}…`;
    return [formatAgo(created, now), shown, formatBytes(size), comment];
  });
  return formatTable([['CREATED', 'CREATED BY', 'SIZE', 'COMMENT'], ...cells]);
}
