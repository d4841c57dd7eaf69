import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type Cooper, makeCooper } from '../support/cooper.ts';
import { type Mode, modes } from '../support/modes.ts';
import {
  forwarding,
  forwarding6,
  ipv4,
  ipv6,
  localBase,
  type MachineNetwork,
  machineNetwork,
  networkOf,
  onMachine,
  sleepers,
  startThere,
  within,
} from '../support/network.ts';

// What a hostile step may send, tried with more rights than it has: the test enters its network as the machine's root.

const forge = join(import.meta.dirname, '../support/forge.py');
/** As Kubernetes sets it: packets for 127.0.0.0/8 may come from elsewhere. */
const routeLocalnet = 'echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet; echo 1 >/proc/sys/net/ipv4/conf/default/route_localnet';

const [root] = modes;
const ways: readonly {
  readonly name: string;
  readonly mode: Mode | undefined;
  readonly commands: readonly string[];
  readonly by: RegExp;
}[] = [
  ...modes.map((mode) => ({
    name: `slirp4netns as ${mode.name}`,
    mode,
    commands: [...ipv4, ...ipv6],
    by: /uplink by slirp4netns, with IPv6/,
  })),
  {
    name: 'nftables',
    mode: root,
    commands: [...ipv4, ...ipv6, forwarding, forwarding6, routeLocalnet],
    by: /uplink by nftables, with IPv6$/m,
  },
];

interface Step extends MachineNetwork {
  readonly address: string;
  readonly address6: string;
  readonly station: string;
}

