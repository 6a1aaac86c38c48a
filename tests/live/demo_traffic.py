#!/usr/bin/env python3
"""Traffic for `./dev demo`: on loopback only, for any user, done after about four seconds."""
import socket
import threading
import time

TCP_SYNCNT = 7  # linux/tcp.h: how often a SYN is sent again


def listen(family=socket.AF_INET, address="127.0.0.1", backlog=16):
    s = socket.socket(family)
    s.bind((address, 0))
    s.listen(backlog)
    return s


def serve(listener):
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"answer " * 200)
            connection.recv(4096)


def ask(family, address, pause):
    with socket.socket(family) as s:
        s.connect(address)
        s.sendall(b"question")
        s.recv(4096)
        time.sleep(pause)


def main():
    v4, v6 = listen(), listen(socket.AF_INET6, "::1")
    for listener in (v4, v6):
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
    # A listener whose queue is full drops SYNs: a server that hangs. The first attempt fills it.
    hung = listen(backlog=0)
    filler = socket.create_connection(hung.getsockname())
    nobody = listen()
    refused = nobody.getsockname()
    nobody.close()

    for i in range(3):
        ask(socket.AF_INET, v4.getsockname(), 0.05 * (i + 1))
        ask(socket.AF_INET6, v6.getsockname(), 0.05)
        with socket.socket() as s:
            s.connect_ex(refused)
    with socket.socket() as s:
        s.setsockopt(socket.IPPROTO_TCP, TCP_SYNCNT, 1)
        s.connect_ex(hung.getsockname())  # ETIMEDOUT after three seconds
    filler.close()


if __name__ == "__main__":
    main()
