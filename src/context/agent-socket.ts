import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/**
 * A socket by which a program reaches an agent: `await using socket = await agentSocket(connect)`. It stands in a folder of its own that nobody
 * else may enter, not in the store: the path of a socket has 107 bytes at most.
 */
export async function agentSocket(connect: () => Duplex): Promise<{ readonly path: string } & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), 'cooper-ssh-'));
  const open = new Set<Duplex>();
  const server = createServer((near) => {
    const far = connect();
    open.add(near);
    // For the program an agent that cannot be reached is one that hangs up.
    Promise.all([pipeline(near, far), pipeline(far, near)])
      .catch(() => {})
      .finally(() => open.delete(near));
  });
  server.listen(join(directory, 'agent'));
  await once(server, 'listening');
  return {
    path: join(directory, 'agent'),
    async [Symbol.asyncDispose]() {
      for (const near of open) near.destroy();
      server.close();
      await once(server, 'close');
      await rm(directory, { recursive: true, force: true });
    },
  };
}
