#!/usr/bin/env python3
"""Programs that make mixed traffic and log the truth about it: `programs.py PROGRAM JSON-ARGUMENTS`.

Each appends JSON lines to its log, one for whatever it did: `connect` and `accept` when the connection is over, `udp` for
datagrams that nobody will read. Servers end with their standard input, clients after their time.
"""
import ctypes
import errno
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import threading
import time

SERVE, FORKING, LOSSY, CLOSED, DROPPED, REJECTED = 7001, 7002, 7003, 7004, 7005, 7006
UDP_CLOSED, UDP_FULL, UDP_DROPPED = 9001, 9002, 9003
V4, V6 = "10.77.0.2", "fd77::2"  # the servers'
OWN = {V4: "10.77.0.1", V6: "fd77::1"}  # the clients', by the server they connect to
CHUNK = 1000  # bytes a write: less than a segment holds, so that a segment on the wire is one in the kernel
REPLY = 3000
HEADER = struct.Struct("!cII")  # mode, bytes that follow, bytes wanted
RESETS = struct.pack("ii", 1, 0)  # SO_LINGER: close() resets
libc = ctypes.CDLL(None)
log_fd = -1


def log_to(path):
    global log_fd
    log_fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def tell(fact, **facts):
    facts.update(fact=fact, pid=os.getpid(), comm=facts.get("comm") or name_of_this())
    os.write(log_fd, json.dumps(facts).encode() + b"\n")  # one write: several processes share the log


def name_of_this():
    with open("/proc/self/comm", encoding="utf-8") as f:
        return f.read().rstrip("\n")


def rename(name):
    libc.prctl(15, name.encode(), 0, 0, 0)  # PR_SET_NAME


def die_with_parent():
    libc.prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def bounded(s):
    """Nothing here waits for ever for the other side."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 25, 0))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def send_chunks(s, data):
    for at in range(0, len(data), CHUNK):
        s.sendall(data[at:at + CHUNK])


def receive(s, size):
    got = 0
    while got < size:
        data = s.recv(min(size - got, 65536))
        if not data:
            break
        got += len(data)
    return got


# Servers

def serve(connection, facts):
    """One connection, by the mode in its first byte: q, the client closes first; s, the server does; c, the client resets;
    r, the server does; G, a request of HTTP."""
    try:
        header = connection.recv(HEADER.size, socket.MSG_WAITALL)
        mode, size, wanted = HEADER.unpack(header)
        facts["mode"] = mode.decode()
        if mode == b"G":
            while not header.endswith(b"\r\n\r\n"):
                header += connection.recv(4096)
            size, reply = len(header) - HEADER.size, b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"
        else:
            size, reply = receive(connection, size), b"r" * wanted
        send_chunks(connection, reply)
        facts.update(rx=HEADER.size + size, tx=len(reply))
        if mode in b"qcG":
            facts["rx"] += len(connection.recv(4096))
        elif mode == b"r":
            connection.recv(1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETS)
    except OSError as e:
        facts["heard"] = errno.errorcode.get(e.errno)
    connection.close()
    tell("accept", end=time.time_ns(), **facts)


def accept_loop(listener):
    while True:
        connection, peer = listener.accept()
        facts = {"t": time.time_ns(), "tid": threading.get_native_id(), "laddr": connection.getsockname()[0],
                 "lport": connection.getsockname()[1], "raddr": peer[0], "rport": peer[1]}
        threading.Thread(target=serve, args=(bounded(connection), facts), daemon=True).start()


def listen(address, port):
    s = socket.socket(family_of(address))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(512)
    tell("listen", lport=port, t=time.time_ns())
    return s


def server(name, port):
    rename(name)
    for address in (V4, V6):
        threading.Thread(target=accept_loop, args=(listen(address, port),), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


def forking_server(name, port):
    rename(name)
    listener = listen(V4, port)
    children = []
    for i in range(2):
        children.append(os.fork())
        if children[-1] == 0:
            die_with_parent()
            rename(f"{name}{i}")
            accept_loop(listener)
    print("ready", flush=True)
    sys.stdin.read()
    for child in children:
        os.kill(child, 9)
        os.waitpid(child, 0)


def full_receiver(name, port):
    """Reads one datagram now and then, from a buffer with room for few; in the end what is left."""
    rename(name)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
    s.bind((V4, port))
    s.setblocking(False)
    tell("listen", lport=port, t=time.time_ns())
    print("ready", flush=True)
    got, over = 0, False
    while True:
        over = over or bool(select.select([sys.stdin], [], [], 0.05)[0])
        try:
            s.recv(4096)
            got += 1
        except BlockingIOError:
            if over:
                break
    tell("received", n=got)


# Clients

def connect(s, target, give_up):
    """connect(), or one that does not block and is given up after so many seconds; its error, "cancelled" for that."""
    if give_up is None:
        return s.connect_ex(target)
    s.setblocking(False)
    error = s.connect_ex(target)
    if error == errno.EINPROGRESS:
        poll = select.poll()
        poll.register(s, select.POLLOUT)
        if not poll.poll(give_up * 1000):
            return "cancelled"
        error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    s.setblocking(True)
    return error


def talk(s, mode, size, facts):
    send_chunks(s, HEADER.pack(mode.encode(), size, REPLY) + b"q" * size)
    facts["tx"] = HEADER.size + size
    facts["rx"] = receive(s, REPLY)
    if mode == "s":
        facts["rx"] += len(s.recv(100))
    elif mode == "r":
        s.sendall(b"g")
        facts["rx"] += len(s.recv(100))
    elif mode == "c":
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETS)


def attempt(address, port, mode="q", size=500, give_up=None, syns=None, close=True):
    s = bounded(socket.socket(family_of(address)))
    if syns is not None:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, syns)
    facts = {"raddr": address, "rport": port, "mode": mode, "tid": threading.get_native_id(), "t0": time.time_ns()}
    error = connect(s, (address, port), give_up)
    facts.update(t1=time.time_ns(), lport=s.getsockname()[1], laddr=OWN[address],  # a failed connect forgets its address
                 error=errno.errorcode.get(error, error) if error else None)
    if not error:
        try:
            talk(s, mode, size, facts)
        except OSError as e:
            facts["heard"] = errno.errorcode.get(e.errno)
    facts["end"] = time.time_ns()
    if close:
        s.close()
    tell("connect", **facts)


def lose(port, count, address=V4, size=100):
    s = socket.socket(family_of(address), socket.SOCK_DGRAM)
    for _ in range(count):
        s.sendto(b"u" * size, (address, port))
    tell("udp", raddr=address, rport=port, lport=s.getsockname()[1], n=count, t=time.time_ns())
    s.close()


COMMON = [  # weight, what
    (30, lambda: attempt(V4, SERVE)), (10, lambda: attempt(V4, SERVE, give_up=20)),
    (10, lambda: attempt(V4, SERVE, "s")), (8, lambda: attempt(V4, SERVE, "r")), (8, lambda: attempt(V4, SERVE, "c")),
    (14, lambda: attempt(V4, FORKING)), (4, lambda: attempt(V4, FORKING, "s")),
    (8, lambda: attempt(V6, SERVE)), (4, lambda: attempt(V6, SERVE, "c")),
    (6, lambda: attempt(V4, CLOSED)), (4, lambda: attempt(V4, CLOSED, give_up=20)), (3, lambda: attempt(V6, CLOSED)),
    (2, lambda: attempt(V4, REJECTED)), (2, lambda: attempt(V4, REJECTED, give_up=20)),
    (4, lambda: lose(UDP_CLOSED, 3)), (3, lambda: lose(UDP_CLOSED, 2, V6)), (3, lambda: lose(UDP_DROPPED, 3)),
]


def until(seconds, pause, do):
    """do() again and again, with pauses of `pause` seconds in the mean."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        do()
        time.sleep(random.expovariate(1 / pause))


