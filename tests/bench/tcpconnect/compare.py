#!/usr/bin/env python3
"""What tcpconnect costs beside libbpf-tools' tcplife and beside no tracer, in one table of medians and ratios.

    sudo tests/bench/tcpconnect/compare.py [--rounds 7] [--connections 20000] [--check]

Every round runs each tracer once, so that what the machine does meanwhile meets all of them alike. `churn` makes the
connections; "added" is its wall time a connection above the untraced runs of the same rounds. The tracer's own CPU is
the scheduler's count of its threads while the connections were made. Starts are timed by themselves, interleaved as
well: until the ready file (tcplife and bpftrace: until their first line). --check fails when a promise is broken:
+8 us, 30 MB, 25 ms. PLUMB names the executable.
"""
import argparse
import os
import pty
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
PLUMB = os.environ.get("PLUMB", os.path.join(ROOT, "build/plumb"))
os.environ["PATH"] += ":/usr/sbin:/sbin"
NAP = 0.0002


def on_ready_file(command):
    """Starts plumb; its process and the seconds until every probe was attached."""
    ready = os.path.join(tempfile.mkdtemp(prefix="plumb-bench-"), "ready")
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--ready-file", ready], stdout=subprocess.DEVNULL)
    while not os.path.exists(ready):
        if process.poll() is not None:
            sys.exit(f"{command} ended, status {process.returncode}")
        time.sleep(NAP)
    took = time.perf_counter() - started
    shutil.rmtree(os.path.dirname(ready))
    return process, took


def on_first_line(command):
    """Starts a tracer on a terminal of its own, which makes it write its heading at once. Its lines then go to a file
    that nobody reads, as plumb's go to /dev/null."""
    ours, theirs = pty.openpty()
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    os.read(ours, 1)
    took = time.perf_counter() - started
    drain = subprocess.Popen(["cat"], stdin=ours, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(ours)
    process.drain = drain
    return process, took


def cpu_ns(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as f:
            total += int(f.read().split()[0])
    return total


def peak_rss_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))


def stop(process):
    process.send_signal(signal.SIGINT)
    process.wait()
    if hasattr(process, "drain"):
        process.drain.wait()


def quiet(command):
    """As on_first_line, but then it writes to /dev/null like plumb."""
    process, took = on_first_line(command)
    stop(process)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(2 * took + 0.1)  # it gives no sign without a terminal
    return process


def plumb(*options):
    return on_ready_file([PLUMB, "tcpconnect", "--json", *options])


def tracers():
    found = {
        "none": None,
        "plumb": lambda: plumb("--no-names")[0],
        "plumb with names": lambda: plumb()[0],
        "plumb both+life": lambda: plumb("--role", "both", "--life")[0],
        "plumb summary": lambda: plumb("--role", "both", "--life", "--summary")[0],
    }
    if shutil.which("tcplife"):
        found["tcplife"] = lambda: quiet(["tcplife"])
    else:
        print("tcplife is not installed (Debian: libbpf-tools): left out")
    return found


def start_once(start):
    process, took = start()
    stop(process)
    return took


def bpftrace_start():
    program = 'tracepoint:sock:inet_sock_set_state { @ = count(); } interval:ms:1 { printf("x\\n"); exit(); }'
    started = time.perf_counter()
    process = subprocess.Popen(["bpftrace", "-q", "-B", "none", "-e", program], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    process.stdout.readline()
    took = time.perf_counter() - started
    process.wait()
    process.stdout.close()
    return took


def start_times(rounds):
    """Milliseconds from the start of each tracer until it traces, by its name."""
    starts = {"plumb": lambda: start_once(lambda: plumb("--no-names")),
              "plumb with names": lambda: start_once(plumb),
              "plumb both+life": lambda: start_once(lambda: plumb("--role", "both", "--life"))}
    if shutil.which("tcplife"):
        starts["tcplife"] = lambda: start_once(lambda: on_first_line(["tcplife"]))
    if shutil.which("bpftrace"):
        starts["bpftrace, one probe"] = bpftrace_start
    times = {name: [] for name in starts}
    for _ in range(rounds):
        for name, start in starts.items():
            times[name].append(1000 * start())
    return times


def with_tracefs():
    """Starts this program anew with tracefs mounted for itself alone; the other tracers need it, plumb does not."""
    if os.path.exists("/sys/kernel/tracing/events") or os.environ.get("PLUMB_BENCH_MOUNTED"):
        return
    os.environ["PLUMB_BENCH_MOUNTED"] = "1"
    script = ('mount -t tracefs tracefs /sys/kernel/tracing && mount -t debugfs debugfs /sys/kernel/debug; '
              'exec "$@"')
    os.execvp("unshare", ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, *sys.argv])


