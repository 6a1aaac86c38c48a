"""What the live tests of drops share: the promised keys, and a test with counters of the kernel."""
import os
import re
import socket
import struct

from harness import SHARED_KEYS, LiveTest, Plumb

EVENT_KEYS = SHARED_KEYS | {
    "reason", "subsystem", "hint", "location", "protocol", "src", "src_port", "dst", "dst_port", "tcp_flags",
    "length_bytes", "dev", "direction", "state", "owner_source", "stack", "count"}
KEYS = {
    "drop": EVENT_KEYS | {"inner_protocol", "inner_src", "inner_src_port", "inner_dst", "inner_dst_port"},
    "retransmit": EVENT_KEYS | {"kind", "sequence", "srtt_ms", "retransmits", "cause", "cause_location",
                                "cause_certainty", "cause_age_ms"},
    "reset": EVENT_KEYS,
    "counter": SHARED_KEYS | {"hint", "dev", "counter", "delta"},
}
COMM = open("/proc/self/comm").read().strip()
RELEASE = tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())
HAS_REASONS = RELEASE >= (5, 17)
HAS_RESET_REASONS = RELEASE >= (6, 10)


def drops(*args, **options):
    return Plumb("drops", *args, keys=KEYS, **options)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(source, destination, protocol, payload, ttl=64, fragment=0):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, fragment, ttl, protocol, 0,
                         socket.inet_aton(source), socket.inet_aton(destination))
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


class DropTest(LiveTest):
    """LiveTest with counters of the kernel and sockets in namespaces."""

    def udp(self, ns=None, family=socket.AF_INET):
        with (ns or self.ns).inside():
            s = socket.socket(family, socket.SOCK_DGRAM)
        self.addCleanup(s.close)
        return s

    def tcp(self, ns=None, family=socket.AF_INET):
        with (ns or self.ns).inside():
            s = socket.socket(family, socket.SOCK_STREAM)
        self.addCleanup(s.close)
        return s

    def counter(self, name, ns=None):
        """One of nstat's counters in the namespace."""
        with (ns or self.ns).inside():
            for file in ("snmp", "netstat"):
                with open(f"/proc/thread-self/net/{file}") as f:
                    lines = f.read().splitlines()
                for names, numbers in zip(lines[::2], lines[1::2]):
                    group = names.split(":")[0]
                    table = dict(zip(names.split()[1:], numbers.split()[1:]))
                    if name.startswith(group) and name[len(group):] in table:
                        return int(table[name[len(group):]])
            with open("/proc/thread-self/net/snmp6") as f:
                for line in f:
                    if line.split()[0] == name:
                        return int(line.split()[1])
        raise AssertionError(f"the kernel has no counter {name}")

    def here(self, lines, ns=None, **fields):
        inode = (ns or self.ns).inode
        return [e for e in lines if e.get("netns") == inode and all(e.get(k) == v for k, v in fields.items())]

    def total(self, lines):
        return sum(e["count"] for e in lines)

    def delta(self, lines, counter, ns=None, dev=None):
        return sum(e["delta"] for e in self.here(lines, ns, type="counter", counter=counter, dev=dev))

    def assertReason(self, line, *names):
        """One of these on kernels with reasons; null before."""
        self.assertIn(line["reason"], names if HAS_REASONS else (None,), line)

    def assertPacket(self, line, **fields):
        for key, value in fields.items():
            self.assertEqual(line[key], value, (key, line))

    def assertMine(self, line, source=None):
        self.assertEqual((line["pid"], line["comm"], line["uid"]), (os.getpid(), COMM, 0), line)
        if source:
            self.assertIn(line["owner_source"], source, line)
