"""httptrace in plain text, against what other programs say of the same requests."""
import collections
import ctypes
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading

from harness import APART_MS, EMULATED, core, hook, needs, parse_time_ns, run_plumb, wait_until
from httptrace import GRPC_PROGRAM, HttpTest, httptrace


def brief(line):
    return line["method"], line["path"], line["status"], line["response_bytes"]


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class Message(ctypes.Structure):
    """struct mmsghdr"""
    _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint), ("iov", ctypes.POINTER(Iovec)),
                ("iov_length", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
                ("flags", ctypes.c_int), ("padding", ctypes.c_int), ("length", ctypes.c_uint), ("end", ctypes.c_int)]


MSG_WAITFORONE = 0x10000


def mmsg(call, s, messages, flags=0):
    """sendmmsg(2) or recvmmsg(2) of messages of several buffers each; received bytes are written back. Their sizes."""
    held = [[ctypes.create_string_buffer(bytes(b), len(b)) for b in message] for message in messages]
    array = (Message * len(messages))()
    for entry, buffers in zip(array, held):
        entry.iov = (Iovec * len(buffers))(*[(ctypes.addressof(b), len(b)) for b in buffers])
        entry.iov_length = len(buffers)
    function = getattr(ctypes.CDLL(None, use_errno=True), call)
    n = function(s.fileno(), array, len(messages), flags, *([None] if call == "recvmmsg" else []))
    if n < 0:
        raise OSError(ctypes.get_errno(), call)
    if call == "recvmmsg":
        for buffers, message in zip(held, messages):
            for b, into in zip(buffers, message):
                into[:] = b.raw
    return [entry.length for entry in array[:n]]


