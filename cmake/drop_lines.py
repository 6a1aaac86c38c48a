#!/usr/bin/env python3
"""drop_lines.py OBJECT: takes the lines of source out of a BPF object, so that bpftool's linker leaves them out.

For each instruction that begins a line, .BTF.ext says which line of which file it is and what stands there. Its one
reader is the verifier, which quotes the lines in its log. The kernel is given all of it with each program, and it is a
third of an object. What is changed is the length of that part in the section's header (struct btf_ext_header of libbpf),
in place: the linker takes over nothing of it, nor its strings.
"""
import struct
import sys

LINES_LENGTH = 20  # where it stands in the header


def section(elf, wanted):
    """Where it begins in a 64-bit ELF file of little endian."""
    table, = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3A)
    sections = [struct.unpack_from("<IIQQQQ", elf, table + i * size) for i in range(count)]
    for name, _, _, _, offset, _ in sections:
        at = sections[names][4] + name
        if elf[at:elf.index(b"\0", at)] == wanted:
            return offset
    return None


def main():
    with open(sys.argv[1], "r+b") as f:
        at = section(f.read(), b".BTF.ext")
        if at is None:
            return f"{sys.argv[1]}: no section .BTF.ext"
        f.seek(at + LINES_LENGTH)
        f.write(bytes(4))
    return 0


if __name__ == "__main__":
    sys.exit(main())
