"""Three functions share the CPU time of a thread; at the end it says what share each one had, by the thread's own clock."""
import json
import sys
import time
import zlib

block = bytes(6_000_000)  # no memory is asked for while it runs: the kernel's part of that is for others to measure
spent = {"in_loop": 0.0, "in_library": 0.0, "in_calls": 0.0}


def in_loop():
    total = 0
    for i in range(30000):
        total += i * i
    return total


def in_library():
    return zlib.crc32(block)


def small(n):
    return n + 1


def in_calls():
    n = 0
    while n < 40000:
        n = small(n)
    return n


print("ready", flush=True)
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    for function in (in_loop, in_library, in_calls):
        begin = time.thread_time()
        function()
        spent[function.__name__] += time.thread_time() - begin
print(json.dumps(spent), flush=True)
