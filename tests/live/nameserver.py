#!/usr/bin/env python3
"""A name server for tests that answers as the first label says: `servfail.`, `refused.`, `nxdomain.`, `nodata.`, `silent.`,
`lost-N.` (leaves the first N queries unanswered), `tc.` (truncates over UDP), `big.` (4 KB of text), `forged.` (a wrong id
first), `late-MS.`, `malformed.` (rubbish behind the header); anything else has the address 192.0.2.1 and 2001:db8::1. Over
UDP and TCP, at ADDRESS PORT, in the network namespace that it is started in. Says "ready" once it listens."""
import re
import socket
import struct
import sys
import threading
import time

ADDRESS, PORT = sys.argv[1], int(sys.argv[2])
FAMILY = socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET
RCODES = {"servfail": 2, "nxdomain": 3, "refused": 5}
seen = {}


def record(kind, data):
    return b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 300, len(data)) + data


def reply(query, tcp):
    """The messages to send, in order."""
    end = query.index(b"\0", 12) + 5
    ident, = struct.unpack_from("!H", query)
    kind, = struct.unpack_from("!H", query, end - 4)
    label = query[13:13 + query[12]].decode().lower()
    question = query[12:end]
    flags, answers, before = 0x8580, [], b""
    flags |= RCODES.get(label, 0)
    number = int((re.search(r"-(\d+)$", label) or [0, 0])[1])
    if label == "silent":
        return []
    if label.startswith("lost-"):
        seen[label] = seen.get(label, 0) + 1
        if seen[label] <= number:
            return []
    if label.startswith("late-"):
        time.sleep(number / 1000)
    if label == "tc" and not tcp:
        flags |= 0x0200
    elif label == "big" and kind == 16:
        answers = [record(16, bytes([200]) + b"%c" % (97 + i) * 200) for i in range(18)]
    elif label not in RCODES and label != "nodata":
        if kind == 1:
            answers = [record(1, socket.inet_aton("192.0.2.1"))]
        elif kind == 28:
            answers = [record(28, socket.inet_pton(socket.AF_INET6, "2001:db8::1"))]
    message = struct.pack("!HHHHHH", ident, flags, 1, len(answers), 0, 0) + question + b"".join(answers)
    if label == "malformed":
        message = message[:12] + b"\xff" * 8
    if label == "forged":
        before = struct.pack("!H", ident ^ 0x5555) + message[2:]
    return [m for m in (before, message) if m]


def exactly(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            return None
        data += piece
    return data


def serve_connection(connection):
    while (length := exactly(connection, 2)) is not None:
        query = exactly(connection, struct.unpack("!H", length)[0])
        for message in reply(query, True):
            whole = struct.pack("!H", len(message)) + message
            # The length alone, then the message in two pieces.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in (whole[:1], whole[1:20], whole[20:]):
                connection.sendall(piece)


def serve_tcp():
    listener = socket.create_server((ADDRESS, PORT), family=FAMILY)
    ready.set()
    while True:
        threading.Thread(target=serve_connection, args=[listener.accept()[0]], daemon=True).start()


ready = threading.Event()
udp = socket.socket(FAMILY, socket.SOCK_DGRAM)
udp.bind((ADDRESS, PORT))
threading.Thread(target=serve_tcp, daemon=True).start()
ready.wait()
print("ready", flush=True)
while True:
    query, client = udp.recvfrom(65535)
    for message in reply(query, False):
        udp.sendto(message, client)
