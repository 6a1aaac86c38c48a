#!/usr/bin/env python3
"""httptrace's completeness and cost: nginx answers wrk over a fixed time, bare and traced by each capture variant.

For each: requests that nginx counted and lines that plumb wrote (or counted as lost), nginx's own CPU time a request, plumb's
own CPU time a request; in plain text, then over TLS. Then the same of a server that speaks no HTTP: what its CPU time a round trip costs traced and bare.
Figures of CPU time come from /proc/PID/stat; they are stable to a few per cent, requests a second are not.
"""
import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PLUMB = os.path.abspath(os.environ.get("PLUMB", os.path.join(HERE, "../../../build/plumb")))
TICK = os.sysconf("SC_CLK_TCK")
CONF = """
daemon off; master_process off; error_log {dir}/error.log; pid {dir}/pid; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {dir}/1; proxy_temp_path {dir}/2;
  fastcgi_temp_path {dir}/3; uwsgi_temp_path {dir}/4; scgi_temp_path {dir}/5;
  server {{ listen 127.0.0.1:{port} {tls}; location / {{ return 200 "{body}"; }} }}
  server {{ listen 127.0.0.1:{status}; location = /status {{ stub_status; }} }}
}}
"""
PING = """
import os, socket, sys
s = socket.create_server(("127.0.0.1", {port}))
c, _ = s.accept()
while c.recv(100): c.send(b"+PONG\\r\\n")
"""


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Traced:
    """plumb httptrace while the block runs; None as variant: nothing runs."""

    def __init__(self, variant, directory):
        self.variant, self.out, self.ready = variant, directory + "/lines", directory + "/ready"
        self.lines = self.lost = self.cpu = 0

    def __enter__(self):
        if self.variant is None:
            return self
        if os.path.exists(self.ready):
            os.remove(self.ready)
        env = {**os.environ, "PLUMB_HOOKS": f"traffic={self.variant}"}
        self.process = subprocess.Popen([PLUMB, "httptrace", "--role", "server", "-j", "-o", self.out, "--ready-file",
                                         self.ready], env=env, stderr=subprocess.PIPE, text=True)
        while not os.path.exists(self.ready):
            if self.process.poll() is not None:
                raise RuntimeError(self.process.stderr.read())
            time.sleep(0.01)
        self.before = cpu_seconds(self.process.pid)
        return self

    def __exit__(self, *_):
        if self.variant is None:
            return
        time.sleep(0.3)
        self.cpu = cpu_seconds(self.process.pid) - self.before
        self.process.terminate()
        self.process.communicate()
        with open(self.out) as f:
            for line in f:
                if '"type":"lost"' in line:
                    self.lost += json.loads(line)["count"]
                elif '"path":"/x"' in line:
                    self.lines += 1


def requests_so_far(port):  # of which one is this
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"GET /status HTTP/1.0\r\n\r\n")
        text = b""
        while chunk := s.recv(4096):
            text += chunk
    return int(text.split(b"requests")[1].split()[2])


def http(variant, seconds, connections, tls=False):
    directory = tempfile.mkdtemp(prefix="plumb-bench-")
    port, status = 18080, 18082
    if tls:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", directory + "/key.pem", "-out", directory + "/cert.pem", "-subj", "/CN=localhost"],
                       check=True, capture_output=True)
    keys = f"ssl; ssl_certificate {directory}/cert.pem; ssl_certificate_key {directory}/key.pem" if tls else ""
    with open(directory + "/conf", "w") as f:
        f.write(CONF.format(dir=directory, port=port, status=status, tls=keys, body="x" * 200))
    nginx = subprocess.Popen(["nginx", "-c", directory + "/conf", "-p", directory])
    try:
        time.sleep(0.5)
        with Traced(variant, directory) as traced:
            first, cpu = requests_so_far(status), cpu_seconds(nginx.pid)
            url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/x"
            subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}", url], check=True, stdout=subprocess.DEVNULL)
            count, cpu = requests_so_far(status) - first - 1, cpu_seconds(nginx.pid) - cpu
        return {"what": "https" if tls else "http", "variant": variant or "none", "requests": count, "per_second": count / seconds,
                "lines": traced.lines, "lost": traced.lost, "nginx_us": cpu / count * 1e6,
                "plumb_us": traced.cpu / count * 1e6}
    finally:
        nginx.terminate()
        nginx.wait()
        shutil.rmtree(directory)


def foreign(variant, count):
    directory = tempfile.mkdtemp(prefix="plumb-bench-")
    port = 18081
    server = subprocess.Popen([sys.executable, "-c", PING.format(port=port)])
    try:
        with Traced(variant, directory):
            while True:
                try:
                    s = socket.create_connection(("127.0.0.1", port))
                    break
                except ConnectionRefusedError:
                    time.sleep(0.05)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            cpu = cpu_seconds(server.pid)
            for _ in range(count):
                s.send(b"*1\r\n$4\r\nPING\r\n")
                s.recv(100)
            cpu = cpu_seconds(server.pid) - cpu
            s.close()
        return {"what": "no http", "variant": variant or "none", "requests": count, "server_us": cpu / count * 1e6}
    finally:
        server.wait()
        shutil.rmtree(directory)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--variants", default="sock_length")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true", help="fail beyond the limits; for a quiet machine")
    options = parser.parse_args()
    variants = [None, *options.variants.split(",")]
    best = {}
    bad = []
    for _ in range(options.rounds):
        for variant in variants:
            row = http(variant, options.seconds, options.connections)
            print(json.dumps(row), flush=True)
            if variant and row["lines"] + row["lost"] != row["requests"]:
                bad.append(f"{row['requests'] - row['lines'] - row['lost']} requests neither told nor counted")
            if variant not in best or row["nginx_us"] < best[variant]["nginx_us"]:
                best[variant] = row
    for variant in variants[1:]:
        more = best[variant]["nginx_us"] - best[None]["nginx_us"]
        own = best[variant]["plumb_us"]
        print(f"{variant}: nginx {more:+.2f} us a request, plumb {own:.2f} us a request")
        if more > 0.9 or own > 2:
            bad.append(f"{variant}: over 0.9 us or 2 us a request")
    rows = {variant: http(variant, options.seconds, options.connections, tls=True) for variant in (None, variants[1])}
    for variant, row in rows.items():
        print(json.dumps(row), flush=True)
        if variant and row["lines"] + row["lost"] != row["requests"]:
            bad.append(f"TLS: {row['requests'] - row['lines'] - row['lost']} requests neither told nor counted")
    print(f"TLS: nginx {rows[variants[1]]['nginx_us'] - rows[None]['nginx_us']:+.2f} us a request")
    for variant in variants:
        print(json.dumps(foreign(variant, 100_000)), flush=True)
    for what in bad:
        print(what)
    sys.exit(1 if bad and options.check else 0)


if __name__ == "__main__":
    main()
