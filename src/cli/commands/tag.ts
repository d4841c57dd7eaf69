import { BuildError } from '../../diagnostics/build-error.ts';
import { formatReference, parseReference } from '../../oci/reference.ts';
import { openSession } from '../../session.ts';
import { findImage } from '../../store/find-image.ts';
import { Store } from '../../store/store.ts';
import { defineCommand } from '../command.ts';
import { needRoot } from '../globals.ts';

export const command = defineCommand({
  name: 'tag',
  summary: 'gives an image another name',
  operands: 'IMAGE NAME[:TAG]',
  count: [2, 2],
  flags: [],
  defaults: () => ({}),
  run: async (globals, [image = '', name = ''], { signal }) => {
    const root = needRoot(globals);
    const reference = parseReference(name);
    if (reference.digest !== undefined) throw new BuildError('REFERENCE_INVALID', `"${name}" has a digest, which cannot be chosen`);
    // Looked up first: a name that is mistyped should not make a store.
    await findImage(Store.openForReading(root), image);
    await using session = await openSession(root, signal);
    const { descriptor } = await findImage(session.store, image);
    await session.store.refs.set(formatReference(reference), descriptor);
    return 0;
  },
});
