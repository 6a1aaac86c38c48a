#!/usr/bin/env python3
"""confine.py ROOT CAPABILITIES COMMAND...: runs COMMAND as root of the folder ROOT with these capabilities (BPF,PERFMON)
and no way to any other, in a cgroup namespace of its own: what a container runtime does with a container that shares
the host's process ids. Needs root."""
import ctypes
import os
import sys

NUMBERS = {"DAC_READ_SEARCH": 2, "NET_ADMIN": 12, "SYS_PTRACE": 19, "SYS_ADMIN": 21, "SYS_RESOURCE": 24, "SYSLOG": 34,
           "PERFMON": 38, "BPF": 39}  # capabilities(7)
LAST = 63
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
CLONE_NEWCGROUP = 0x02000000


def main():
    root, names, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    kept = {NUMBERS[name] for name in names.split(",")}
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWCGROUP) != 0:
        sys.exit(f"unshare: {os.strerror(ctypes.get_errno())}")
    os.chroot(root)
    os.chdir("/")
    for number in set(range(LAST + 1)) - kept:
        libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)  # fails for those that this kernel does not know
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.execv(command[0], command)  # root's capabilities become what the bounding set has left


if __name__ == "__main__":
    main()
