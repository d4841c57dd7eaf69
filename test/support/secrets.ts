import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cooper } from './cooper.ts';
import { aptConfiguration, certificates, npmConfiguration, pipConfiguration } from './machine.ts';

/** `--secret` options that carry this machine's way to its package sources into a build: apt, pip, npm, certificates. */
export async function packageSecrets(cooper: Cooper): Promise<string[]> {
  const directory = join(cooper.directory, 'secrets');
  await mkdir(directory, { recursive: true });
  const texts = { apt: await aptConfiguration(), pip: await pipConfiguration(), npmrc: await npmConfiguration() };
  const flags = [`--secret=id=ca,src=${certificates()}`];
  for (const [id, text] of Object.entries(texts)) {
    await writeFile(join(directory, id), text);
    flags.push(`--secret=id=${id},src=${join(directory, id)}`);
  }
  return flags;
}
