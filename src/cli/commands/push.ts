import { parseReference } from '../../oci/reference.ts';
import { pushImage } from '../../push.ts';
import { Registry } from '../../registry/registry.ts';
import { openSession } from '../../session.ts';
import { findImage } from '../../store/find-image.ts';
import { Store } from '../../store/store.ts';
import { defineCommand } from '../command.ts';
import { sets } from '../flag.ts';
import { needRoot } from '../globals.ts';
import { showTransfers } from '../transfers.ts';

export const command = defineCommand({
  name: 'push',
  summary: 'sends an image to its registry and prints the digest of its manifest',
  operands: 'NAME[:TAG]',
  count: [1, 1],
  flags: [{ name: 'quiet', short: 'q', help: 'show no progress', set: sets('quiet') }],
  unavailable: [
    { name: 'all-tags', short: 'a', hint: 'push each tag by its name' },
    { name: 'platform', hint: 'all platforms of the image are sent' },
  ],
  defaults: () => ({ quiet: false }),
  run: async ({ quiet, ...globals }, [name = ''], caller) => {
    const root = needRoot(globals);
    const target = parseReference(name);
    // Looked up first: a name that is mistyped should not make a store.
    await findImage(Store.openForReading(root), name);
    await using session = await openSession(root, caller.signal);
    await using cleanup = new AsyncDisposableStack();
    const registry = new Registry({ environment: caller.environment });
    cleanup.defer(() => registry.close());
    const { descriptor } = await findImage(session.store, name);
    const onTransfer = showTransfers('push', quiet, caller);
    await pushImage(descriptor, target, { store: session.store, registry, onTransfer }, caller.signal);
    await caller.writeResult(`${descriptor.digest}\n`);
    return 0;
  },
});
