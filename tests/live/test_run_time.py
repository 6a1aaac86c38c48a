"""How a run spends its time while nothing happens, and which time it is in a time namespace."""
import contextlib
import os
import time
import unittest

from drops import drops
from harness import Plumb, alone, core, needs, parse_time_ns
from tcpconnect import TcpTest, tcpconnect

QUIET = 1.0  # seconds after which a run sleeps for longer
TURN, SLEEP = 0.05, 0.5


def sleeps(pid):
    """How often its threads have gone to sleep."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("voluntary_ctxt_switches"))
    return total


class Idle(TcpTest):
    def quiet_tools(self):
        yield "tcpconnect", tcpconnect("--no-names", "--netns", self.ns.path)
        yield "drops", drops("--netns", self.ns.path)
        yield "httptrace", Plumb("httptrace", "-p", str(self.ns.pid))  # programs that start elsewhere would wake it
        yield "dnsx", Plumb("dnsx", "--netns", self.ns.path)

    @alone("each program that starts anywhere wakes what waits for new ones")
    def test_two_wake_ups_a_second(self):
        with contextlib.ExitStack() as stack:
            tools = [(name, stack.enter_context(plumb).process.pid) for name, plumb in self.quiet_tools()]
            time.sleep(2 * QUIET)
            before, started = [sleeps(pid) for _, pid in tools], time.monotonic()
            time.sleep(4)
            rates = {name: (sleeps(pid) - n) / (time.monotonic() - started) for (name, pid), n in zip(tools, before)}
        for name, rate in rates.items():
            self.assertLess(rate, 1 / TURN / 4, rates)

    def test_an_event_ends_the_sleep(self):
        port, took = self.listener().getsockname()[1], []
        with tcpconnect("--netns", self.ns.path) as plumb:
            for n in range(1, 4):
                time.sleep(QUIET + 2 * SLEEP)
                self.program("connect", address="127.0.0.1", port=port, count=1).rest()
                started = time.monotonic()
                plumb.wait_for(lambda lines: len(lines) >= n, "the connect")
                took.append(time.monotonic() - started)
        self.assertLess(min(took), SLEEP / 2, took)


@needs("unshare")
class TimeNamespace(TcpTest):
    PREFIX = ("unshare", "--fork", "--kill-child", "--time", "--boottime", "1000000", "--monotonic", "500000")

    def setUp(self):
        super().setUp()
        if not os.path.exists("/proc/self/timens_offsets"):
            self.skipTest("this kernel has no time namespaces")

    @core
    def test_times_are_the_machines(self):
        listener = self.listener()
        # Without a fork older kernels would leave plumb where it is, and let it make no thread. unshare passes no signal on.
        with tcpconnect("--netns", self.ns.path, "-n", "1", prefix=self.PREFIX) as plumb:
            before = time.time_ns()
            self.program("connect", address="127.0.0.1", port=listener.getsockname()[1], count=1).rest()
            after = time.time_ns()
            plumb.finish()
        line = self.one(plumb.lines, type="connect")
        self.assertLess(before - 10**9, parse_time_ns(line["time"]))
        self.assertLess(parse_time_ns(line["time"]), after + 10**9)
        self.assertTrue(line["exe"], "the start of a process in /proc is the namespace's, too")


if __name__ == "__main__":
    unittest.main()
