import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer, type Server } from 'node:net';

// Servers for a network namespace of a test: `node small-servers.ts names|web|who|proxy|lengths|udp ADDRESS...` or `groups`, or `tls FILE ADDRESS` with a file of the
// server's certificate and key. Each says `ready` when it listens.

const [kind = '', ...rest] = process.argv.slice(2);
const identity = kind === 'tls' ? readFileSync(rest.shift() ?? '') : '';

/** The question again with one answer: the A record 192.0.2.77. Source: RFC 1035 §4.1. */
function answer(query: Buffer): Buffer {
  const question = query.subarray(12, query.indexOf(0, 12) + 5);
  const head = Buffer.from([...query.subarray(0, 2), 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
  return Buffer.concat([head, question, Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 77])]);
}

async function answerNames(address: string): Promise<void> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (query, { port, address: from }) => socket.send(answer(query), port, from));
  socket.bind(53, address);
  await once(socket, 'listening');
  const server = createServer((connection) => {
    connection.on('error', () => {});
    connection.once('data', (bytes) => {
      const reply = answer(bytes.subarray(2));
      connection.end(Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 255]), reply]));
    });
  });
  await listen(server, 53, address);
}

/** Says by whom it was asked, and for what: a proxy is asked for a whole URL. */
const say: RequestListener = ({ url, socket }, response) =>
  response.end(`${kind} ${url} ${socket.remoteFamily}${socket.remoteAddress === socket.localAddress ? '' : ' from elsewhere'}\n`);

/** Says the address of who asks. */
const sayWho: RequestListener = ({ socket }, response) => response.end(`${socket.remoteAddress}\n`);

/** Answers a datagram by its length. */
async function answerLengths(address: string): Promise<void> {
  const socket = createSocket('udp4');
  socket.on('message', ({ length }, { port, address: from }) => socket.send(`${length}\n`, port, from));
  socket.bind(5005, address);
  await once(socket, 'listening');
}

/** Says on stdout what datagrams say. */
async function tell(port: number, address: string, groups: readonly string[] = []): Promise<void> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (text) => process.stdout.write(`${text}\n`));
  socket.bind(port, address);
  await once(socket, 'listening');
  for (const group of groups) socket.addMembership(group);
}

async function listen(server: Server, port: number, address: string): Promise<void> {
  server.listen(port, address);
  await once(server, 'listening');
}

for (const address of rest) {
  if (kind === 'tls') await listen(createTlsServer({ cert: identity, key: identity }, say), 8443, address);
  else if (kind === 'names') await answerNames(address);
  else if (kind === 'udp') await tell(5006, address);
  else if (kind === 'lengths') await answerLengths(address);
  else if (kind === 'who') await listen(createHttpServer(sayWho), 8080, address);
  else await listen(createHttpServer(say), kind === 'proxy' ? 3128 : 8080, address);
}
if (kind === 'groups') await tell(5353, '0.0.0.0', ['224.0.0.251']);
process.stdout.write('ready\n');
