#!/usr/bin/env python3
"""What ten minutes of load do to httptrace: its memory and its descriptors, while targets come and go.

nginx answers wrk all the time in plain text. Beside it, until the time is over:
- 10,000 short connections, a request each, spread over the run;
- an nginx with TLS that is started anew every few seconds and asked by curl;
- a program with OpenSSL linked into it, under a new name each time, which asks the same nginx. Every other time it runs
  under a seccomp filter that kills it when anything but its own system calls is made on its behalf.

The last ask as soon as they start, from a file that nobody ran before: of those that were not probed by then plumb says
how many connections there were.

plumb's memory (VmRSS) and the descriptors of plumb and of its attacher are written down every few seconds. Needs root,
nginx, wrk, curl, openssl, and cc with libssl's static library.
"""
import argparse
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
CLIENT = os.path.join(HERE, "../../live/clients/tls_client.c")
SHORT = 10_000
PLAIN_PORT, TLS_PORT = 18080, 18443
CONF = """
daemon off; master_process off; error_log {dir}/error.log; pid {dir}/pid{port}; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {dir}/1; proxy_temp_path {dir}/2;
  fastcgi_temp_path {dir}/3; uwsgi_temp_path {dir}/4; scgi_temp_path {dir}/5;
  server {{ listen 127.0.0.1:{port} {tls}; location / {{ return 200 "some text\\n"; }}
            location = /status {{ stub_status; }} }}
}}
"""


class Soak:
    def __init__(self, directory, seconds):
        self.directory, self.until = directory, time.monotonic() + seconds
        self.seconds = seconds
        self.restarts = self.programs = self.filtered = self.killed = self.short = self.asked = 0
        self.samples = []

    def running(self):
        return time.monotonic() < self.until

    def nginx(self, port, tls=""):
        conf = f"{self.directory}/conf{port}"
        with open(conf, "w") as f:
            f.write(CONF.format(dir=self.directory, port=port, tls=tls))
        process = subprocess.Popen(["nginx", "-c", conf, "-p", self.directory], stderr=subprocess.DEVNULL)
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return process
            except ConnectionRefusedError:
                time.sleep(0.02)

    def short_connections(self):
        pause, due = self.seconds * 0.9 / SHORT, time.monotonic()
        while self.short < SHORT:  # also past the time, on a busy machine
            with socket.create_connection(("127.0.0.1", PLAIN_PORT)) as s:
                s.sendall(b"GET /short HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                while s.recv(4096):
                    pass
            self.short += 1
            # By the clock: what a busy machine delays is caught up with.
            due += pause
            time.sleep(max(0.0, due - time.monotonic()))

    def tls_targets(self):
        tls = f"ssl; ssl_certificate {self.directory}/cert.pem; ssl_certificate_key {self.directory}/key.pem"
        while self.running():
            server = self.nginx(TLS_PORT, tls)
            self.restarts += 1
            for i in range(4):
                url = f"https://127.0.0.1:{TLS_PORT}/curl"
                subprocess.run(["curl", "-sk", *["-o", "/dev/null", url] * 5], check=True, timeout=30)
                self.asked += 5
                program = f"{self.directory}/program{self.programs}"
                shutil.copy(self.directory + "/client", program)
                filtered = ["seccomp"] if i % 2 else []
                status = subprocess.run([program, str(TLS_PORT), "/program", *filtered], stdout=subprocess.DEVNULL,
                                        timeout=30).returncode
                self.programs += 1
                self.filtered += len(filtered)
                self.killed += status != 0
                self.asked += 1
                os.remove(program)
                time.sleep(0.5)
            server.terminate()
            server.wait()

    def sample(self, plumb):
        status = open(f"/proc/{plumb.pid}/status").read()
        children = open(f"/proc/{plumb.pid}/task/{plumb.pid}/children").read().split()
        self.samples.append({
            "rss_mb": int(status.split("VmRSS:")[1].split()[0]) / 1024,
            "descriptors": len(os.listdir(f"/proc/{plumb.pid}/fd")),
            "attacher_descriptors": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in children)})


