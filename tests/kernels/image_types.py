#!/usr/bin/env python3
"""image_types.py IMAGE BTF: writes the kernel's types to BTF, found in an arm64 kernel's Image.

Such an Image is no ELF file (Documentation/arch/arm64/booting.rst): what section .BTF held stands somewhere in it and
begins with a header that says its own size (include/uapi/linux/btf.h, struct btf_header).
"""
import struct
import sys

HEADER = struct.Struct("<HBBIIIII")  # magic, version, flags, hdr_len, then offset and size of types and of strings
START = struct.pack("<HBBI", 0xEB9F, 1, 0, HEADER.size)


def types_in(image):
    """The largest that is whole: other files with types may be within the Image, as modules built in."""
    found, at = b"", image.find(START)
    while at >= 0:
        types, type_bytes, strings, string_bytes = HEADER.unpack_from(image, at)[4:]
        end = at + HEADER.size + strings + string_bytes
        if types == 0 and strings == type_bytes and end <= len(image) and image[end - 1] == 0:
            found = max(found, image[at:end], key=len)
        at = image.find(START, at + 1)
    return found


def main():
    with open(sys.argv[1], "rb") as f:
        types = types_in(f.read() + bytes(HEADER.size))
    if not types:
        sys.exit(f"{sys.argv[1]}: no types in it")
    with open(sys.argv[2], "wb") as f:
        f.write(types)


if __name__ == "__main__":
    main()
