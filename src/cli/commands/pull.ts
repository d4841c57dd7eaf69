import { hostPlatform, type Platform } from '../../oci/platform.ts';
import { pullImage } from '../../pull.ts';
import { Registry } from '../../registry/registry.ts';
import { openSession } from '../../session.ts';
import { defineCommand } from '../command.ts';
import { sets } from '../flag.ts';
import { needRoot } from '../globals.ts';
import { showTransfers } from '../transfers.ts';
import { parsePlatformOption } from '../values/platform.ts';

interface PullFlags {
  platform?: Platform;
  quiet: boolean;
}

export const command = defineCommand<PullFlags>({
  name: 'pull',
  summary: 'fetches an image from its registry and prints the digest of its manifest',
  operands: 'NAME[:TAG|@DIGEST]',
  count: [1, 1],
  flags: [
    {
      name: 'platform',
      value: 'OS/ARCH',
      help: 'of an image for several platforms, fetch this one (default: that of this machine)',
      set: (options, text) => {
        options.platform = parsePlatformOption(text);
      },
    },
    { name: 'quiet', short: 'q', help: 'show no progress', set: sets('quiet') },
  ],
  unavailable: [{ name: 'all-tags', short: 'a', hint: 'pull each tag by its name' }],
  defaults: () => ({ quiet: false }),
  run: async ({ platform = hostPlatform(), quiet, ...globals }, [name = ''], caller) => {
    await using session = await openSession(needRoot(globals), caller.signal);
    await using cleanup = new AsyncDisposableStack();
    const registry = new Registry({ environment: caller.environment });
    cleanup.defer(() => registry.close());
    const onTransfer = showTransfers('pull', quiet, caller);
    const { descriptor } = await pullImage(name, platform, { store: session.store, registry, onTransfer }, caller.signal);
    await caller.writeResult(`${descriptor.digest}\n`);
    return 0;
  },
});
