import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A port of the loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** The body of a page, asked for until someone answers. `running` ends the asking: its rejection is ours. */
export async function page(url: string, running: Promise<unknown>): Promise<string> {
  return untilAnswered(running, async () => {
    const response = await fetch(url, { headers: { connection: 'close' } });
    return response.text();
  });
}

/** Sends commands to a Redis, one after the other, and gives its answers, as it writes them. */
export async function redis(port: number, commands: readonly string[], running: Promise<unknown>): Promise<string[]> {
  return untilAnswered(running, async () => {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      const answers: string[] = [];
      for (const command of commands) {
        socket.write(`${command}\r\n`);
        answers.push(await answer(socket));
      }
      return answers;
    } finally {
      socket.destroy();
    }
  });
}

/** One answer of the protocol: a line, or `$n` and n bytes. */
async function answer(socket: Socket): Promise<string> {
  let text = '';
  const ended = once(socket, 'close').then(() => {
    throw new Error('the connection was closed');
  });
  ended.catch(() => {}); // It is closed later, when nobody waits for an answer.
  while (!(text.startsWith('$') && !text.startsWith('$-') ? /^\$\d+\r\n[\s\S]*\r\n$/ : /\r\n$/).test(text)) {
    const [chunk] = (await Promise.race([once(socket, 'data'), ended])) as [Buffer];
    text += chunk.toString();
  }
  return text.replace(/^\$\d+\r\n/, '').trimEnd();
}

/** A server that is still starting refuses, or (a forwarder being there before it) closes: tried again until the program ends. */
async function untilAnswered<Result>(running: Promise<unknown>, ask: () => Promise<Result>): Promise<Result> {
  let over: unknown;
  void running.then((ended) => {
    over = ended;
  });
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (over) throw new Error(`the program ended: ${JSON.stringify(over)}`, { cause: error });
    }
    await sleep(50);
  }
}