def any_of_common():
    random.choices([what for _, what in COMMON], [weight for weight, _ in COMMON])[0]()


def steady(name, seconds):
    rename(name)
    until(seconds, 0.05, any_of_common)


def short_lived(name, seconds):
    """Children with names of their own that do one thing and end without closing."""
    count = 0

    def child():
        nonlocal count
        count += 1
        pid = os.fork()
        if pid == 0:
            die_with_parent()
            rename(f"{name}{count % 10}")
            random.choice([lambda: attempt(V4, SERVE, close=False), lambda: attempt(V4, FORKING, close=False),
                           lambda: attempt(V4, CLOSED), lambda: lose(UDP_CLOSED, 1), lambda: lose(UDP_DROPPED, 1)])()
            os._exit(0)
        os.waitpid(pid, 0)

    until(seconds, 0.08, child)


def lossy(name, seconds):
    rename(name)
    until(seconds, 0.2, lambda: attempt(V4, LOSSY, size=12000))


def blocked(name, seconds):
    rename(name)

    def both():
        attempt(V4, DROPPED, syns=1)
        attempt(V4, DROPPED, give_up=1.5)

    until(seconds, 0.2, both)


def flooding(name, seconds):
    rename(name)
    until(seconds, 0.4, lambda: lose(UDP_FULL, 30, size=500))


def curls(name, seconds):
    rename(name)

    def one():
        facts = {"t0": time.time_ns(), "raddr": V4, "rport": SERVE, "mode": "G", "error": None}
        curl = subprocess.Popen(["curl", "-s", "-o", "/dev/null", "-w", "%{local_ip} %{local_port}",
                                 f"http://{V4}:{SERVE}/"], stdout=subprocess.PIPE, text=True)
        address, port = curl.communicate()[0].split()
        now = time.time_ns()
        line = {**facts, "t1": now, "end": now, "laddr": address, "lport": int(port), "fact": "connect",
                "pid": curl.pid, "tid": curl.pid, "comm": "curl"}
        os.write(log_fd, json.dumps(line).encode() + b"\n")

    until(seconds, 0.4, one)


PROGRAMS = {f.__name__: f for f in (server, forking_server, full_receiver, steady, short_lived, lossy, blocked, flooding,
                                    curls)}

if __name__ == "__main__":
    die_with_parent()
    arguments = json.loads(sys.argv[2])
    log_to(arguments.pop("log"))
    random.seed(arguments.pop("seed", 0))
    PROGRAMS[sys.argv[1]](**arguments)
