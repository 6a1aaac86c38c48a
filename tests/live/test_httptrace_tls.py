"""httptrace over TLS: real programs of each library; what plumb says is compared with what they say."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import uuid

from harness import HERE, LiveTest, Plumb, core, heed_signals, hook, needs, wait_until

PYTHON = "/usr/bin/python3"
CLIENTS = os.path.join(HERE, "clients")
NODE = """
const https = require('https');
const [url, times] = [process.argv[2], Number(process.argv[3])];
const agent = new https.Agent({keepAlive: true, rejectUnauthorized: false});
const next = n => n && https.get(url, {agent}, r => {
  r.resume(); r.on('end', () => { console.log(r.statusCode); n > 1 ? next(n - 1) : agent.destroy(); }); });
next(times);
"""
NGINX = """
daemon off; master_process off; error_log {dir}/error.log; pid {dir}/pid;
events {{ }}
http {{
  access_log {dir}/access.log;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4;
  scgi_temp_path {dir}/t5;
  server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;
           location / {{ return 200 "some text\\n"; }} location /gone {{ return 410; }} }}
}}
"""


def httptrace(*args, **options):
    return Plumb("httptrace", *args, **options)


def has_module(name):
    return subprocess.run([PYTHON, "-c", f"import {name}"], capture_output=True).returncode == 0


class TlsTest(LiveTest):
    def setUp(self):
        super().setUp()
        self.directory = tempfile.mkdtemp(prefix="plumb-tls-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.cert, self.key = self.path("cert.pem"), self.path("key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", self.key, "-out", self.cert, "-days", "2", "-subj", "/CN=localhost"],
                       check=True, capture_output=True)
        self.mark = uuid.uuid4().hex[:12]

    def path(self, name):
        return os.path.join(self.directory, name)

    def url(self, size=10, port=8443):
        return f"https://127.0.0.1:{port}/{size}?{self.mark}"

    def start(self, *command, **options):
        process = self.ns.popen(*command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, preexec_fn=heed_signals, **options)

        def stop():
            process.kill()
            process.wait()
        self.addCleanup(stop)
        return process

    def listening(self, port):
        wait_until(lambda: f":{port} " in self.ns.run("ss", "-Hltn").stdout, f"a listener on {port}")

    def serve(self, port=8443):
        server = self.start(PYTHON, os.path.join(CLIENTS, "tls_server.py"), str(port), self.cert, self.key)
        self.listening(port)
        return server

    def python(self, kind, times=1):
        return [PYTHON, os.path.join(CLIENTS, "tls_client.py"), kind, self.url(), str(times)]

    def go(self, *flags):
        program = self.path("tls_go")
        subprocess.run(["go", "build", *flags, "-o", program, os.path.join(CLIENTS, "tls_go.go")], check=True,
                       capture_output=True, env={**os.environ, "GO111MODULE": "off", "GOFLAGS": "",
                                                 "GOCACHE": os.environ.get("GOCACHE", "/tmp/plumb-go-cache")})
        return program

    def static_client(self):
        program = self.path("tls_client")
        subprocess.run(["cc", "-static", "-O2", "-o", program, os.path.join(CLIENTS, "tls_client.c"), "-lssl", "-lcrypto"],
                       check=True, capture_output=True)
        return program

    def told(self, lines, role):
        """This test's requests, by the mark in their query."""
        return [e for e in lines if e["type"] == "request" and e["query"] == self.mark and e["role"] == role]

    def check(self, lines, role, library, times=1, ends=True, status=200):
        told = self.told(lines, role)
        self.assertEqual(len(told), times, f"{role}: {told}")
        for e in told:
            self.assertEqual((e["tls"], e["scheme"], e["method"], e["status"], e["error"]),
                             (library, "https", "GET", status, None), e)
            self.assertGreater(e["latency_ms"], 0)
            port = e["remote_port" if role == "client" else "local_port"]
            self.assertEqual(port, 8443 if ends else None, e)
            if ends:
                self.assertEqual((e["local_addr"], e["remote_addr"]), ("127.0.0.1", "127.0.0.1"))
        return told

    def statuses(self, *command, **options):
        return self.ns.run(*command, **options).stdout.split()


