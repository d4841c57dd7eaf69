import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { WorkerEvent } from '../worker/protocol.ts';
import type { Worker } from '../worker/worker.ts';

type Connection = Extract<WorkerEvent, { type: 'connection' }>;

/** Answers the connections that programs of one container make: each is carried to its agent and back, until one side ends it. */
export function relayTo(
  agents: ReadonlyMap<string, () => Duplex>,
  worker: Worker,
  { signal, warn }: { readonly signal: AbortSignal; readonly warn: (message: string) => void },
): (connection: Connection) => void {
  return ({ agent, connection }) => {
    const connect = agents.get(agent);
    if (!connect) throw new Error(`there is no agent "${agent}"`);
    const far = connect();
    relay(far, worker, connection, signal)
      .catch((error: unknown) => {
        // An end of the build is told elsewhere. For the program an agent that cannot be reached is one that hangs up.
        if (!signal.aborted) warn(`the agent "${agent}" failed: ${error instanceof Error ? error.message : error}`);
      })
      .finally(() => far.destroy());
  };
}

async function relay(far: Duplex, worker: Worker, connection: number, signal: AbortSignal): Promise<void> {
  await worker.call(
    'sandbox.connect',
    { connection },
    {
      signal,
      input: far,
      onData: async (payload) => {
        // What comes for an agent that has hung up is of no use to anybody.
        if (far.destroyed || far.writableEnded) return;
        if (!far.write(payload.subarray(1))) await Promise.race([once(far, 'drain'), once(far, 'close')]);
      },
    },
  );
}
