"""Calls getppid() from Python stacks of all kinds and says, when it is done, how often from which: what the interpreter
itself says of the calling thread's frames. Says its process ids first (a child, forked before, does the same), and
begins with a line on standard input."""
import asyncio
import collections
import functools
import json
import os
import signal
import sys
import threading

seen = collections.Counter()


def mark():
    frame, stack = sys._getframe(), []
    while frame is not None:
        code = frame.f_code
        stack.append(f"{code.co_qualname} ({code.co_filename.rpartition('/')[2]})")
        frame = frame.f_back
    seen[tuple(reversed(stack))] += 1
    os.getppid()


def recurse(n):
    return mark() if n == 0 else recurse(n - 1)


class Thing:
    def method(self):
        mark()
        return self

    def __lt__(self, other):
        mark()
        return False

    def __del__(self):
        mark()

    @property
    def value(self):
        mark()
        return [mark() for _ in range(2)]

    @staticmethod
    def ünïcode_名前_𠀀():
        mark()


def numbers(n):
    for i in range(n):
        mark()
        yield i


def twice():
    yield from numbers(2)
    yield from (mark() or i for i in numbers(2))


async def leaf():
    mark()
    await asyncio.sleep(0)
    mark()


async def tree(n):
    if n == 0:
        return await leaf()
    await asyncio.gather(tree(n - 1), tree(n - 1))


def generated():
    """One code object after another in the same place in memory."""
    for i in range(300):
        space = {"mark": mark}
        exec(f"def made_{i:03}(): mark()\nmade_{i:03}()", space)
        del space


def a_name_that_is_so_long_that_only_its_beginning_can_be_shown_since_no_more_than_a_certain_number_of_bytes_of_it_are_read_by_who_shows_it():
    mark()


def all_kinds():
    for n in (0, 1, 7, 100):
        recurse(n)
    Thing().method().value
    sorted([Thing(), Thing(), Thing()])
    a_name_that_is_so_long_that_only_its_beginning_can_be_shown_since_no_more_than_a_certain_number_of_bytes_of_it_are_read_by_who_shows_it()
    Thing.ünïcode_名前_𠀀()
    list(twice())
    sum(map(lambda x: mark() or x, numbers(3)))
    functools.reduce(lambda a, b: recurse(2) or a, [1, 2, 3])
    max([3, 1, 2], key=lambda x: sum(numbers(x)))
    asyncio.run(tree(2))
    json.dumps({"a": object()}, default=lambda o: recurse(1) or "x")
    generated()


def in_threads():
    threads = [threading.Thread(target=recurse, args=(i + 3,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
child = os.fork()
go = sys.stdin.buffer.raw
if child:
    print(json.dumps([os.getpid(), child]), flush=True)
    go.readline()
    all_kinds()
    in_threads()
    os.kill(child, signal.SIGUSR1)
    os.waitpid(child, 0)
else:
    signal.sigwait([signal.SIGUSR1])
    seen.clear()
    all_kinds()
    in_threads()
print(json.dumps([[stack, count] for stack, count in seen.items()]), flush=True)
if child:
    go.readline()
