#!/usr/bin/env python3
"""What --otlp costs at 10,000 spans a second, and how much memory it takes while the receiver is down for a minute.

h2load sends nginx that many requests a second, each of which is one span (--role server). plumb's own CPU time a request is
measured without --otlp, with spans and metrics to a receiver that takes everything, with gzip, and to a port where nobody
listens. Lines go to /dev/null throughout. CPU time comes from /proc/PID/stat, memory from /proc/PID/status once a second.
"""
import argparse
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PLUMB = os.path.abspath(os.environ.get("PLUMB", os.path.join(HERE, "../../../build/plumb")))
sys.path.insert(0, os.path.join(HERE, "../httptrace"))
from compare import CONF, cpu_seconds, requests_so_far  # noqa: E402

PORT, STATUS = 18082, 18083
CASES = {"lines alone": None, "spans and metrics": {}, "with gzip": {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}, "receiver down": {}}


class Receiver(http.server.ThreadingHTTPServer):
    """Takes everything and looks at nothing."""
    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def resident_mb(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) / 1024


def run(case, seconds, rate):
    directory = tempfile.mkdtemp(prefix="plumb-bench-")
    with open(directory + "/conf", "w") as f:
        f.write(CONF.format(dir=directory, port=PORT, status=STATUS, tls="", body="x" * 200))
    nginx = subprocess.Popen(["nginx", "-c", directory + "/conf", "-p", directory])
    receiver = Receiver()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        nobody = s.getsockname()[1]
    otlp = []
    if CASES[case] is not None:
        otlp = [f"--otlp=http://127.0.0.1:{nobody if case == 'receiver down' else receiver.server_address[1]}"]
    ready = directory + "/ready"
    plumb = subprocess.Popen([PLUMB, "httptrace", "--role", "server", "-j", "-o", "/dev/null", "--port", str(PORT), "--stats",
                              "--ready-file", ready, *otlp], stderr=subprocess.PIPE, text=True,
                             env={**os.environ, "OTEL_EXPORTER_OTLP_TIMEOUT": "2000", **(CASES[case] or {})})
    try:
        while not os.path.exists(ready):
            if plumb.poll() is not None:
                raise RuntimeError(plumb.stderr.read())
            time.sleep(0.05)
        first, cpu, memory = requests_so_far(STATUS), cpu_seconds(plumb.pid), [resident_mb(plumb.pid)]
        clients = 10
        load = subprocess.Popen(["h2load", "--h1", f"-c{clients}", "-t1", f"-D{seconds}", f"--rps={rate // clients}",
                                 f"http://127.0.0.1:{PORT}/x"], stdout=subprocess.DEVNULL)
        while load.poll() is None:
            memory.append(resident_mb(plumb.pid))
            time.sleep(1)
        time.sleep(0.5)
        count, cpu = requests_so_far(STATUS) - first - 1, cpu_seconds(plumb.pid) - cpu
        plumb.send_signal(2)
        stderr = plumb.communicate(timeout=60)[1]
    finally:
        for process in (plumb, nginx):
            if process.poll() is None:
                process.terminate()
                process.wait()
        receiver.shutdown()
        shutil.rmtree(directory)
    spans = re.search(r"/v1/traces: (\d+) spans, (\d+) delivered, (\d+) dropped", stderr)
    half = memory[len(memory) // 2:]
    return {"case": case, "per_second": round(count / seconds), "requests": count, "us": round(cpu / count * 1e6, 2),
            "core_percent": round(cpu / seconds * 100, 1), "rss_mb_first": round(memory[0], 1), "rss_mb_most": round(max(memory), 1),
            "rss_mb_of_second_half": [round(min(half), 1), round(max(half), 1)],
            "spans": [int(n) for n in spans.groups()] if spans else None}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--down", type=int, default=20, help="seconds without a receiver")
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true", help="fail beyond the limits; for a quiet machine")
    options = parser.parse_args()
    best, bad = {}, []
    for round_ in range(options.rounds):
        for case in CASES:
            if case == "receiver down" and round_ != 0:
                continue
            row = run(case, options.down if case == "receiver down" else options.seconds, options.rate)
            print(json.dumps(row), flush=True)
            if row["spans"] and row["spans"][1] + row["spans"][2] != row["spans"][0]:
                bad.append(f"{case}: spans neither delivered nor counted")
            if case not in best or row["us"] < best[case]["us"]:
                best[case] = row
    for case in ("spans and metrics", "with gzip"):
        print(f"{case}: {best[case]['us'] - best['lines alone']['us']:+.2f} us of plumb's own CPU a span")
    down = best["receiver down"]
    print(f"receiver down: at most {down['rss_mb_most']} MB, from {down['rss_mb_first']} MB at the start")
    if best["spans and metrics"]["us"] - best["lines alone"]["us"] > 10:
        bad.append("a span costs more than 10 us")
    if down["rss_mb_most"] - down["rss_mb_first"] > 80:
        bad.append("more than 80 MB while the receiver is down")
    for what in bad:
        print(what)
    sys.exit(1 if bad and options.check else 0)


if __name__ == "__main__":
    main()