class LaterClients(TlsTest):
    """The client starts after the trace, the server before; both are told."""

    def client(self, library, *command, times=1, ends=True):
        self.serve()
        with httptrace() as plumb:
            self.ns.run(*command)
            plumb.wait_for(lambda lines: len(self.told(lines, "client")) >= times
                           and len(self.told(lines, "server")) >= times, "both sides")
        self.check(plumb.lines, "client", library, times, ends)
        self.check(plumb.lines, "server", "openssl", times)

    @core
    @needs("curl")
    def test_curl(self):
        self.client("openssl", "curl", "-sk", "-o", "/dev/null", self.url())

    @needs("curl")
    def test_curl_keeps_a_connection(self):
        self.client("openssl", "curl", "-sk", *["-o", "/dev/null"] * 5, *[self.url()] * 5, times=5)

    @needs("curl")
    def test_large_body(self):
        self.serve()
        with httptrace() as plumb:
            self.ns.run("curl", "-sk", "-o", "/dev/null", self.url(5_000_000), "-o", "/dev/null", self.url(7))
            plumb.wait_for(lambda lines: len(self.told(lines, "client")) >= 2, "both requests")
        sizes = [e["response_bytes"] for e in self.check(plumb.lines, "client", "openssl", 2)]
        self.assertEqual(sizes, [5_000_000, 7])

    @core
    @needs("wget")
    def test_wget_with_gnutls(self):
        self.client("gnutls", "wget", "-q", "--no-check-certificate", "-O", "/dev/null", self.url())

    @needs("openssl")
    def test_s_client(self):
        request = f"GET /10?{self.mark} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n"
        self.client("openssl", "sh", "-c", f"printf '{request}' | openssl s_client -quiet -connect 127.0.0.1:8443; true")

    def test_http_client(self):
        self.client("openssl", *self.python("http_client", 3), times=3)

    @unittest.skipUnless(has_module("requests"), "needs python3-requests")
    def test_requests(self):
        self.client("openssl", *self.python("requests", 3), times=3)

    @unittest.skipUnless(has_module("pycurl"), "needs python3-pycurl")
    def test_pycurl_with_gnutls(self):
        self.client("gnutls", *self.python("pycurl", 3), times=3)

    def test_asyncio_through_memory(self):
        self.client("openssl", *self.python("asyncio", 3), times=3, ends=False)

    @unittest.skipUnless(has_module("aiohttp"), "needs python3-aiohttp")
    def test_aiohttp_through_memory(self):
        self.client("openssl", *self.python("aiohttp", 3), times=3, ends=False)


