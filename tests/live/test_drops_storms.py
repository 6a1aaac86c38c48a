"""A storm of drops in one network namespace is counted there, and takes nothing from the lines of another."""
import unittest

from drops import DropTest, drops
from harness import Namespace, core

# Only what goes to this port counts towards the rates of this trace: tests beside it lose packets as well.
PORT = 4299
PLACES = 64  # for the rates of namespaces, by the low bits of their numbers: DROPS_RATES
RATE = 200  # lines a second, in ticks of 100 ms: one tick's share is just enough for all that the quiet one loses
LOST = 20
STORM = 200  # in the noisy namespace before each packet that the quiet one loses


class Storms(DropTest):
    def quiet_namespace(self):
        """Another one than the test's own, that does not share its place. Their numbers mostly follow one another."""
        while True:
            ns = Namespace()
            self.addCleanup(ns.close)
            if (ns.inode - self.ns.inode) % PLACES:
                return ns

    def lose(self, sender, count):
        for _ in range(count):
            sender.sendto(b"x", ("127.0.0.1", PORT))

    @core
    def test_takes_no_other_namespace_its_lines(self):
        quiet = self.quiet_namespace()
        noisy_sender, quiet_senders = self.udp(), [self.udp(quiet) for _ in range(LOST)]
        before = self.counter("UdpNoPorts"), self.counter("UdpNoPorts", quiet)
        with drops("--type", "drop", "--port", str(PORT), "--max-rate", str(RATE)) as plumb:
            for sender in quiet_senders:
                self.lose(noisy_sender, STORM)
                self.lose(sender, 1)
        lost = self.counter("UdpNoPorts") - before[0], self.counter("UdpNoPorts", quiet) - before[1]
        self.assertEqual(lost, (STORM * LOST, LOST))
        noisy, spared = self.here(plumb.lines), self.here(plumb.lines, quiet)
        self.assertEqual(self.total(noisy), STORM * LOST)
        self.assertTrue([e for e in noisy if e["count"] > 1 and e["src"] is None], "there was no storm")
        self.assertEqual(sorted(e["src_port"] for e in spared), sorted(s.getsockname()[1] for s in quiet_senders))
        for line in spared:
            self.assertPacket(line, src="127.0.0.1", dst="127.0.0.1", dst_port=PORT, protocol="udp", dev="lo",
                              direction="in", count=1)
            self.assertReason(line, "NO_SOCKET")
        self.assertNothingLost(plumb.lines)


if __name__ == "__main__":
    unittest.main()
