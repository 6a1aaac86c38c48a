"""The executable itself: loaded at another address each time, nothing both writable and executable."""
import subprocess

from harness import PLUMB, Plumb, needs
from tcpconnect import TcpTest


def readelf(*args):
    return subprocess.run(["readelf", "-W", *args, PLUMB], check=True, capture_output=True, text=True).stdout


@needs("readelf")
class Executable(TcpTest):
    def setUp(self):
        super().setUp()
        if "INTERP" in readelf("-l"):
            self.skipTest("not the static executable")

    def test_it_is_position_independent_and_read_only_after_relocation(self):
        self.assertRegex(readelf("-h"), r"Type:\s+DYN")
        segments = readelf("-l")
        self.assertIn("GNU_RELRO", segments)
        self.assertRegex(segments, r"GNU_STACK .* RW ")
        self.assertNotRegex(segments, r"(LOAD|GNU_STACK) .* RWE ")
        dynamic = readelf("-d")
        self.assertIn("NOW", dynamic)
        self.assertNotIn("TEXTREL", dynamic)

    def test_each_run_lies_elsewhere(self):
        bases = set()
        for _ in range(3):
            with Plumb("tcpconnect", "--netns", self.ns.path) as plumb:
                with open(f"/proc/{plumb.process.pid}/maps") as f:
                    bases.add(f.readline().split("-")[0])
        self.assertGreater(len(bases), 1)
