"""Traffic for docs/recipes.md, on loopback: a database that is not there, a web server, a name server that is not there."""
import http.server
import socket
import threading
import time
import urllib.error
import urllib.request


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802 (its name)
        if self.path == "/report":
            time.sleep(0.25)
        body = b"x" * 200
        self.send_response(503 if self.path == "/orders" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    name = b"\x02db\x08internal\x00"
    question = b"\x12\x34\x01\x00\x00\x01" + bytes(6) + name + b"\x00\x01\x00\x01"
    for i in range(100_000):
        with socket.socket() as database:
            database.connect_ex(("127.0.0.1", 5432))
        for path in (f"/users/{i}", "/orders", "/report"):
            try:
                urllib.request.urlopen("http://127.0.0.1:8080" + path).read()
            except urllib.error.HTTPError:
                pass
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as names:
            names.sendto(question, ("127.0.0.1", 53))


if __name__ == "__main__":
    main()