def main():
    with_tracefs()
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--connections", type=int, default=20000)
    options.add_argument("--check", action="store_true")
    options = options.parse_args()

    with tempfile.TemporaryDirectory(prefix="plumb-bench-") as directory:
        churn = os.path.join(directory, "churn")
        subprocess.run(["cc", "-O2", "-o", churn, os.path.join(os.path.dirname(__file__), "churn.c")], check=True)
        runs = {name: {"ns": [], "cpu": [], "rss": []} for name in tracers()}
        subprocess.run([churn, "2000"], check=True, stdout=subprocess.DEVNULL)  # warm up
        for _ in range(options.rounds):
            for name, start in tracers().items():
                process = start() if start else None
                before = cpu_ns(process.pid) if process else 0
                # A namespace of its own: sockets in TIME_WAIT of earlier runs must not slow or reset later ones.
                out = subprocess.run(["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", churn,
                                      str(options.connections)], check=True, capture_output=True, text=True)
                if process:
                    time.sleep(0.25)  # what still waits in the ring buffer is part of the price
                    runs[name]["cpu"].append((cpu_ns(process.pid) - before) / options.connections / 1000)
                    runs[name]["rss"].append(peak_rss_kb(process.pid) / 1024)
                    stop(process)
                runs[name]["ns"].append(int(out.stdout.split()[0]) / 1000)

    base = statistics.median(runs["none"]["ns"])
    print(f"{options.rounds} interleaved rounds of {options.connections} connections, medians")
    print(f"{'tracer':18}{'us/conn':>9}{'added us':>10}{'ratio':>8}{'own CPU us':>12}{'RSS MB':>8}")
    added = {}
    for name, r in runs.items():
        middle = statistics.median(r["ns"])
        added[name] = statistics.median(a - b for a, b in zip(r["ns"], runs["none"]["ns"]))
        row = f"{name:18}{middle:9.1f}{added[name]:10.1f}{middle / base:8.2f}"
        if r["cpu"]:
            row += f"{statistics.median(r['cpu']):12.2f}{max(r['rss']):8.1f}"
        print(row)
    if "tcplife" in added:
        print(f"added by plumb both+life / added by tcplife: {added['plumb both+life'] / added['tcplife']:.2f}")
    starts = start_times(3 * options.rounds)
    fastest = statistics.median(starts["plumb"])
    print(f"{'start of':22}{'median ms':>10}{'least ms':>10}{'ratio':>8}   {3 * options.rounds} interleaved starts")
    for name, times in starts.items():
        middle = statistics.median(times)
        print(f"{name:22}{middle:10.1f}{min(times):10.1f}{middle / fastest:8.2f}")
    if not options.check:
        return 0
    broken = []
    if added["plumb both+life"] > 8.0:
        broken.append(f"full records add {added['plumb both+life']:.1f} us a connection, promised are 8")
    if max(runs["plumb both+life"]["rss"]) > 30:
        broken.append("more than 30 MB resident")
    if fastest > 25:
        broken.append(f"it takes {fastest:.1f} ms to start, promised are 25")
    print("\n".join(broken) or "promises kept")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