class Held(TlsTest):
    """Under a command no first request is lost, whatever program is started and wherever its TLS is."""

    def first_request(self, library, *command, ends=True):
        self.serve()
        with httptrace("--", *self.ns.prefix(), "sh", "-c", '"$@" >/dev/null', "sh", *command) as plumb:
            plumb.finish()
        self.check(plumb.lines, "client", library, 1, ends)

    @needs("go")
    def test_go(self):
        self.first_request("go", self.go(), "get", self.url(), "1")

    @needs("go")
    def test_stripped_go(self):
        self.first_request("go", self.go("-ldflags=-s -w"), "get", self.url(), "1")

    @needs("go")
    def test_go_position_independent(self):
        self.first_request("go", self.go("-buildmode=pie", "-ldflags=-s -w"), "get", self.url(), "1")

    @needs("node")
    def test_node(self):
        script = self.path("client.js")
        with open(script, "w") as f:
            f.write(NODE)
        self.first_request("openssl", "node", script, self.url(), "1", ends=False)

    @hook("tls-exec")
    @needs("gcc")
    def test_static_openssl(self):
        self.first_request("openssl", self.static_client(), "8443", f"/10?{self.mark}")

    def own_libssl(self):
        folder = self.path("lib")
        os.mkdir(folder)
        known = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
        library = [line.split()[-1] for line in known.splitlines() if "libssl.so.3 " in line][0]
        shutil.copy(library, folder)
        return folder

    @needs("gcc")
    def test_a_library_of_its_own(self):
        """A copy of libssl that no process had mapped before."""
        folder = self.own_libssl()
        self.first_request("openssl", "env", f"LD_LIBRARY_PATH={folder}", "curl", "-sk", "-o", "/dev/null", self.url())

    @needs("gcc")
    def test_a_target_under_a_seccomp_filter_survives(self):
        self.first_request("openssl", self.static_client(), "8443", f"/10?{self.mark}", "seccomp")

    @needs("gcc")
    def test_files_that_are_gone_lose_their_probes(self):
        """A client under a new name each time, beside a server whose library is unlinked while it runs."""
        times = 40
        client, folder = self.static_client(), self.own_libssl()
        ask, server = f"8443 '/10?{self.mark}' >/dev/null", os.path.join(CLIENTS, "tls_server.py")
        script = (f"LD_LIBRARY_PATH={folder} {PYTHON} {server} 8443 {self.cert} {self.key} >/dev/null & "
                  f"until {client} 8443 /first >/dev/null; do sleep 0.05; done; rm -r {folder}; "
                  f"for i in $(seq {times}); do cp {client} {client}$i; {client}$i {ask}; rm {client}$i; done; "
                  f"until [ -e {self.path('end')} ]; do sleep 0.05; done; kill $!")
        with httptrace("--", *self.ns.prefix(), "sh", "-c", script) as plumb:
            open_files = {}
            for count in (10, times):
                plumb.wait_for(lambda lines: min(len(self.told(lines, role)) for role in ("client", "server")) >= count,
                               f"{count} requests")
                open_files[count] = len(os.listdir(f"/proc/{plumb.process.pid}/fd"))
            with open(self.path("end"), "w"):
                pass
            plumb.finish()
        self.check(plumb.lines, "client", "openssl", times)
        self.check(plumb.lines, "server", "openssl", times)
        # Each client's probes are five or more; those of a few wait for their sweep.
        self.assertLess(open_files[times], open_files[10] + 2 * times)

    def test_nothing_stays_held_when_plumb_is_killed(self):
        marker = self.path("marker")
        script = f"touch {marker}; while :; do /bin/true; sleep 0.01; done"
        with httptrace("--", "sh", "-c", script, expect_status=None) as plumb:
            wait_until(lambda: os.path.exists(marker), "the command")
            shell = int(subprocess.run(["pgrep", "-f", f"^sh -c touch {marker}"], capture_output=True, text=True,
                                       check=True).stdout.split()[0])
            self.addCleanup(os.kill, shell, signal.SIGKILL)
            plumb.process.kill()
            plumb.process.wait()
            time.sleep(0.5)  # the attacher lets go within 0.1 s of the kill
            with open(f"/proc/{shell}/task/{shell}/children") as f:
                children = f.read().split()
            for pid in [shell, *map(int, children)]:
                try:
                    with open(f"/proc/{pid}/stat") as f:
                        self.assertNotEqual(f.read().rsplit(")", 1)[1].split()[0], "T")
                except FileNotFoundError:
                    pass


class Unread(TlsTest):
    """TLS whose requests are in no line is told at the end; that of programs whose requests are there is not."""

    EARLY = re.compile(r"plumb: (\d+) TLS connections? of (\d+) process(?:es)? began before their probes were on")

    def traced(self):
        return httptrace("--netns", self.ns.path, "--role", "client")

    @needs("gcc")
    def test_programs_that_ask_before_their_probes_are_on(self):
        self.serve()
        client, times = self.static_client(), 30
        with self.traced() as plumb:
            for i in range(times):
                shutil.copy(client, client + str(i))
                self.ns.run(client + str(i), "8443", f"/10?{self.mark}")
        told, found = len(self.told(plumb.lines, "client")), self.EARLY.search(plumb.stderr)
        early = int(found[1]) if found else 0
        self.assertGreater(early, 0)
        # One that was probed while it asked has a line and is counted, too.
        self.assertGreaterEqual(told + early, times, plumb.stderr)
        self.assertLessEqual(early, times, plumb.stderr)

    @needs("gcc", "strip")
    def test_a_library_without_names(self):
        self.serve()
        client = self.static_client()
        subprocess.run(["strip", "-s", client], check=True)
        with self.traced() as plumb:
            for _ in range(3):
                self.ns.run(client, "8443", f"/10?{self.mark}")
        self.assertEqual(self.told(plumb.lines, "client"), [])
        # Whose process ended too early to be looked at is among the others.
        counts = re.findall(r"(\d+) TLS connections? (?:could not be read|of \d+ process)", plumb.stderr)
        self.assertEqual(sum(map(int, counts)), 3, plumb.stderr)

    @needs("bash")
    def test_a_connection_older_than_the_trace_passes_by_the_servers_port(self):
        """Which end is the server's is not known of it."""
        with self.ns.inside():
            listener = socket.create_server(("127.0.0.1", 8443))
        self.addCleanup(listener.close)
        record = r"\x17\x03\x03\x00\x10" + 16 * "x"
        client = self.ns.popen("bash", "--norc", "--noprofile", "-c",
                               "exec 3<>/dev/tcp/127.0.0.1/8443; printf before >&3; while read -r; do "
                               f"printf '{record}' >&3; printf '{record}' >&3; echo sent; done",
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=heed_signals)

        def stop():
            client.kill()
            client.wait()
            client.stdin.close()
            client.stdout.close()
        self.addCleanup(stop)
        peer, _ = listener.accept()
        self.addCleanup(peer.close)
        self.assertEqual(peer.recv(100), b"before")
        for port, expected in (("8443", True), ("!8443", False)):
            with httptrace("-p", str(client.pid), "--port", port) as plumb:
                client.stdin.write("\n")
                client.stdin.flush()
                self.assertEqual(client.stdout.readline(), "sent\n")
            self.assertEqual("1 TLS connection could not be read: 1 of bash" in plumb.stderr, expected, plumb.stderr)

    @needs("curl", "wget")
    def test_what_is_read_is_not_among_them(self):
        self.serve()
        # Then wget's library is known when the trace begins; curl's is the server's.
        holder = self.start(PYTHON, "-c", "import ctypes, time; ctypes.CDLL('libgnutls.so.30'); time.sleep(600)")

        def mapped():
            with open(f"/proc/{holder.pid}/maps") as f:
                return "libgnutls" in f.read()
        wait_until(mapped, "the library")
        with self.traced() as plumb:
            for _ in range(20):
                self.ns.run("wget", "-q", "--no-check-certificate", "-O", "/dev/null", self.url())
                self.ns.run("curl", "-sk", "-o", "/dev/null", self.url())
            self.ns.run(*self.python("asyncio"))
            self.ns.run(*self.python("http_client"))
            plumb.wait_for(lambda lines: len(self.told(lines, "client")) >= 42, "all requests")
        self.assertEqual(len(self.told(plumb.lines, "client")), 42)
        self.assertNotIn("TLS connection", plumb.stderr)


