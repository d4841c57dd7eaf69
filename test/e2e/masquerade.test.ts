import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type Cooper, makeCooper, type Running } from '../support/cooper.ts';
import { outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';
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
import { descendants, gone } from '../support/processes.ts';
import { tool } from '../support/tools.ts';

// The uplink of root by nftables, on a machine of the test's own that forwards packets to a world of the test's own.

const [root] = modes;

const [address, wayOut] = ipv4;
/** A question for the A record of `name.test` by TCP, after its length, in printf's words. */
const question = '\\000\\033\\022\\064\\001\\000\\000\\001\\000\\000\\000\\000\\000\\000\\004name\\004test\\000\\000\\001\\000\\001';
const resolve = `cat /etc/resolv.conf; nslookup -type=a name.test | grep -c 192.0.2.77; printf '${question}' | nc 10.0.2.3 53 | tail -c4 | od -An -tu1`;
const dropAll = "nft add table ip wall; nft 'add chain ip wall forward { type filter hook forward priority 0; policy drop; }'";
/** Has the name `cooper-` and three bytes of the network. */
const traces = '{ ip -o link; ip route; nft list tables; } | grep cooper- || true';
const serve = 'mkdir /web; echo "a container" >/web/index.html; httpd -p 8080 -h /web';

describe('the uplink by nftables', { concurrency: false, skip: root?.reason ?? false }, () => {
  const cleanup = new AsyncDisposableStack();
  /** Knows no way to networks of containers: what it answers must have come from the machine's address. */
  let world: MachineNetwork;
  let machine: MachineNetwork;
  let cooper: Cooper;
  let base: readonly string[];

  before(async () => {
    world = await machineNetworkOf('ip link del eth0', 'ip address add 203.0.113.5/32 dev lo');
    machine = await machineNetworkOf(address, wayOut, forwarding, 'ip link set eth0 mtu 1400', `ip link set nowhere netns ${world.pid}`);
    await inside(world, 'ip address add 192.0.2.1/24 dev nowhere; ip link set nowhere up');
    cleanup.use(await startThere(world, 'small-servers.ts', ['web', '203.0.113.5']));
    cleanup.use(await startThere(world, 'small-servers.ts', ['names', '192.0.2.1']));
    cleanup.use(await startThere(machine, 'small-servers.ts', ['web', '127.0.0.1', '192.0.2.10']));
    cooper = await on(machine);
    base = await localBase(cooper);
  });

  after(() => cleanup.disposeAsync());

  const machineNetworkOf = async (...commands: string[]): Promise<MachineNetwork> => cleanup.use(await machineNetwork(commands));

  const inside = (network: MachineNetwork, script: string): Promise<string> => within(network, 'sh', '-ec', script);

  /** How many connections of TCP others have opened there. Source: RFC 1213, tcpPassiveOpens. */
  const connectionsTo = async (network: MachineNetwork): Promise<number> =>
    Number(await inside(network, "awk '/^Tcp: [0-9]/ { print $7 }' /proc/net/snmp"));

  async function on(network: MachineNetwork, resolvConf = 'nameserver 192.0.2.1\n'): Promise<Cooper> {
    const installation = cleanup.use(await (root as NonNullable<typeof root>).install());
    const { directory } = cleanup.use(await makeCooper(installation));
    return cleanup.use(await makeCooper(await onMachine(installation, network, directory, { resolvConf })));
  }

  async function outputFrom(...lines: string[]): Promise<string> {
    const context = await cooper.context('look', { Dockerfile: ['FROM base', ...lines, ''].join('\n') });
    return outputOf(await cooper.built(['--no-cache', ...base, context]));
  }

  /** A build with containers side by side that run this, and stay. */
  async function staying(name: string, count: number, script: string): Promise<Running & { readonly networks: MachineNetwork[] }> {
    const stages = Array.from({ length: count }, (_, each) => `FROM base AS s${each}\nRUN ${script}; echo up ${each}; exec sleep 600\n`);
    const copies = stages.map((_, each) => `COPY --from=s${each} / /${each}/\n`);
    const context = await cooper.context(name, { Dockerfile: [...stages, 'FROM base\n', ...copies].join('') });
    const running = cooper.start(['build', '--no-cache', '--progress', 'plain', ...base, context]);
    await Promise.all(stages.map((_, each) => running.says(` up ${each}\n`)));
    // A shell has said `up` a moment before it is `sleep`.
    const networks = (await sleepers(running, count)).map((pid) => networkOf(pid));
    return Object.assign(running, { networks });
  }

  const addressOf = async (network: MachineNetwork): Promise<string> =>
    (await inside(network, "ip -4 -o address show eth0 | sed 's/.*inet \\([0-9.]*\\).*/\\1/'")).trim();

  const ask = (network: MachineNetwork, url: string): Promise<string> => inside(network, `curl -sm 2 --noproxy "*" ${url} || echo nobody`);

  test('the world is reached by the machine’s address, and names are asked of the machine’s servers', async () => {
    assert.match(await cooper.ok(['doctor']), /^ok +network: one namespace per container, uplink by nftables$/m);
    const script = 'wget -qO- http://203.0.113.5:8080/; nslookup -type=a name.test | grep -c 192.0.2.77; cat /etc/resolv.conf';
    assert.equal(await outputFrom(`RUN ${script}`), 'web / IPv4 from elsewhere\n1\nnameserver 192.0.2.1\n');
  });

  test('packets are as long as the machine’s way out takes, those to the machine itself as long as they may be', async () => {
    const running = await staying('long', 1, 'true');
    const [network] = running.networks as [MachineNetwork];
    const connect = 'exec 3<>/dev/tcp/203.0.113.5/8080 4<>/dev/tcp/192.0.2.10/8080; ss -Htin | grep -o "advmss:[0-9]*" | sort';
    // The lengths of the link (1400) and of slirp4netns's advice (65520), less 20 of IPv4, 20 of TCP and 12 of its time stamps.
    assert.equal(await inside(network, `bash -c '${connect}'`), 'advmss:1348\nadvmss:65468\n');
    // A datagram is cut before it is sent: had the machine to say that it is too long, the first one would be lost.
    await using server = await startThere(world, 'small-servers.ts', ['lengths', '203.0.113.5']);
    assert.ok(server);
    const ask =
      'exec 3<>/dev/udp/203.0.113.5/5005; head -c 4000 /dev/zero | dd bs=4000 iflag=fullblock status=none >&3; timeout 5 head -n1 <&3';
    assert.equal(await inside(network, `bash -c '${ask}'`), '4000\n');
    await running.stop('SIGTERM');
  });

  test('the machine’s addresses are reached, its loopback is not', async () => {
    const running = await staying('loopback', 1, 'true');
    const [network] = running.networks as [MachineNetwork];
    assert.equal(await ask(network, 'http://192.0.2.10:8080/'), 'web / IPv4 from elsewhere\n');
    // More than a container may do: 127.0.0.1 is looked for outside.
    assert.equal(await ask(network, 'http://127.0.0.1:8080/'), 'nobody\n');
    // Its end of the pair is another way to the machine.
    const gateway = (await addressOf(network)).replace(/\d+$/, '2');
    assert.equal(await ask(network, `http://${gateway}:8080/`), 'nobody\n');
    await running.stop('SIGTERM');
  });

  test('nobody begins to talk to a container: neither another, of this build or another, nor the machine', async () => {
    const builds = [await staying('one', 2, serve), await staying('other', 1, serve)] as const;
    const [target, beside, other] = builds.flatMap(({ networks }) => networks) as [MachineNetwork, MachineNetwork, MachineNetwork];
    const [at, there] = await Promise.all([addressOf(target), addressOf(other)]);
    assert.notEqual(at.replace(/\d+$/, ''), there.replace(/\d+$/, ''), 'two builds have two networks');
    assert.equal(await ask(target, `http://${at}:8080/`), 'a container\n');
    await inside(beside, `ip route add ${at}/32 via ${at.replace(/\d+$/, '2')}`);
    const tried = [other, machine, beside].map((network) => ask(network, `http://${at}:8080/`));
    assert.deepEqual(await Promise.all(tried), ['nobody\n', 'nobody\n', 'nobody\n']);
    await inside(beside, `ip route del ${at}/32`);
    assert.equal(await ask(beside, `http://${at}:8080/`), 'nobody\n', 'on the bridge itself');
    await Promise.all(builds.map((each) => each.stop('SIGTERM')));
  });

  test('nothing of it stays when the worker is killed', async () => {
    const running = await staying('killed', 1, 'true');
    assert.match(await inside(machine, traces), /cooper-[\s\S]*cooper-[\s\S]*table ip cooper-/);
    const all = descendants(running.pid);
    const worker = all.find(({ pid, name }) => name === 'cooper-worker' && descendants(pid).some(({ name }) => name === 'sleep'));
    assert.ok(worker);
    assert.ok(!all.some(({ name }) => name === 'slirp4netns'));
    process.kill(worker.pid, 'SIGKILL');
    await gone(all);
    // The kernel takes interfaces of a namespace away in its own time; that they stay is the failure.
    while ((await inside(machine, traces)) !== '') await setTimeout(50);
  });

  test('a server that only the machine’s loopback reaches is asked by the uplink’s resolver, by UDP and TCP', async () => {
    const network = await machineNetworkOf(address, wayOut, forwarding);
    cleanup.use(await startThere(network, 'small-servers.ts', ['names', '127.0.0.1', '::1']));
    for (const server of ['127.0.0.1', '::1']) {
      const other = await on(network, `nameserver ${server}\nsearch example.test\n`);
      assert.match(await other.ok(['doctor']), /uplink by nftables$/m);
      const context = await other.context('names', { Dockerfile: `FROM base\nRUN ${resolve}\n` });
      const built = await other.built(['--no-cache', ...(await localBase(other)), context]);
      assert.equal(outputOf(built), 'nameserver 10.0.2.3\nsearch example.test\n1\n 192   0   2  77\n', server);
    }
  });

  for (const { name, commands, says, from } of [
    { name: 'does not forward', commands: [], says: 'nftables, with IPv6 by slirp4netns', from: '2001:db8::10' },
    { name: 'forwards', commands: [forwarding6], says: 'nftables, with IPv6', from: '2001:db8::10' },
    {
      name: 'would forward, but for its firewall,',
      commands: [forwarding6, dropAll.replaceAll('ip wall', 'ip6 wall')],
      says: 'nftables, with IPv6 by slirp4netns',
      from: '2001:db8::10',
    },
  ]) {
    test(`IPv6 is there too on a machine that ${name} it`, async () => {
      const far = await machineNetworkOf('ip link del eth0', 'ip address add 2001:db8:5::5/128 dev lo nodad');
      const network = await machineNetworkOf(address, wayOut, forwarding, ...ipv6, ...commands, `ip link set nowhere netns ${far.pid}`);
      await inside(far, 'ip address add 192.0.2.1/24 dev nowhere; ip address add 2001:db8::1/64 dev nowhere nodad; ip link set nowhere up');
      cleanup.use(await startThere(far, 'small-servers.ts', ['who', '2001:db8:5::5', '192.0.2.1']));
      const other = await on(network);
      assert.match(await other.ok(['doctor']), new RegExp(`uplink by ${says}$`, 'm'));
      const ask = 'wget -qO- "http://[2001:db8:5::5]:8080/"; wget -qO- http://192.0.2.1:8080/';
      const context = await other.context('six', { Dockerfile: `FROM base\nRUN ${ask}\n` });
      const built = await other.built(['--no-cache', ...(await localBase(other)), context]);
      assert.equal(outputOf(built), `${from}\n192.0.2.10\n`);
      // Each was asked once: by one way out, not by both.
      assert.equal(await connectionsTo(far), 2);
    });
  }

  test('without slirp4netns, where the machine does not forward IPv6, there is none, and doctor says why', async () => {
    const network = await machineNetworkOf(address, wayOut, forwarding, ...ipv6);
    const other = await on(network);
    const bin = join(other.directory, 'bin');
    await mkdir(bin);
    const words = [
      'nsenter',
      'unshare',
      'sh',
      'mount',
      'mkdir',
      'dirname',
      'readlink',
      'cp',
      'touch',
      'grep',
      'uname',
      'ldd',
      'tar',
      'env',
    ];
    const found = await Promise.all(words.map((word) => tool('sh', ['-c', `command -v ${word}`])));
    await Promise.all(found.map((path) => symlink(path.trim(), join(bin, basename(path.trim())))));
    await symlink(process.execPath, join(bin, 'node'));
    const said = await other.ok(['doctor'], { env: { PATH: bin } });
    assert.match(said, /uplink by nftables, without IPv6: "slirp4netns" is not installed$/m);
  });

  for (const { name, commands, why } of [
    { name: 'which forwards nothing', commands: [address, wayOut], why: /does not forward packets/ },
    { name: 'whose firewall drops', commands: [address, wayOut, forwarding, dropAll], why: /a firewall drops what this machine forwards/ },
    {
      name: 'whose firewall lets only TCP through',
      commands: [address, wayOut, forwarding, dropAll, 'nft add rule ip wall forward ip protocol tcp accept'],
      why: /a firewall drops what this machine forwards/,
    },
    { name: 'without a way out', commands: [address, forwarding], why: /no default route/ },
  ]) {
    test(`on a machine ${name} it is slirp4netns, and doctor says why`, async () => {
      const other = await on(await machineNetworkOf(...commands));
      const said = /^ok +network: .*uplink by slirp4netns.*; not by nftables: (.*)$/m.exec(await other.ok(['doctor']));
      assert.match(said?.[1] ?? '', why);
    });
  }
});