class Nginx(HttpTest):
    @hook("traffic")
    @needs("nginx", "curl")
    def test_every_line_of_the_access_log(self):
        server = self.nginx()
        with httptrace() as plumb:
            for path in ("", "small", "large", "missing", "empty", "text/1", "moved", "refused"):
                self.curl(f"http://127.0.0.1:8080/{path}")
            self.curl("-I", "http://127.0.0.1:8080/large")
            self.curl("-d", "a=b", "http://127.0.0.1:8080/upload")
            self.curl("-o", "/dev/null", "-o", "/dev/null", "http://127.0.0.1:8080/small", "http://127.0.0.1:8080/text/2",
                      "http://127.0.0.1:8080/empty")
            self.until_seen(plumb, 13, role="server")
            self.until_seen(plumb, 13, role="client")
        log = self.access_log()
        lines = self.mine(plumb.lines, role="server", pid=server.pid)
        self.assertEqual([brief(e) for e in lines], [row[1:5] for row in log])
        for line, row in zip(lines, log):
            # nginx's clock has milliseconds, and it looks at it once for each turn of its loop.
            self.assertLess(abs(parse_time_ns(line["time"]) / 1e9 - row[0]) * 1e3, 2 + APART_MS, (line, row))
            self.assertLess(abs(line["latency_ms"] / 1e3 - row[5]) * 1e3, 2 + APART_MS, (line, row))
        clients = self.mine(plumb.lines, role="client", comm="curl")
        self.assertEqual([brief(e) for e in clients], [row[1:5] for row in log])
        self.assertEqual({e["host"] for e in lines + clients}, {"127.0.0.1:8080"})

    @needs("nginx", "wrk")
    def test_load_without_loss(self):
        server = self.nginx()
        with httptrace("--role", "server") as plumb:
            subprocess.run([*self.ns.prefix(), "wrk", "-t1", "-c8", "-d2", "http://127.0.0.1:8080/text/x"], check=True,
                           capture_output=True)
            self.stop(server)
        log = self.access_log()
        lines = self.mine(plumb.lines, pid=server.pid)
        whole = collections.Counter(brief(e) for e in lines if e["error"] is None)
        self.assertEqual([e for e in plumb.lines if e["type"] == "lost"], [], plumb.stderr)
        self.assertEqual(whole, collections.Counter(row[1:5] for row in log))

    @hook("sendfile")
    @needs("nginx", "curl")
    def test_large_bodies_both_ways(self):
        self.nginx()
        upload = self.directory + "/upload"
        with open(upload, "wb") as f:
            f.write(os.urandom(3_000_000))
        with httptrace() as plumb:
            self.curl("-H", "Expect:", "--data-binary", "@" + upload, "http://127.0.0.1:8080/upload")
            self.curl("http://127.0.0.1:8080/large")
            self.until_seen(plumb, 4)
        for role in ("client", "server"):
            sizes = [(e["request_bytes"], e["response_bytes"]) for e in self.mine(plumb.lines, role=role)]
            self.assertEqual(sizes, [(3_000_000, 6), (0, 300_000)])

    @needs("nginx", "curl")
    def test_filters(self):
        self.nginx()

        def seen(*args):
            with httptrace("--role", "server", *args) as plumb:
                for path in ("small", "missing", "refused", "text/a"):
                    self.curl(f"http://127.0.0.1:8080/{path}?q={path}")
                self.curl("-I", "-H", "Host: other", "http://127.0.0.1:8080/small")
                wait_until(lambda: len(self.access_log()) % 5 == 0, "the log")
                self.pause()
            return [e["path"] for e in self.mine(plumb.lines)]
        self.assertEqual(seen(), ["/small", "/missing", "/refused", "/text/a", "/small"])
        self.assertEqual(seen("--status", "5xx,404"), ["/missing", "/refused"])
        self.assertEqual(seen("--path", "/te*"), ["/text/a"])
        self.assertEqual(seen("--method", "head"), ["/small"])
        self.assertEqual(seen("--host", "oth?r"), ["/small"])
        self.assertEqual(seen("--host", "10.0.0.0/8"), [])
        self.assertEqual(seen("--host", "127.0.0.1", "--port", "8080", "--status", "503"), ["/refused"])
        self.assertEqual(seen("--port", "!8080"), [])
        self.assertEqual(seen("--min-latency", "5s"), [])
        self.assertEqual(seen("--where", "status >= 500"), ["/refused"])

    def test_what_no_status_can_be_is_refused(self):
        for text in ("9xx", "600", "0xx", "99", "404-9", "ok"):
            with self.subTest(text):
                result = run_plumb("httptrace", "--status", text, timeout=20)
                self.assertEqual(result.returncode, 2)
                self.assertIn(b"is no status", result.stderr)

    @needs("nginx", "curl")
    def test_queries_and_headers(self):
        self.nginx()
        url = "http://127.0.0.1:8080/small?a=1&sig=secret&X-Amz-Signature=s2"
        with httptrace("--role", "client", "--header", "X-Request-Id,Server") as plumb:
            self.curl("-H", "X-Request-Id: r-1", "-H", "Authorization: Bearer secret", "-H",
                      "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", url)
            self.until_seen(plumb, 1)
        line, = self.mine(plumb.lines)
        self.assertEqual(line["query"], "a=1&sig=REDACTED&X-Amz-Signature=REDACTED")
        self.assertEqual(line["headers"], ["x-request-id: r-1", "server: nginx"])
        self.assertEqual((line["trace_id"], line["parent_id"]), ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"))
        self.assertNotIn("secret", plumb.output.decode())
        with httptrace("--role", "client", "--no-query") as plumb:
            self.curl(url)
            self.until_seen(plumb, 1)
        self.assertIsNone(self.mine(plumb.lines)[0]["query"])

    @needs("nginx")
    def test_connection_older_than_the_trace(self):
        self.nginx()
        with self.ns.inside():
            s = socket.create_connection(("127.0.0.1", 8080))
        self.addCleanup(s.close)

        def ask(path):
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            got = b""
            while not got.endswith(b"some text\n"):
                got += s.recv(4096)
        ask("/text/before")
        with httptrace() as plumb:
            ask("/text/1")
            ask("/text/2")
            self.until_seen(plumb, 4)
        self.assertEqual([e["path"] for e in self.mine(plumb.lines, role="server")], ["/text/1", "/text/2"])
        self.assertEqual([e["path"] for e in self.mine(plumb.lines, role="client", pid=os.getpid())],
                         ["/text/1", "/text/2"])

    @needs("nginx")
    def test_pipelined_and_split(self):
        self.nginx()
        with httptrace() as plumb:
            with self.ns.inside():
                s = socket.create_connection(("127.0.0.1", 8080))
            self.addCleanup(s.close)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one = b"GET /text/%d HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 3000 + b"\r\n\r\n"
            s.sendall(one % 0 + one % 1 + b"HEAD /large HTTP/1.1\r\nHost: h\r\n\r\n" + one % 2)
            for at in range(0, len(one % 3), 700):
                s.sendall((one % 3)[at:at + 700])
            got = b""
            while got.count(b"some text\n") < 4:
                got += s.recv(65536)
            self.until_seen(plumb, 10)
        expected = [("GET", "/text/0", 200, 10), ("GET", "/text/1", 200, 10), ("HEAD", "/large", 200, 0),
                    ("GET", "/text/2", 200, 10), ("GET", "/text/3", 200, 10)]
        for role in ("client", "server"):
            self.assertEqual([brief(e) for e in self.mine(plumb.lines, role=role)], expected, role)

    @needs("nginx")
    def test_heads_that_begin_with_a_few_bytes(self):
        """Fewer than tell that it is HTTP, on a connection that is known, then the rest."""
        self.nginx()
        with httptrace("--netns", self.ns.path) as plumb:
            with self.ns.inside():
                s = socket.create_connection(("127.0.0.1", 8080))
            self.addCleanup(s.close)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(8):
                one, got = b"GET /text/%d HTTP/1.1\r\nHost: h\r\nX: %s\r\n\r\n" % (i, b"y" * 3000), b""
                for piece in (one[:i], one[i:]) if i else (one,):
                    s.sendall(piece)
                while not got.endswith(b"some text\n"):
                    got += s.recv(65536)
            self.until_seen(plumb, 16)
        for role in ("client", "server"):
            self.assertEqual([brief(e) for e in self.mine(plumb.lines, role=role)],
                             [("GET", f"/text/{i}", 200, 10) for i in range(8)], role)

    @needs("nginx")
    def test_peek_and_every_call_that_sends_and_receives(self):
        self.nginx()
        request = b"GET /text/%s HTTP/1.1\r\nHost: h\r\n\r\n"

        def receive(s, how):
            got = bytearray()
            while not got.endswith(b"some text\n"):
                s.recv(16, socket.MSG_PEEK)
                got += how(s)
        def recv_into_two(s):
            a, b = bytearray(30), bytearray(5000)
            n, _, _, _ = s.recvmsg_into([a, b])
            return bytes(a + b)[:n]
        def readv(s):
            a, b = bytearray(50), bytearray(5000)
            n = os.readv(s.fileno(), [a, b])
            return bytes(a + b)[:n]
        def sendmmsg(s, d):
            return mmsg("sendmmsg", s, [[d[:5], d[5:11]], [d[11:20], d[20:]]])

        def recvmmsg(s):
            buffers = [[bytearray(20), bytearray(60)], [bytearray(5000)]]
            sizes = mmsg("recvmmsg", s, buffers, MSG_WAITFORONE)
            return b"".join(b"".join(b)[:n] for b, n in zip(buffers, sizes))
        ways = {
            b"mmsg": (sendmmsg, recvmmsg),
            b"send": (lambda s, d: s.send(d), lambda s: s.recv(4096)),
            b"write": (lambda s, d: os.write(s.fileno(), d), lambda s: os.read(s.fileno(), 4096)),
            b"writev": (lambda s, d: os.writev(s.fileno(), [d[:3], d[3:9], d[9:]]), readv),
            b"sendmsg": (lambda s, d: s.sendmsg([d[:10], d[10:]]), recv_into_two),
        }
        with httptrace() as plumb:
            for name, (send, how) in ways.items():
                with self.ns.inside():
                    s = socket.create_connection(("127.0.0.1", 8080))
                with s:
                    for _ in range(2):
                        send(s, request % name)
                        receive(s, how)
            self.until_seen(plumb, 4 * len(ways))
        for role in ("client", "server"):
            self.assertEqual([(e["path"], e["status"], e["response_bytes"]) for e in self.mine(plumb.lines, role=role)],
                             [("/text/" + n.decode(), 200, 10) for n in ways for _ in range(2)], role)


class Endings(HttpTest):
    """No response, or half of one: null and why, never invented."""

    def silent_server(self, answer=b"", reset=False):
        with self.ns.inside():
            listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                if answer:
                    peer.sendall(answer)
                if reset:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)
        return listener.getsockname()[1]

    def ask(self, port):
        with self.ns.inside():
            s = socket.create_connection(("127.0.0.1", port))
        with s:
            s.sendall(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
            try:
                while s.recv(4096):
                    pass
            except ConnectionResetError:
                pass

    def connections(self, count):
        """Connections to one server: their clients' sockets, the server's."""
        with self.ns.inside():
            listener = socket.create_server(("127.0.0.1", 0))
            clients = [socket.create_connection(listener.getsockname()) for _ in range(count)]
        peers = [listener.accept()[0] for _ in clients]
        for s in (listener, *clients, *peers):
            self.addCleanup(s.close)
        return clients, peers

    def outcome(self, **server):
        with httptrace() as plumb:
            self.ask(self.silent_server(**server))
            self.until_seen(plumb, 2)
        lines = {e["role"]: e for e in self.mine(plumb.lines)}
        self.assertEqual(set(lines), {"client", "server"})
        return {role: (e["status"], e["error"]) for role, e in lines.items()}

    @core
    def test_closed_without_an_answer(self):
        self.assertEqual(self.outcome(), {"client": (None, "closed"), "server": (None, "closed")})

    @hook("ends")
    def test_reset(self):
        self.assertEqual(self.outcome(reset=True)["client"], (None, "reset"))

    @needs("nft")
    def test_reset_while_sending(self):
        """The socket is closed before the call that sends on it returns: the peer's reset comes from within."""
        clients, peers = self.connections(2)
        with httptrace("--role", "client") as plumb:
            clients[1].sendall(b"GET /before HTTP/1.1\r\nHost: h\r\n\r\n")
            peers[1].recv(100)
            peers[1].sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            clients[1].recv(100)
            self.ns.nft(f"tcp dport {clients[0].getpeername()[1]} tcp flags & psh == psh reject with tcp reset",
                        hook="output")
            for client, path in zip(clients, (b"/new", b"/again")):
                client.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n\r\n")
            self.until_seen(plumb, 3)
        self.assertEqual(sorted((e["path"], e["status"], e["error"]) for e in self.mine(plumb.lines)),
                         [("/again", None, "reset"), ("/before", 204, None), ("/new", None, "reset")])

    @hook("ends")
    def test_read_after_the_reset(self):
        """What a busy server reads only after its client went."""
        clients, peers = self.connections(2)
        with httptrace() as plumb:
            clients[1].sendall(b"GET /before HTTP/1.1\r\nHost: h\r\n\r\n")
            peers[1].recv(100)
            peers[1].sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            clients[1].recv(100)
            for client, path in zip(clients, (b"/new", b"/again")):
                client.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n\r\n")
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.close()
            self.until_seen(plumb, 3, role="client")
            for peer in peers:
                self.assertGreater(len(peer.recv(100)), 20)
            self.until_seen(plumb, 3, role="server")
        self.assertEqual(sorted((e["path"], e["status"], e["error"]) for e in self.mine(plumb.lines, role="server")),
                         [("/again", None, "reset"), ("/before", 204, None), ("/new", None, "reset")])

    @core
    def test_answer_read_after_both_ends_closed(self):
        (client,), (peer,) = self.connections(1)
        with httptrace() as plumb:
            client.sendall(b"GET /x HTTP/1.0\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            while peer.recv(100):
                pass
            peer.sendall(b"HTTP/1.0 200 OK\r\n\r\nall")
            peer.close()
            self.until_seen(plumb, 1, role="server")
            self.pause()
            while client.recv(100):
                pass
            self.until_seen(plumb, 1, role="client")
        self.assertEqual([(e["role"], e["status"], e["error"]) for e in self.mine(plumb.lines)],
                         [("server", 200, None), ("client", 200, None)])

    @core
    def test_broken_off(self):
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
        self.assertEqual(self.outcome(answer=answer), {"client": (200, "closed"), "server": (200, "closed")})

    @core
    def test_until_the_end_of_the_connection(self):
        self.assertEqual(self.outcome(answer=b"HTTP/1.0 200 OK\r\n\r\nall"),
                         {"client": (200, None), "server": (200, None)})

    def test_trace_ends_first(self):
        (s,), (peer,) = self.connections(1)
        with httptrace() as plumb:
            s.sendall(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
            peer.recv(100)
        self.assertEqual(sorted((e["role"], e["status"], e["error"]) for e in self.mine(plumb.lines)),
                         [("client", None, "trace_ended"), ("server", None, "trace_ended")])

    @core
    def test_heads_that_never_end(self):
        """What a slow or hostile client began: it has a line, with the status that it was given up with, if any."""
        with self.ns.inside():
            listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def pair():
            with self.ns.inside():
                client = socket.create_connection(listener.getsockname())
            peer, _ = listener.accept()
            for s in (client, peer):
                self.addCleanup(s.close)
            return client, peer

        with httptrace() as plumb:
            left, given_up, trickled, open_still = [pair() for _ in range(4)]
            for (client, peer), path in ((left, b"/left"), (given_up, b"/given-up"), (open_still, b"/open")):
                client.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n")
                peer.recv(100)
                client.sendall(b"X-1: 2\r\n")
                peer.recv(100)
            left[0].close()
            left[1].close()
            given_up[1].sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            given_up[0].recv(100)
            for byte in b"GET /trickled HTTP/1.1\r\nHost: h\r\n\r\n":
                trickled[0].sendall(bytes([byte]))
                trickled[1].recv(1)
            for byte in b"HTTP/1.1 204 No Content\r\n\r\n":
                trickled[1].sendall(bytes([byte]))
                trickled[0].recv(1)
            self.until_seen(plumb, 6)
        for role in ("client", "server"):
            self.assertEqual(sorted((e["path"], e["host"], e["status"], e["error"], e["incomplete"])
                                    for e in self.mine(plumb.lines, role=role)),
                             [("/given-up", "h", 408, None, True), ("/left", "h", None, "closed", True),
                              ("/open", "h", None, "trace_ended", True), ("/trickled", "h", 204, None, False)], role)

    def test_other_protocols_are_left_alone(self):
        (s,), (peer,) = self.connections(1)
        with httptrace() as plumb:
            for _ in range(10):
                s.sendall(b"*1\r\n$4\r\nPING\r\n")
                peer.recv(100)
                peer.sendall(b"+PONG\r\n")
                s.recv(100)
            self.pause()
        self.assertEqual(self.mine(plumb.lines), [])

    def test_small_bodies_in_calls_of_their_own(self):
        """Such as "OK" begin no head, on either side. What is captured shows by chunks beyond --snaplen: where calls are
        captured whole, the end of a chunked body in one call is not seen."""
        (client,), (server,) = self.connections(1)
        for s in (client, server):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        chunked = b"Transfer-Encoding: chunked\r\n\r\n"
        size, data = b"ABCD\r\n", b"x" * 0xABCD + b"\r\n0\r\n\r\n"

        def send(source, target, *calls):
            """Each is one call of the sender, and received before the next."""
            for call in calls:
                source.sendall(call)
                left = len(call)
                while left:
                    left -= len(target.recv(left))

        with httptrace("--netns", self.ns.path) as plumb:
            for i in range(4):
                send(client, server, b"GET /small/%d HTTP/1.1\r\nHost: h\r\n\r\n" % i)
                send(server, client, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", b"OK\n")
            send(client, server, b"GET /one HTTP/1.1\r\nHost: h\r\n\r\n")
            send(server, client, b"HTTP/1.1 200 OK\r\n" + chunked, size + data)
            send(client, server, b"GET /apart HTTP/1.1\r\nHost: h\r\n\r\n")
            send(server, client, b"HTTP/1.1 200 OK\r\n" + chunked, size, data)
            send(client, server, b"PUT /upload HTTP/1.1\r\nHost: h\r\n" + chunked, size, data)
            send(server, client, b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\n", b"OK\n")
            self.until_seen(plumb, 14)
        body = len(size + data)
        expected = [("GET", f"/small/{i}", 200, 3, 0, None) for i in range(4)]
        expected += [("GET", "/one", 200, body, 0, None), ("GET", "/apart", 200, body, 0, None),
                     ("PUT", "/upload", 201, 3, body, None)]
        for role in ("client", "server"):
            self.assertEqual([(*brief(e), e["request_bytes"], e["error"]) for e in self.mine(plumb.lines, role=role)],
                             expected, role)


class Programs(HttpTest):
    @core
    def test_python_server_and_client(self):
        server = self.start(sys.executable, "-m", "http.server", "8000", "--bind", "127.0.0.1", cwd=self.directory)
        self.listening(8000)
        with httptrace() as plumb:
            script = "import urllib.request as u; print(len(u.urlopen('http://127.0.0.1:8000/').read()))"
            size = int(self.ns.run(sys.executable, "-c", script).stdout)
            self.until_seen(plumb, 2)
        server_line, = self.mine(plumb.lines, role="server", pid=server.pid)
        client_line, = self.mine(plumb.lines, role="client")
        for line in (server_line, client_line):
            self.assertEqual(brief(line), ("GET", "/", 200, size))
            self.assertEqual(line["remote_addr"], "127.0.0.1")
        self.assertTrue(client_line["user_agent"].startswith("Python-urllib"))
        self.assertEqual(client_line["remote_port"], 8000)
        self.assertEqual(server_line["local_port"], 8000)

    def test_aiohttp_websocket_and_events(self):
        program = textwrap.dedent("""
            import asyncio, aiohttp
            from aiohttp import web
            async def ws(request):
                s = web.WebSocketResponse(); await s.prepare(request)
                async for m in s: await s.send_str(m.data)
                return s
            async def events(request):
                r = web.StreamResponse(headers={"Content-Type": "text/event-stream"}); await r.prepare(request)
                for i in range(5):
                    await r.write(b"data: %d\\n\\n" % i); await asyncio.sleep(0.05)
                return r
            async def main():
                app = web.Application(); app.router.add_get("/ws", ws); app.router.add_get("/events", events)
                runner = web.AppRunner(app); await runner.setup(); await web.TCPSite(runner, "127.0.0.1", 8001).start()
                async with aiohttp.ClientSession() as c:
                    async with c.ws_connect("http://127.0.0.1:8001/ws") as w:
                        for i in range(7): await w.send_str("x" * 10); await w.receive()
                    async with c.get("http://127.0.0.1:8001/events") as r: await r.read()
                await runner.cleanup()
            asyncio.run(main())
        """)
        try:
            import aiohttp  # noqa: F401
        except ImportError:
            self.skipTest("python3-aiohttp is not installed")
        with httptrace() as plumb:
            done = self.ns.run("/usr/bin/python3", "-c", program)
            self.assertEqual(done.stderr, "")
            self.until_seen(plumb, 4)
        for role in ("client", "server"):
            lines = {e["path"]: e for e in self.mine(plumb.lines, role=role)}
            self.assertEqual(lines["/ws"]["stream"], "websocket")
            self.assertEqual((lines["/ws"]["status"], lines["/ws"]["messages"]), (101, 14))
            self.assertEqual((lines["/events"]["stream"], lines["/events"]["messages"]), ("sse", 5))
            self.assertGreater(lines["/events"]["max_gap_ms"], 40)

    @needs("h2load", "nghttpd")
    def test_http2_with_a_hundred_concurrent_streams(self):
        with open(self.directory + "/file", "wb") as f:
            f.write(b"x" * 1000)
        self.start("nghttpd", "--no-tls", "-d", self.directory, "8002")
        self.listening(8002)
        with httptrace() as plumb:
            done = self.ns.run("h2load", "-n", "2000", "-c", "2", "-m", "100", "http://127.0.0.1:8002/file",
                               "http://127.0.0.1:8002/none")
            self.assertIn("2000 succeeded", done.stdout.replace("2000 done, 1000 succeeded", "2000 succeeded"))
            self.until_seen(plumb, 4000)
        for role in ("client", "server"):
            lines = self.mine(plumb.lines, role=role)
            got = collections.Counter((e["method"], e["path"], e["status"], e["protocol"], e["error"]) for e in lines)
            self.assertEqual(got, {("GET", "/file", 200, "h2", None): 1000, ("GET", "/none", 404, "h2", None): 1000})
            self.assertEqual({e["response_bytes"] for e in lines if e["status"] == 200}, {1000})

    def test_grpc(self):
        try:
            import grpc  # noqa: F401
        except ImportError:
            self.skipTest("python3-grpcio is not installed")
        with httptrace() as plumb:
            done = self.ns.run("/usr/bin/python3", "-c", GRPC_PROGRAM)
            self.assertEqual(done.stdout.split(), ["UNIMPLEMENTED", "DEADLINE_EXCEEDED"])
            self.until_seen(plumb, 12)
        for role in ("client", "server"):
            lines = self.mine(plumb.lines, role=role)
            got = [(e["grpc_method"], e["grpc_status"], e["messages"], e["error"]) for e in lines]
            self.assertEqual(got[:5], [("pkg.Echo/Unary", "OK", 2, None)] * 3 + [("pkg.Echo/Stream", "OK", 4, None),
                             ("pkg.Echo/None", "UNIMPLEMENTED", 1, None)], role)
            # Either side may give up first, by RST_STREAM or by its trailers.
            self.assertEqual(got[5][0], "pkg.Echo/Slow")
            self.assertIn((got[5][1], got[5][3]), [(None, "reset"), ("DEADLINE_EXCEEDED", None)])

    def test_joined_in_the_middle_of_http2(self):
        program = textwrap.dedent("""
            import grpc, sys
            from concurrent import futures
            handlers = grpc.method_handlers_generic_handler("pkg.Echo", {
                "Unary": grpc.unary_unary_rpc_method_handler(lambda r, c: r)})
            server = grpc.server(futures.ThreadPoolExecutor(4)); server.add_generic_rpc_handlers((handlers,))
            port = server.add_insecure_port("127.0.0.1:0"); server.start()
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                call = channel.unary_unary("/pkg.Echo/Unary")
                for i in range(10): call(b"before")
                print("ready", flush=True); sys.stdin.readline()
                for i in range(10): call(b"hello")
        """)
        try:
            import grpc  # noqa: F401
        except ImportError:
            self.skipTest("python3-grpcio is not installed")
        process = self.ns.popen("/usr/bin/python3", "-c", program, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                text=True)
        self.addCleanup(self.stop, process)
        self.assertEqual(process.stdout.readline(), "ready\n")
        with httptrace() as plumb:
            process.stdin.write("\n")
            process.stdin.close()
            process.wait(20)
            self.until_seen(plumb, 20)
        for role in ("client", "server"):
            lines = self.mine(plumb.lines, role=role)
            self.assertEqual([(e["status"], e["error"]) for e in lines], [(200, None)] * 10, role)