class Servers(TlsTest):
    @needs("nginx", "curl")
    def test_nginx(self):
        with open(self.path("nginx.conf"), "w") as f:
            f.write(NGINX.format(dir=self.directory, port=8443))
        self.start("nginx", "-c", self.path("nginx.conf"), "-p", self.directory)
        self.listening(8443)
        with httptrace("--role", "server") as plumb:
            self.ns.run("curl", "-sk", "--http1.1", *["-o", "/dev/null"] * 3, *[self.url()] * 3)
            self.ns.run("curl", "-sk", "--http2", *["-o", "/dev/null"] * 3, *[self.url()] * 3)
            plumb.wait_for(lambda lines: len(self.told(lines, "server")) >= 6, "all requests")
        told = self.check(plumb.lines, "server", "openssl", 6)
        self.assertEqual([e["protocol"] for e in told], ["http/1.1"] * 3 + ["h2"] * 3)
        with open(self.path("access.log")) as f:
            self.assertEqual(len(f.readlines()), 6)

    @needs("go", "curl")
    def test_go_server_with_many_clients(self):
        self.start(self.go("-ldflags=-s -w"), "serve", "8443", self.cert, self.key)
        self.listening(8443)
        with httptrace("--role", "server") as plumb:
            for version in ("--http1.1", "--http2"):
                self.ns.run("curl", "-skZ", version, *["-o", "/dev/null"] * 20, *[self.url(1000)] * 20)
            plumb.wait_for(lambda lines: len(self.told(lines, "server")) >= 40, "all requests")
        told = self.check(plumb.lines, "server", "go", 40)
        self.assertEqual({e["response_bytes"] for e in told}, {1000})

    @needs("curl")
    def test_tls_only(self):
        self.serve()
        self.start(PYTHON, "-m", "http.server", "8080", cwd=self.directory)
        self.listening(8080)
        with httptrace("--tls-only", "--role", "server") as plumb:
            self.ns.run("curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:8080/?{self.mark}")
            self.ns.run("curl", "-sk", "-o", "/dev/null", self.url())
            plumb.wait_for(lambda lines: len(self.told(lines, "server")) >= 1, "the request")
        self.check(plumb.lines, "server", "openssl", 1)

    @needs("curl")
    def test_by_pid_only_that_process(self):
        server = self.serve()
        with httptrace("-p", str(server.pid)) as plumb:
            self.ns.run("curl", "-sk", "-o", "/dev/null", self.url())
            plumb.wait_for(lambda lines: len(self.told(lines, "server")) >= 1, "the request")
        self.check(plumb.lines, "server", "openssl", 1)
        self.assertEqual(self.told(plumb.lines, "client"), [])
