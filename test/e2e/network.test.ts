import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { BuildEvent } from '../../src/progress/events.ts';
import { type Built, type Cooper, type Installation, makeCooper } from '../support/cooper.ts';
import { attempt, compileProbe, outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';
import {
  ipv4,
  ipv6,
  localBase,
  type MachineFiles,
  type MachineNetwork,
  machineNetwork,
  onMachine,
  startThere,
} from '../support/network.ts';
import { descendants, gone, isThere } from '../support/processes.ts';
import { tool } from '../support/tools.ts';

// Networks of containers on machines of several kinds, which are network namespaces of the test's own.

/** As a virtual machine has it by default: the network that slirp4netns would take. */
const taken = ['ip address add 10.0.2.15/24 dev eth0', 'ip route add default via 10.0.2.2'];

const servers = 'nameserver';
/** A question for the A record of `name.test` by TCP, after its length, in printf's words. */
const question = '\\000\\033\\022\\064\\001\\000\\000\\001\\000\\000\\000\\000\\000\\000\\004name\\004test\\000\\000\\001\\000\\001';

const warnings = ({ events }: Built): string[] =>
  events.filter((event): event is BuildEvent & { type: 'warning' } => event.type === 'warning').map(({ message }) => message);

for (const mode of modes) {
  describe(`the network as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let installation: Installation & AsyncDisposable;
    const cleanup = new AsyncDisposableStack();

    before(async () => {
      installation = await mode.install();
    });

    after(async () => {
      await cleanup.disposeAsync();
      await installation?.[Symbol.asyncDispose]();
    });

    /** A cooper on such a machine. */
    async function on(
      network: MachineNetwork,
      files: MachineFiles = {},
    ): Promise<Cooper & { look(script: string, args?: string[]): Promise<Built> }> {
      const folder = cleanup.use(await makeCooper(installation));
      const cooper = cleanup.use(await makeCooper(await onMachine(installation, network, folder.directory, files)));
      const base = await localBase(cooper);
      return Object.assign(cooper, {
        look: async (script: string, args: string[] = []) => {
          const built = await attempt(cooper, 'base', script, { args: [...base, ...args] });
          assert.equal(built.status, 0, built.stderr);
          return built;
        },
      });
    }

    async function machine(...commands: readonly string[]): Promise<MachineNetwork> {
      return cleanup.use(await machineNetwork(commands));
    }

    async function serve(network: MachineNetwork, ...args: readonly string[]): Promise<void> {
      cleanup.use(await startThere(network, 'small-servers.ts', args));
    }

    for (const { name, resolvConf, behindStub, at, want } of [
      {
        name: 'a server on the machine’s loopback, like dnsmasq',
        resolvConf: `${servers} 127.0.0.1\nsearch example.test\noptions timeout:1\n`,
        behindStub: undefined,
        at: '127.0.0.1',
        want: `${servers} 10.0.2.3\nsearch example.test\noptions timeout:1\n`,
      },
      {
        name: 'the servers behind systemd-resolved',
        resolvConf: `${servers} 127.0.0.53\nsearch example.test\n`,
        behindStub: `${servers} fe80::1%eth0\n${servers} 192.0.2.10\n`,
        at: '192.0.2.10',
        want: `${servers} 192.0.2.10\nsearch example.test\n`,
      },
    ]) {
      test(`names are asked of ${name}, by UDP and TCP`, async () => {
        const network = await machine(...ipv4);
        await serve(network, 'names', at);
        const cooper = await on(network, { resolvConf, ...(behindStub && { behindStub }) });
        const server = want.split(/\s/)[1];
        const script = `cat /etc/resolv.conf; nslookup -type=a name.test | grep -c 192.0.2.77; printf '${question}' | nc ${server} 53 | tail -c4 | od -An -tu1`;
        assert.equal(outputOf(await cooper.look(script)), `${want}1\n 192   0   2  77\n`);
      });
    }

    test('where the machine has IPv6, containers have', async () => {
      const network = await machine(...ipv4, ...ipv6);
      await serve(network, 'web', '192.0.2.10', '2001:db8::10');
      const cooper = await on(network);
      const script = 'wget -qO- http://192.0.2.10:8080/; wget -qO- "http://[2001:db8::10]:8080/"; wc -l </proc/net/if_inet6';
      // lo's, a global one and that of the link.
      assert.equal(outputOf(await cooper.look(script)), 'web / IPv4\nweb / IPv6\n3\n');
    });

    test('where it has none, they have none, and no name seems to have an address that nobody can reach', async () => {
      const network = await machine(...ipv4);
      const cooper = await on(network);
      assert.equal(outputOf(await cooper.look('cut -c1-32 /proc/net/if_inet6; ip -6 route')), `${'0'.repeat(31)}1\n`);
    });

    test('the network of containers is one to which the machine has no route', async () => {
      const network = await machine(...taken);
      await serve(network, 'web', '10.0.2.15');
      const cooper = await on(network);
      const built = await cooper.look('wget -qO- http://10.0.2.15:8080/; ip -4 address show eth0 | grep -c "inet 10\\.0\\.2\\."; true');
      assert.equal(outputOf(built), 'web / IPv4\n0\n');
    });

    test('a proxy is told to the step, and enters no key, no history and no layer', async () => {
      const network = await machine(...ipv4);
      await serve(network, 'proxy', '192.0.2.10');
      const cooper = await on(network);
      const context = await cooper.context('proxy', {
        Dockerfile: 'FROM base\nRUN wget -qO- http://name.test/file >/answer; cat /answer\n',
      });
      const options = [...(await localBase(cooper)), context];
      const built = await cooper.built(['--build-arg', 'http_proxy=http://user:word@192.0.2.10:3128', '-t', 'proxied', ...options]);
      assert.equal(outputOf(built), 'proxy http://name.test/file IPv4\n');
      const again = await cooper.built(['--build-arg', 'HTTP_PROXY=http://192.0.2.99:3128', ...options]);
      assert.deepEqual([again.digest, again.ran], [built.digest, []]);
      const inspected = await cooper.ok(['inspect', 'proxied']);
      assert.doesNotMatch(inspected, /3128/);
      const found = await tool('grep', ['-rlEa', 'user:word', join(cooper.root, 'blobs'), join(cooper.root, 'records')]).catch(() => '');
      assert.equal(found, '');
      // By the caller's environment too. On its loopback it cannot be reached, which is said once.
      const env = { http_proxy: 'http://user:word@127.0.0.1:3128' };
      const twice = await cooper.context('twice', { Dockerfile: 'FROM base\nRUN echo $HTTP_PROXY\nRUN echo $http_proxy\n' });
      const local = await cooper.built(['--no-cache', ...(await localBase(cooper)), twice], { env });
      assert.equal(outputOf(local), 'http://user:word@127.0.0.1:3128\n'.repeat(2));
      assert.match(
        warnings(local).join('\n'),
        /^HTTP_PROXY names a proxy on this machine's loopback \("127\.0\.0\.1:3128"\)[^\n]*--network host$/,
      );
    });

    test('where the user may not open /dev/net/tun, they are on the machine’s, which is said once and by doctor', {
      skip: mode.name === 'root' ? 'root may' : false,
    }, async () => {
      const plain = installation.command.slice(installation.command.indexOf('setpriv')) as unknown as Installation['command'];
      const network = await machine(...ipv4);
      const folder = cleanup.use(await makeCooper(installation));
      const refused = await onMachine({ ...installation, command: plain }, network, folder.directory, { ownTun: true });
      const cooper = cleanup.use(await makeCooper(refused));
      const context = await cooper.context('two', { Dockerfile: 'FROM base\nRUN grep -c eth0 /proc/net/dev\nRUN ip -4 -o address\n' });
      const built = await cooper.built([...(await localBase(cooper)), context]);
      assert.match(outputOf(built), /192\.0\.2\.10/);
      assert.deepEqual(warnings(built), ['containers are on the machine\'s network: "/dev/net/tun" may not be opened by this user']);
      assert.match(
        await cooper.ok(['doctor']),
        /degraded +network: containers share the machine's: "\/dev\/net\/tun" may not be opened by this user\n +hint: give it mode 0666/,
      );
    });

    test('without CAP_NET_ADMIN they are on the machine’s, and --network=none still reaches nobody', {
      skip: mode.name === 'rootless' ? 'root of a user namespace has it' : false,
    }, async () => {
      const [command, ...rest] = installation.command;
      const less = ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-all', command, ...rest] as unknown as Installation['command'];
      const network = await machine(...ipv4);
      const cooper = cleanup.use(await makeCooper({ ...installation, command: [...network.prefix, ...less] }));
      const context = await cooper.context('none', {
        Dockerfile: 'FROM base\nRUN ip -4 -o address\nRUN --network=none tail -n +2 /proc/net/route; ls /sys/class/net\n',
      });
      // In a user namespace of its own it would have the right to set lo up.
      const built = await cooper.built(['--userns=host', ...(await localBase(cooper)), context]);
      assert.match(outputOf(built), /192\.0\.2\.10.*\nlo\n$/);
      assert.deepEqual(warnings(built), [
        "containers are on the machine's network: cooper has no right to make networks (CAP_NET_ADMIN)",
        'containers without network have no loopback either: cooper has no CAP_NET_ADMIN',
      ]);
    });

    test('ports are published, of TCP and UDP, where nobody else listens', async () => {
      const network = await machine(...ipv4);
      await serve(network, 'web', '192.0.2.10');
      const cooper = await on(network);
      const script =
        'nc -l -p 80 -e echo by TCP & /probe echo 53 & until grep -q :0050 /proc/net/tcp* && grep -q :0035 /proc/net/udp*; do sleep 0.1; done; echo up; wait';
      await compileProbe(cooper);
      const context = await cooper.context('look', {
        Dockerfile: `FROM base\nCOPY probe /\nCMD ${JSON.stringify(['sh', '-c', script])}\n`,
      });
      await cooper.built(['-t', 'served', ...(await localBase(cooper)), context]);
      const running = cooper.start(['run', '-p', '127.0.0.1::80', '-p', '192.0.2.10:5353:53/udp', 'served']);
      await running.says('of this machine');
      await running.says('up\n');
      const [first, ...rest] = network.prefix;
      const from = (...command: string[]): Promise<string> => tool(first, [...rest, ...command]);
      const ask =
        "s = require('dgram').createSocket('udp4').on('message', (m) => { console.log(m + ' back'); s.close(); }); s.send('there', 5353, '192.0.2.10')";
      assert.equal(await from(process.execPath, '-e', ask), 'there back\n');
      // The port is in the message, which is all that there is to know it by.
      const sockets = await from('ss', '-Hltn', 'src', '127.0.0.1');
      const port = /127\.0\.0\.1:(\d+)/.exec(sockets)?.[1];
      assert.equal(await from('sh', '-c', `busybox nc -w 5 127.0.0.1 ${port} </dev/null`), 'by TCP\n');
      const ended = await running.ended;
      assert.match(ended.stderr, new RegExp(`^port 80/tcp of the container is 127\\.0\\.0\\.1:${port} of this machine$`, 'm'));
      assert.equal(ended.status, 0, ended.stderr);
      const taken_ = await cooper.run(['run', '-p', '192.0.2.10:8080:80', 'served']);
      assert.match(
        taken_.stderr,
        /cannot publish port 80: listen on "192\.0\.2\.10:8080": Address (already )?in use.*\n.*hint: another program uses the port/,
      );
      const strange = await cooper.run(['run', '-p', '192.0.2.99:8080:80', 'served']);
      assert.match(strange.stderr, /hint: this machine does not have the address/);
    });

    test('nothing of it stays when the command has ended', async () => {
      const cooper = await on(await machine(...ipv4));
      const context = await cooper.context('long', { Dockerfile: 'FROM base\nRUN echo up; sleep 600\n' });
      const running = cooper.start(['build', '--progress', 'plain', ...(await localBase(cooper)), context]);
      await running.says(' up\n');
      const all = descendants(running.pid);
      assert.ok(all.some(({ name }) => name === 'slirp4netns'));
      await running.stop('SIGINT');
      assert.deepEqual(all.filter(isThere), []);
    });

    test('nothing of it stays when the worker is killed', async () => {
      const cooper = await on(await machine(...ipv4));
      const context = await cooper.context('long', { Dockerfile: 'FROM base\nRUN echo up; sleep 600\n' });
      const running = cooper.start(['build', '--progress', 'plain', ...(await localBase(cooper)), context]);
      await running.says(' up\n');
      const all = descendants(running.pid);
      const worker = all.find(({ pid, name }) => name === 'cooper-worker' && descendants(pid).some(({ name }) => name === 'slirp4netns'));
      assert.ok(worker);
      process.kill(worker.pid, 'SIGKILL');
      await gone(all);
      assert.notEqual((await running.ended).status, 0);
    });
  });
}
