"""Names that others choose: whatever stands in a request, an answer or a symbol, no output holds what a terminal, a browser
or a reader would take for something else, and no length ends the run."""
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

from harness import PLUMB, LiveTest, Plumb

HOSTILE = "a\x1b]0;t\x07\x1b[31m\u202eb\u200bc\u2028\x9b\x7f<script>'\"&;|"
DECEPTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
OUTPUTS = ("json", "csv", "tsv")

SPINNER = r"""
import ctypes, mmap, os, sys
name = sys.argv[1]
ctypes.CDLL(None).prctl(15, name.encode()[:15], 0, 0, 0)
code = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("48ffcf75fbc3"))  # until rdi is 0: decrement it
at = ctypes.addressof(ctypes.c_char.from_buffer(code))
with open(f"/tmp/perf-{os.getpid()}.map", "w") as f:
    f.write(f"{at:x} 1000 {name}\n{at:x}\n-1 -1 x\nffffffffffffffff ffffffffffffffff {name}\n")
print("ready", flush=True)
spin = ctypes.CFUNCTYPE(None, ctypes.c_ulong)(at)
while True:
    spin(10**8)
"""


class HostileTest(LiveTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="plumb-names-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def outputs(self, *formats):
        return [arg for f in formats for arg in ("-o", os.path.join(self.folder, "out." + f))]

    def reports(self):
        return [arg for f in ("md", "xml") for arg in ("--report", os.path.join(self.folder, "report." + f))]

    def assertClean(self, *texts):
        """All that was written: files, and what was printed."""
        for name in os.listdir(self.folder):
            with open(os.path.join(self.folder, name), "rb") as f:
                texts += ((name, f.read()),)
        self.assertTrue(texts)
        for name, data in texts:
            found = DECEPTIVE.search(data.decode("utf-8").replace("\r\n", "\n"))  # strictly; lines of CSV end so
            self.assertIsNone(found, f"{name}: {found and data[max(0, found.start() - 60):][:120]}")

    def read(self, ending):
        with open(os.path.join(self.folder, "out." + ending), encoding="utf-8") as f:
            return f.read()


class Http(HostileTest):
    def exchange(self, port, request, response):
        """One connection in the namespace; either side may go away when the other is done with it."""
        with self.ns.inside():
            listener = socket.create_server(("127.0.0.1", port))
            client = socket.create_connection(("127.0.0.1", port))
        server, _ = listener.accept()

        def answer():
            try:
                if response.startswith(b"!"):  # before it was asked
                    server.sendall(response[1:])
                    server.recv(100)
                else:
                    server.recv(100)
                    server.sendall(response)
                    server.shutdown(socket.SHUT_WR)
                while server.recv(1 << 16):
                    pass
            except OSError:
                pass
            server.close()

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            while client.recv(1 << 16):
                pass
        except OSError:
            pass
        client.close()
        thread.join()
        listener.close()

    def test_every_output(self):
        name = HOSTILE.replace("\x07", "").replace(" ", "").encode()
        request = b"GET /" + name + b"?q=" + name + b" HTTP/1.1\r\nHost: " + name + b"\r\nUser-Agent: " + name + \
            b"\xff\xfe\r\ntraceparent: " + name + b"\r\n\r\n"
        answer = b"HTTP/1.1 200 " + name + b"\r\nContent-Type: " + name + b"\r\nContent-Length: 2\r\n\r\nok"
        plain = b"GET /after HTTP/1.1\r\nHost: h\r\n\r\n"
        with Plumb("httptrace", "--netns", self.ns.path, "--wide", "--header", "User-Agent", *self.outputs(*OUTPUTS),
                   "-o", "-", *self.reports(), json_lines=False) as plumb:
            self.exchange(8080, request, answer)
            self.exchange(8081, plain, b"HTTP/1.1 204 No\r\n\r\n")
        self.assertIn("/after", self.read("json"))
        self.assertIn("script", self.read("json"))
        self.assertClean(("stdout", plumb.output), ("stderr", plumb.stderr.encode()))

    def test_whatever_is_sent(self):
        get = b"GET / HTTP/1.1\r\nHost: h\r\n"
        cases = [
            (get + b"X: " + b"a" * 300_000 + b"\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            (get + b"".join(b"H%d: v\r\n" % i for i in range(20_000)) + b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
            (b"GET /" + b"p" * 200_000 + b" HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 " + b"r" * 100_000 + b"\r\n\r\n"),
            (get + b"\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nx"),
            (get + b"\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx"),
            (get + b"\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx"),
            (get + b"\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 5000 + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            (get + b"\r\n", b"!HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            (get + b"\r\n" * 5000 + get + b"\r\n", b"HTTP/1.1 200 OK\r\n" + b"\0" * 70_000),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 70_000, b"\0\0\x12\x04" + b"\xff" * 70_000),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\xff\xff\x01\x04\0\0\0\x01" + b"\x40\xff" * 40_000, b"\0" * 9000),
        ]
        with Plumb("httptrace", "--netns", self.ns.path) as plumb:
            for i, (request, response) in enumerate(cases):
                self.exchange(8100 + i, request, response)
            self.exchange(8200, get.replace(b"/", b"/after", 1) + b"\r\n", b"HTTP/1.1 204 No\r\n\r\n")
            plumb.wait_for(lambda lines: any(e.get("path") == "/after" for e in lines), "the request after all that")
        self.assertLess(max(len(line) for line in plumb.output.splitlines()), 100_000)
        self.assertClean(("stdout", plumb.output), ("stderr", plumb.stderr.encode()))


class Dns(HostileTest):
    def name(self):
        label = HOSTILE.encode()[:60]
        return bytes([len(label)]) + label + b"\4a.b\n\0"

    def answered(self, answer):
        """A lookup of a hostile name in the namespace, answered so."""
        with self.ns.inside():
            server, client = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
            server.bind(("127.0.0.1", 53))
            client.connect(("127.0.0.1", 53))
        question = self.name() + b"\0\1\0\1"
        client.send(b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + question)
        query, peer = server.recvfrom(512)
        server.sendto(answer(query, question), peer)
        client.recv(65535)
        client.close()
        server.close()

    def test_every_output(self):
        def text(q, question):
            cname = b"\xc0\x0c\0\5\0\1\0\0\0\1" + len(self.name()).to_bytes(2, "big") + self.name()
            txt = b"\xc0\x0c\0\x10\0\1\0\0\0\1" + (len(HOSTILE.encode()) + 1).to_bytes(2, "big") + \
                bytes([len(HOSTILE.encode())]) + HOSTILE.encode()
            return q[:2] + b"\x81\x80\0\1\0\2\0\0\0\0" + question + cname + txt

        def loop(q, question):
            return q[:2] + b"\x81\x80\0\1\xff\xff\xff\xff\xff\xff" + question + b"\xc0\x0c" * 200

        def cut(q, question):
            return q[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1"

        with Plumb("dnsx", "--netns", self.ns.path, "--wide", *self.outputs(*OUTPUTS), "-o", "-", *self.reports(),
                   json_lines=False) as plumb:
            for answer in (text, loop, cut):
                self.answered(answer)
        self.assertEqual(len(self.read("json").splitlines()), 3)
        self.assertClean(("stdout", plumb.output), ("stderr", plumb.stderr.encode()))


class Flame(HostileTest):
    def test_every_output(self):
        spinner = self.ns.popen(sys.executable, "-c", SPINNER, HOSTILE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(os.unlink, f"/tmp/perf-{spinner.pid}.map")
        self.addCleanup(spinner.stdout.close)
        self.addCleanup(spinner.wait)
        self.addCleanup(spinner.kill)
        self.assertEqual(spinner.stdout.readline(), "ready\n")
        formats = ("svg", "folded", "speedscope.json")
        done = subprocess.run([PLUMB, "flame", "-p", str(spinner.pid), "-d", "1s",
                               *self.outputs(*formats)], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("script", self.read("folded"))
        self.assertNotIn("<script>'", self.read("svg"))
        self.assertClean(("stdout", done.stdout), ("stderr", done.stderr))


if __name__ == "__main__":
    unittest.main()
