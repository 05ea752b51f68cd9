#!/usr/bin/env python3
"""Addresses by docs/format.md section 4 and b3sum, without our code.

usage: address.py DIR           the key of a directory
       address.py --all DIR     a line `ADDRESS PATH` for every entry below it
"""

import os
import stat
import struct
import subprocess
import sys

CONTEXT = "hashstore 2026 directory v1"
KINDS = {stat.S_IFREG: 1, stat.S_IFDIR: 2, stat.S_IFLNK: 3, stat.S_IFIFO: 4,
         stat.S_IFCHR: 5, stat.S_IFBLK: 6}


def b3sum(data, *options):
    out = subprocess.run(["b3sum", "--no-names", *options], input=data,
                         stdout=subprocess.PIPE, check=True).stdout
    return bytes.fromhex(out.decode().strip())


def hash_files(paths):
    """b3sum of many files: {path: address}"""
    found = {}
    for i in range(0, len(paths), 500):
        some = paths[i:i + 500]
        out = subprocess.run(["b3sum", "--no-names", "--", *some],
                             stdout=subprocess.PIPE, check=True).stdout
        found.update(zip(some, map(bytes.fromhex, out.decode().split())))
    return found


def files_below(top):
    for folder, dirs, names in os.walk(top):
        dirs[:] = [d for d in dirs if d != b".shamo"]
        for name in names:
            path = os.path.join(folder, name)
            if name != b".shamo" and stat.S_ISREG(os.lstat(path).st_mode):
                yield path


def address(path, kind, status, files, seen):
    if kind == 1:
        return files[path]
    if kind == 2:
        return directory(path, files, seen)
    if kind == 3:
        return b3sum(os.readlink(path))
    if kind == 4:
        return b3sum(b"")
    return b3sum(struct.pack("<II", os.major(status.st_rdev),
                             os.minor(status.st_rdev)))


def directory(top, files, seen):
    entries = b""
    for name in sorted(os.listdir(top)):
        path = os.path.join(top, name)
        status = os.lstat(path)
        kind = KINDS.get(stat.S_IFMT(status.st_mode))
        if kind is None or name == b".shamo":
            continue
        found = address(path, kind, status, files, seen)
        seen[path] = found
        entries += struct.pack("<BH", kind, len(name)) + name + found
    return b3sum(entries, "--derive-key", CONTEXT)


def scan(top):
    """(address of a directory, {path: address} of all below it)"""
    sys.setrecursionlimit(100000)
    top = os.fsencode(top)
    seen = {}
    return directory(top, hash_files(sorted(files_below(top))), seen), seen


def main():
    if sys.argv[1] == "--all":
        for path, found in scan(sys.argv[2])[1].items():
            sys.stdout.buffer.write(found.hex().encode() + b" " + path + b"\n")
    else:
        print("X" + scan(sys.argv[1])[0].hex())


if __name__ == "__main__":
    main()
