#!/usr/bin/env python3
"""Programs that make TCP traffic and know the truth about it: `traffic.py PROGRAM JSON-ARGUMENTS`.

Each prints JSON lines about what it did, as a process of its own, so that owners can be told apart. Those that have
to wait for the test read a line from standard input.
"""
import ctypes
import json
import os
import socket
import sys
import threading
import time

libc = ctypes.CDLL(None)
REPLY_BYTES = 1000  # what churn expects of each answer


def die_with_parent():
    """Nothing outlives its test, however that ends; a survivor would hold the pipe that the test run writes to."""
    libc.prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL


def tell(**facts):
    os.write(1, json.dumps(facts).encode() + b"\n")  # one write: several processes share the pipe


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def rename(name):
    libc.prctl(15, name if isinstance(name, bytes) else name.encode(), 0, 0, 0)  # PR_SET_NAME


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listen(address, port=0, backlog=512):
    s = socket.socket(family_of(address))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(backlog)
    return s


def read_to_end(connection):
    total = 0
    while data := connection.recv(65536):
        total += len(data)
    return total


def server(addresses, reply_bytes=REPLY_BYTES, closes_first_every=0, name="tc-server"):
    """Listens on each address and serves until standard input ends. Every `closes_first_every`th connection is closed
    by this side after the request; the others after the client's FIN."""
    rename(name)
    listeners = [listen(a) for a in addresses]
    tell(ports={a: s.getsockname()[1] for a, s in zip(addresses, listeners)}, pid=os.getpid())

    def serve(listener):
        served = 0
        while True:
            connection, peer = listener.accept()
            served += 1
            with connection:
                size = int.from_bytes(connection.recv(4, socket.MSG_WAITALL), "big")
                got = 4 + len(connection.recv(size, socket.MSG_WAITALL)) if size else 4
                connection.sendall(b"r" * reply_bytes)
                if not (closes_first_every and served % closes_first_every == 0):
                    got += read_to_end(connection)
            tell(peer=peer[0], peer_port=peer[1], rx=got, tx=reply_bytes)

    for listener in listeners:
        threading.Thread(target=serve, args=(listener,), name="serve", daemon=True).start()
    sys.stdin.read()


def churn(targets, count, name="tc-client"):
    """`count` connects, one after another, round robin over `targets` (address, port, alive). Tells each one's local
    port, error, bytes, and the time from connect's return to the call of close."""
    rename(name)
    for i in range(count):
        address, port, alive = targets[i % len(targets)]
        s = socket.socket(family_of(address))
        before = now_ns()
        error = s.connect_ex((address, port))
        connected = now_ns()
        local_port = s.getsockname()[1]
        size = 100 + i
        rx = 0
        closing = None
        if not error:
            s.sendall(size.to_bytes(4, "big") + b"q" * size)
            while rx < REPLY_BYTES:  # all of it, or the close would send RST
                rx += len(s.recv(65536))
            closing = now_ns()
        s.close()
        tell(address=address, port=port, local_port=local_port, error=error, tx=0 if error else size + 4, rx=rx,
             call_ms=(connected - before) / 1e6, open_ms=(closing - connected) / 1e6 if closing else None,
             pid=os.getpid(), tid=threading.get_native_id())


def connect(address, port, count=1, name="tc-client", send=0, wait=False, pause=0.0):
    """`count` connects; with `wait`, holds them until standard input ends."""
    rename(name.encode("utf-8", "surrogateescape"))
    sockets = []
    for _ in range(count):
        s = socket.socket(family_of(address))
        error = s.connect_ex((address, port))
        if send and not error:
            s.sendall(b"x" * send)
        tell(pid=os.getpid(), tid=threading.get_native_id(), error=error, local_port=s.getsockname()[1])
        if wait:
            sockets.append(s)
        else:
            s.close()
        time.sleep(pause)
    if wait:
        sys.stdin.read()


def forking_server(name="tc-worker"):
    """A parent that listens and two children that accept, as pre-forking servers do."""
    listener = listen("127.0.0.1")
    children = []
    for i in range(2):
        pid = os.fork()
        if pid == 0:
            die_with_parent()
            rename(f"{name}{i}")
            while True:
                connection, peer = listener.accept()
                tell(pid=os.getpid(), comm=f"{name}{i}", peer_port=peer[1])
                read_to_end(connection)
                connection.close()
        children.append(pid)
    tell(port=listener.getsockname()[1], parent=os.getpid(), children=children)
    sys.stdin.read()
    for pid in children:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def accept_then_fork(name="tc-forked"):
    """The parent accepts, the child speaks: the accepting process owns the row."""
    listener = listen("127.0.0.1")
    tell(port=listener.getsockname()[1], pid=os.getpid())
    connection, _ = listener.accept()
    child = os.fork()
    if child == 0:
        die_with_parent()
        rename(name)
        read_to_end(connection)
        connection.close()
        os._exit(0)
    connection.close()
    os.waitpid(child, 0)


def accept_one(name="tc-acceptor", address="127.0.0.1", read_when_told=False):
    """Accepts one connection before plumb runs, and closes it after a line on standard input."""
    rename(name)
    listener = listen(address)
    tell(port=listener.getsockname()[1], pid=os.getpid())
    connection, peer = listener.accept()
    tell(peer_port=peer[1])
    sys.stdin.readline()
    if read_when_told:
        tell(rx=read_to_end(connection))
    connection.close()


def threads(address, port, count=3, name="tc-threads"):
    """One connect from each of `count` threads, which have names of their own."""
    rename(name)

    def one(i):
        rename(f"thread{i}")
        s = socket.socket()
        s.connect((address, port))
        tell(pid=os.getpid(), tid=threading.get_native_id(), local_port=s.getsockname()[1])
        s.close()

    for i in range(count):
        t = threading.Thread(target=one, args=(i,))
        t.start()
        t.join()


PROGRAMS = {f.__name__: f for f in (server, churn, connect, forking_server, accept_then_fork, accept_one, threads)}

if __name__ == "__main__":
    die_with_parent()
    PROGRAMS[sys.argv[1]](**json.loads(sys.argv[2] if len(sys.argv) > 2 else "{}"))
