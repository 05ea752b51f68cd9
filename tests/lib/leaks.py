#!/usr/bin/env python3
"""Look for the plaintext of a tree where none may be.

usage: leaks.py SOURCE PLACE...

From SOURCE: every name and link target of at least 6 bytes, pieces of every
file's contents and xattrs, and every address, as hexadecimal digits and as
bytes.  Prints each find and exits 1 when there is one; the last line says how
many needles were looked for in how many bytes.
"""

import os
import stat
import sys

import address


def pieces(path):
    """Three runs of 16 bytes of a file, unless they are too plain to prove
    anything."""
    size = os.path.getsize(path)
    with open(path, "rb") as f:
        for offset in {0, size // 2, max(0, size - 16)}:
            f.seek(offset)
            data = f.read(16)
            if len(data) >= 8 and len(set(data)) >= 5:
                yield data


def needles(source):
    """{bytes: what it is}"""
    found = {}
    root, below = address.scan(source)
    below[os.fsencode(source)] = root
    for path, key in below.items():
        shown = repr(path)
        found[key] = "address of " + shown
        found[key.hex().encode()] = "key of " + shown
        found[key.hex().upper().encode()] = "key of " + shown
        name = os.path.basename(path)
        if len(name) >= 6:
            found[name] = "name " + shown
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            target = os.readlink(path)
            if len(target) >= 6:
                found[target] = "target of " + shown
        elif stat.S_ISREG(mode):
            found.update((p, "content of " + shown) for p in pieces(path))
        if not stat.S_ISLNK(mode):
            for x in os.listxattr(path):
                if x.startswith("user."):
                    found[os.getxattr(path, x)] = "xattr of " + shown
                    found[x.encode()] = "xattr name of " + shown
    # The address of what is empty is no secret, and nor is a short value.
    empty = address.b3sum(b"")
    return {n: what for n, what in found.items()
            if len(n) >= 6 and empty not in (n, n[:32]) and
            n.lower() != empty.hex().encode()}


def files(place):
    if not os.path.isdir(place):
        yield place
    for folder, _, names in os.walk(place):
        yield folder
        for name in names:
            yield os.path.join(folder, name)


def main():
    looked_for, bytes_seen, bad = needles(sys.argv[1]), 0, 0
    for place in sys.argv[2:]:
        for path in files(place):
            data = os.fsencode(os.path.basename(path))
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    data += f.read()
            bytes_seen += len(data)
            for needle, what in looked_for.items():
                if needle in data:
                    print(f"{path} holds the {what}")
                    bad = 1
    print(f"looked for {len(looked_for)} needles in {bytes_seen} bytes")
    return bad


if __name__ == "__main__":
    sys.exit(main())
