import { type Header, pack } from 'tar-stream';

/** One entry: its header, and its text. */
export type TarEntry = Partial<Header> & { readonly name: string; readonly text?: string };

/** A tar of these entries, in this order, whatever they are. */
export async function tarOf(...entries: readonly TarEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const { text, ...header } of entries) archive.entry({ mtime: new Date(1_700_000_000_000), ...header }, text ?? '');
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}
