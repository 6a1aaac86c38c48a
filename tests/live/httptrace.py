"""What tests of httptrace share: servers and clients of other projects, in a namespace of the test's own."""
import os
import shutil
import signal
import subprocess
import tempfile
import time

from harness import DEADLINE, SHARED_KEYS, LiveTest, Plumb, heed_signals, wait_until

KEYS = {"request": SHARED_KEYS | set(
    "role protocol tls method scheme host path path_template query status grpc_method grpc_status latency_ms ttfb_ms "
    "request_bytes response_bytes user_agent content_type stream messages max_gap_ms trace_id parent_id headers "
    "local_addr local_port remote_addr remote_port error incomplete".split())}

NGINX_CONF = """
daemon off; master_process off; error_log {dir}/error.log; pid {dir}/pid; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  log_format exact '$msec $request_method $request_uri $status $body_bytes_sent $request_time $connection';
  access_log {dir}/access.log exact;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4;
  scgi_temp_path {dir}/t5;
  sendfile on; keepalive_requests 1000000; server_tokens off; client_max_body_size 100m;
  server {{
    listen {port}; {listen}
    root {dir}/www;
    location /empty {{ return 204; }}
    location /text/ {{ return 200 "some text\\n"; }}
    location /moved {{ return 301 /text/; }}
    location /refused {{ return 503 "no\\n"; }}
    location /upload {{ return 200 "taken\\n"; }}
  }}
}}
"""

# Calls of gRPC on one connection, of which one is of no method and one runs out of time.
GRPC_PROGRAM = """
import grpc, json, sys, time
from concurrent import futures
echo = lambda r, c: r
def stream(r, c):
    for i in range(3): yield r
def slow(r, c):
    time.sleep(2); return r
handlers = grpc.method_handlers_generic_handler("pkg.Echo", {
    "Unary": grpc.unary_unary_rpc_method_handler(echo),
    "Stream": grpc.unary_stream_rpc_method_handler(stream),
    "Slow": grpc.unary_unary_rpc_method_handler(slow)})
server = grpc.server(futures.ThreadPoolExecutor(4)); server.add_generic_rpc_handlers((handlers,))
port = server.add_insecure_port("127.0.0.1:0"); server.start()
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    for i in range(3): channel.unary_unary("/pkg.Echo/Unary")(b"hello")
    list(channel.unary_stream("/pkg.Echo/Stream")(b"hi"))
    for method, timeout in (("None", 5), ("Slow", 1)):
        try: channel.unary_unary("/pkg.Echo/" + method)(b"x", timeout=timeout)
        except grpc.RpcError as e: print(e.code().name)
server.stop(0)
"""


def httptrace(*args, **options):
    return Plumb("httptrace", *args, keys=KEYS, **options)


class HttpTest(LiveTest):
    def setUp(self):
        super().setUp()
        self.directory = tempfile.mkdtemp(prefix="plumb-http-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def start(self, *command, **options):
        """A program in the namespace, killed at the end."""
        process = self.ns.popen(*command, stdin=subprocess.DEVNULL, stdout=options.pop("stdout", subprocess.DEVNULL),
                                stderr=options.pop("stderr", subprocess.DEVNULL), preexec_fn=heed_signals, **options)
        self.addCleanup(self.stop, process)
        return process

    @staticmethod
    def stop(process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()

    def listening(self, port):
        wait_until(lambda: f":{port} " in self.ns.run("ss", "-Hltn").stdout, f"a listener on {port}")

    def nginx(self, port=8080, listen=""):
        os.makedirs(self.directory + "/www", exist_ok=True)
        for name, size in (("index.html", 612), ("small", 10), ("large", 300_000)):
            with open(f"{self.directory}/www/{name}", "wb") as f:
                f.write(b"x" * size)
        conf = self.directory + "/nginx.conf"
        with open(conf, "w") as f:
            f.write(NGINX_CONF.format(dir=self.directory, port=port, listen=listen))
        process = self.start("nginx", "-c", conf, "-p", self.directory)
        self.listening(port)
        return process

    def access_log(self):
        """[(time in s, method, path, status, body bytes, seconds)] as nginx wrote them."""
        with open(self.directory + "/access.log") as f:
            rows = [line.split() for line in f]
        return [(float(r[0]), r[1], r[2].split('?')[0], int(r[3]), int(r[4]), float(r[5])) for r in rows]

    def curl(self, *args):
        return subprocess.run([*self.ns.prefix(), "curl", "-s", "-o", "/dev/null", "--max-time", "20", *args],
                              check=False, timeout=DEADLINE)

    def until_seen(self, plumb, count, **fields):
        """Waits for so many lines of the namespace with these values."""
        plumb.wait_for(lambda lines: len(self.mine(lines, **fields)) >= count, f"{count} lines")

    @staticmethod
    def pause():
        """For what must not come."""
        time.sleep(0.2)
