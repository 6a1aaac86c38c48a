"""httptrace and node (http, https, http2), whose event loop reads and writes for many connections in one thread; and openssl's
s_server, which hands what it gets to a terminal."""
import json
import subprocess

from harness import needs
from test_httptrace_tls import TlsTest, httptrace

NODE = """
const fs = require('fs'), http = require('http'), https = require('https'), http2 = require('http2');
const [kind, mark, times, cert, key] = process.argv.slice(2);
const keys = {cert: cert && fs.readFileSync(cert), key: key && fs.readFileSync(key)};
const answer = (q, s) => { s.statusCode = q.url.startsWith('/gone') ? 410 : 200; s.end('x'.repeat(100)); };
const said = [];
const path = i => (i % 5 == 4 ? '/gone/' : '/node/') + i + '?' + mark;
const over = server => { server.close(); console.log(JSON.stringify(said)); };

function h1(server, lib, scheme) {
  const agent = new lib.Agent({keepAlive: true, maxSockets: 1, rejectUnauthorized: false});
  const next = i => i == times ? (agent.destroy(), over(server)) : lib.get(
    `${scheme}://127.0.0.1:${server.address().port}${path(i)}`, {agent}, r => {
      r.resume(); r.on('end', () => { said.push([path(i), r.statusCode]); next(i + 1); }); });
  next(0);
}
function h2(server, scheme) {
  const session = http2.connect(`${scheme}://127.0.0.1:${server.address().port}`, {rejectUnauthorized: false});
  let open = Number(times);
  for (let i = 0; i < times; i++) {
    const stream = session.request({':path': path(i)});
    stream.on('response', h => said.push([path(i), h[':status']]));
    stream.resume();
    stream.on('end', () => { if (--open == 0) { session.close(); over(server); } });
  }
}
const kinds = {
  http: () => [http.createServer(answer), s => h1(s, http, 'http')],
  https: () => [https.createServer(keys, answer), s => h1(s, https, 'https')],
  h2c: () => [http2.createServer(answer), s => h2(s, 'http')],
  h2: () => [http2.createSecureServer(keys, answer), s => h2(s, 'https')],
};
const [server, client] = kinds[kind]();
server.listen(0, '127.0.0.1', () => client(server));
"""


class Node(TlsTest):
    """Server and client in one process; what plumb says of each side is what the client got."""

    def both_sides(self, kind, library, protocol, times=20):
        script = self.path("both.js")
        with open(script, "w") as f:
            f.write(NODE)
        with httptrace("--", *self.ns.prefix(), "sh", "-c", '"$@" >' + self.path("said"), "sh", "node", script, kind,
                       self.mark, str(times), self.cert, self.key) as plumb:
            plumb.finish()
        with open(self.path("said")) as f:
            said = sorted((path.split("?")[0], status) for path, status in json.load(f))
        self.assertEqual(len(said), times)
        for role in ("client", "server"):
            told = self.told(plumb.lines, role)
            self.assertEqual(sorted((e["path"], e["status"]) for e in told), said, role)
            self.assertEqual({(e["protocol"], e["tls"], e["response_bytes"], e["error"]) for e in told},
                             {(protocol, library, 100, None)}, role)

    @needs("node")
    def test_http(self):
        self.both_sides("http", None, "http/1.1")

    @needs("node")
    def test_https(self):
        self.both_sides("https", "openssl", "http/1.1")

    @needs("node")
    def test_http2_in_plain_text(self):
        self.both_sides("h2c", None, "h2")

    @needs("node")
    def test_http2_over_tls(self):
        self.both_sides("h2", "openssl", "h2")


class SServer(TlsTest):
    @needs("openssl", "curl")
    def test_s_server(self):
        server = self.ns.popen("openssl", "s_server", "-quiet", "-accept", "127.0.0.1:8443", "-cert", self.cert, "-key",
                               self.key, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.stdin.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.listening(8443)
        with httptrace() as plumb:
            client = self.ns.popen("curl", "-sk", "--http1.1", "-o", "/dev/null", self.url())
            while server.stdout.readline() not in (b"\r\n", b""):
                pass
            server.stdin.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
            server.stdin.flush()
            self.assertEqual(client.wait(20), 0)
            plumb.wait_for(lambda lines: self.told(lines, "client") and self.told(lines, "server"), "both sides")
        self.check(plumb.lines, "client", "openssl", 1)
        self.check(plumb.lines, "server", "openssl", 1)


class Nghttpd(TlsTest):
    @needs("nghttpd", "h2load")
    def test_a_hundred_concurrent_streams_over_tls(self):
        with open(self.path("file"), "wb") as f:
            f.write(b"x" * 1000)
        self.start("nghttpd", "-d", self.directory, "8443", self.key, self.cert)
        self.listening(8443)
        with httptrace("--role", "server") as plumb:
            done = self.ns.run("h2load", "-n", "2000", "-c", "2", "-m", "100", f"https://127.0.0.1:8443/file?{self.mark}")
            self.assertIn("2000 succeeded", done.stdout)
            plumb.wait_for(lambda lines: len(self.told(lines, "server")) >= 2000, "all requests")
        told = self.told(plumb.lines, "server")
        self.assertEqual(len(told), 2000)
        self.assertEqual({(e["protocol"], e["tls"], e["status"], e["response_bytes"], e["error"]) for e in told},
                         {("h2", "openssl", 200, 1000, None)})