for (const { name, mode, commands, by } of ways) {
  describe(`attacks on the network by ${name}`, { concurrency: false, skip: mode?.reason ?? false }, () => {
    const cleanup = new AsyncDisposableStack();
    let shared: Promise<{ machine: MachineNetwork; attacker: Step; victim: Step }> | undefined;

    after(() => cleanup.disposeAsync());

    /** Two steps of one build, side by side, on a machine with services. */
    function steps(resolvConf = 'nameserver 127.0.0.1\n'): NonNullable<typeof shared> {
      shared ??= (async () => {
        const machine = cleanup.use(await machineNetwork(commands));
        cleanup.use(await startThere(machine, 'small-servers.ts', ['web', '192.0.2.10', '127.0.0.1', '::1', '2001:db8::10']));
        const installation = cleanup.use(await (mode as Mode).install());
        const { directory } = cleanup.use(await makeCooper(installation));
        const cooper = cleanup.use(await makeCooper(await onMachine(installation, machine, directory, { resolvConf })));
        assert.match(await cooper.ok(['doctor']), by);
        const [attacker, victim] = await two(cooper);
        return { machine, attacker, victim };
      })();
      return shared;
    }

    async function two(cooper: Cooper): Promise<[Step, Step]> {
      const serve = 'mkdir /web; echo "a container" >/web/index.html; httpd -p 8080 -h /web; exec sleep 600';
      const Dockerfile = `FROM base AS a\nRUN ${serve}\nFROM base AS b\nRUN : another; ${serve}\nFROM base\nCOPY --from=a / /a\nCOPY --from=b / /b\n`;
      const context = await cooper.context('two', { Dockerfile });
      const running = cooper.start(['build', '--no-cache', '--progress', 'plain', ...(await localBase(cooper)), context]);
      cleanup.defer(async () => void (await running.stop('SIGTERM')));
      const pids = await sleepers(running, 2);
      return Promise.all(pids.map(stepOf)) as Promise<[Step, Step]>;
    }

    test('what is for another step does not come to one that says to be it', async () => {
      const { attacker, victim } = await steps();
      const thief = within(attacker, 'python3', forge, 'steal', victim.address, victim.station, '1.5', victim.address6);
      const urls = ['http://192.0.2.10:8080/', 'http://[2001:db8::10]:8080/'];
      const answers = new Set<string>();
      for (let round = 0; round < 5; round += 1) {
        for (const url of urls) answers.add(await ask(victim, url));
        await setTimeout(100);
      }
      assert.equal((await thief).trim(), '0');
      assert.deepEqual(
        [...answers].sort(),
        by.source.includes('slirp') ? ['web / IPv4\n', 'web / IPv6\n'] : ['web / IPv4 from elsewhere\n', 'web / IPv6 from elsewhere\n'],
      );
    });

    test('nothing leaves with a source that is not its own, and nothing comes to the loopback by hand', async () => {
      const { machine, attacker, victim } = await steps();
      const heard: string[] = [];
      cleanup.use(await listening(machine, heard, 'udp', '192.0.2.10', '127.0.0.1', '2001:db8::10', '::1'));
      const gateways = [await gatewayStation(attacker, '2'), await gatewayStation(attacker, '2', true)] as const;
      const attacks = [
        ...[victim.address, '127.0.0.1', '203.0.113.9', '192.0.2.10'].map((source) => [source, '192.0.2.10']),
        ...[victim.address6, '::1', '2001:db8:9::9', '2001:db8::10'].map((source) => [source, '2001:db8::10']),
        ...['127.0.0.1', '127.3.2.1', '0.0.0.0'].map((loopback) => [attacker.address, loopback]),
        ...['::1', '::', '::ffff:127.0.0.1', '::127.0.0.1'].map((loopback) => [attacker.address6, loopback]),
      ];
      // What may pass comes last: when it is there, all that was sent before it has been judged.
      const allowed = [
        [attacker.address, '192.0.2.10'],
        [attacker.address6, '2001:db8::10'],
      ];
      const packets = [...attacks, ...allowed].map(([source = '', to]) => `${source},${to},${gateways[source.includes(':') ? 1 : 0]}`);
      await within(attacker, 'python3', forge, 'datagrams', ...packets);
      const told = allowed.map(([source, destination]) => `${source} to ${destination}\n`);
      while (!told.every((line) => heard.join('').includes(line))) await setTimeout(20);
      assert.deepEqual(heard.join('').trim().split('\n').sort(), told.map((line) => line.trim()).sort());
    });

    test('a step does not hear what another says to everybody', async () => {
      const { attacker, victim } = await steps();
      const [there, here]: [string[], string[]] = [[], []];
      cleanup.use(await listening(victim, there, 'groups'));
      cleanup.use(await listening(attacker, here, 'groups'));
      await within(attacker, 'python3', forge, 'shout', '5353');
      // Its own group hears it, so that it was said.
      while (here.join('') === '') await setTimeout(20);
      await setTimeout(100);
      assert.equal(there.join(''), '');
    });

    test('no address of the uplink leads to the machine’s loopback, or to another step', async () => {
      const { attacker, victim } = await steps();
      const net = attacker.address.replace(/\d+$/, '');
      const net6 = attacker.address6.replace(/::.*/, '::');
      const hosts = [`${net}2`, `${net}3`, `[${net6}2]`, `[${net6}3]`, '127.0.0.1', '[::1]', victim.address, `[${victim.address6}]`];
      const tried = await Promise.all(hosts.map((host) => ask(attacker, `http://${host}:8080/`, '1')));
      const own = 'a container\n';
      assert.deepEqual(
        tried,
        hosts.map((host) => (host === '127.0.0.1' || host === '[::1]' ? own : 'nobody\n')),
      );
      // By the gateway and the resolver as routers.
      for (const router of [`${net}2`, `${net}3`]) {
        await within(attacker, 'ip', 'route', 'replace', `${victim.address}/32`, 'via', router);
        assert.equal(await ask(attacker, `http://${victim.address}:8080/`, '1'), 'nobody\n', router);
      }
      await within(attacker, 'ip', 'route', 'del', `${victim.address}/32`);
    });
  });
}

const curl = ['curl', '-sf', '--noproxy', '*', '-m'] as const;

const ask = (network: MachineNetwork, url: string, seconds = '5'): Promise<string> =>
  within(network, ...curl, seconds, url).catch(() => 'nobody\n');

async function stepOf(pid: number): Promise<Step> {
  const network = networkOf(pid);
  const [link] = JSON.parse(await within(network, 'ip', '-json', 'address', 'show', 'eth0'));
  const global = (family: string): string =>
    link.addr_info.find((each: { family: string; scope: string }) => each.family === family && each.scope === 'global')?.local ?? '';
  return { ...network, address: global('inet'), address6: global('inet6'), station: link.address };
}

/** Where frames for an address of the uplink go; asked for by a packet to it. */
async function gatewayStation(step: Step, last: string, six = false): Promise<string> {
  const gateway = (six ? step.address6 : step.address).replace(/[^.:]+$/, last);
  await ask(step, six ? `http://[${gateway}]:9/` : `http://${gateway}:9/`);
  const said = await within(step, 'ip', 'neigh', 'show', gateway);
  return /lladdr (\S+)/.exec(said)?.[1] ?? '';
}

/** Adds to `heard` what datagrams say. */
const listening = (network: MachineNetwork, heard: string[], ...args: readonly string[]): Promise<AsyncDisposable> =>
  startThere(network, 'small-servers.ts', args, (text) => void heard.push(text));