def count_lines(path, said):
    counts = {"plain": 0, "short": 0, "tls": 0, "lost": 0, "early": 0}
    with open(said) as f:
        found = re.search(r"(\d+) TLS connections? of \d+ process(?:es)? began before their probes", f.read())
        counts["early"] = int(found[1]) if found else 0
    with open(path) as f:
        for line in f:
            if '"type":"lost"' in line:
                counts["lost"] += json.loads(line)["count"]
            elif '"role":"client"' in line:
                if '"path":"/short"' in line:
                    counts["short"] += 1
                elif '"path":"/wrk"' in line:
                    counts["plain"] += 1
                elif '"path":"/curl"' in line or '"path":"/program"' in line:
                    counts["tls"] += 1
    return counts


def run(directory, seconds, rate):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", directory + "/key.pem", "-out", directory + "/cert.pem", "-subj", "/CN=localhost"],
                   check=True, capture_output=True)
    subprocess.run(["cc", "-static", "-O2", "-o", directory + "/client", CLIENT, "-lssl", "-lcrypto"], check=True,
                   capture_output=True)
    soak = Soak(directory, seconds)
    out, ready = directory + "/lines", directory + "/ready"
    server = soak.nginx(PLAIN_PORT)
    # Most lines are of no interest here: what is written is what is compared.
    plumb = subprocess.Popen([PLUMB, "httptrace", "--role", "client", "-j", "--columns", "role,path", "-o",
                              out, "--ready-file", ready],
                             stderr=open(directory + "/said", "w"))
    while not os.path.exists(ready):
        if plumb.poll() is not None:
            sys.exit("plumb does not start")
        time.sleep(0.02)
    soak.until = time.monotonic() + seconds
    load = subprocess.Popen(["wrk", "-t1", f"-c{rate}", f"-d{seconds}", f"http://127.0.0.1:{PLAIN_PORT}/wrk"],
                            stdout=subprocess.PIPE, text=True)
    threads = [threading.Thread(target=f) for f in (soak.short_connections, soak.tls_targets)]
    for t in threads:
        t.start()
    time.sleep(min(10, seconds / 10))
    while soak.running():
        soak.sample(plumb)
        time.sleep(min(5, seconds / 20))
    for t in threads:
        t.join()
    text = load.communicate()[0]
    time.sleep(0.5)
    plumb.terminate()
    plumb.wait()
    server.terminate()
    server.wait()
    requests = int(text.split(" requests in ")[0].split()[-1])
    return soak, count_lines(out, directory + "/said"), requests


def judge(soak, seen, requests):
    half = len(soak.samples) // 2
    highest = {half_name: {key: max(s[key] for s in part) for key in soak.samples[0]}
               for half_name, part in (("first", soak.samples[:half]), ("second", soak.samples[half:]))}
    print(json.dumps({"seconds": soak.seconds, "wrk_requests": requests, "seen": seen, "short_connections": soak.short,
                      "restarts": soak.restarts, "programs": soak.programs, "filtered": soak.filtered,
                      "killed": soak.killed, "tls_requests": soak.asked, "first_sample": soak.samples[0],
                      "last_sample": soak.samples[-1], "highest": highest}))
    bad = []
    if highest["second"]["rss_mb"] > 50 or highest["second"]["rss_mb"] > highest["first"]["rss_mb"] + 1:
        bad.append("memory grows, or is over 50 MB")
    for key in ("descriptors", "attacher_descriptors"):
        if highest["second"][key] > highest["first"][key] + 5:
            bad.append(f"{key} grow")
    if soak.killed:
        bad.append("a target did not survive")
    if soak.short != SHORT or seen["short"] != SHORT:
        bad.append("short connections are missing")
    # One that gets its probes while it asks has a line and is counted.
    if seen["tls"] + seen["early"] < soak.asked:
        bad.append("requests over TLS are neither told nor counted")
    # wrk ends in the middle of some.
    if not seen["lost"] and seen["plain"] < requests:
        bad.append("requests are neither told nor counted")
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="plumb-soak-")
    try:
        bad = judge(*run(directory, options.seconds, options.connections))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    for what in bad:
        print(what)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
