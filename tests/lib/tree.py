#!/usr/bin/env python3
"""Make a small tree of everything that a backup must bring back.

usage: tree.py DIR
"""

import os
import random
import struct
import subprocess
import sys

MIB = 1 << 20
ROOT = os.geteuid() == 0


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def contents(rng):
    write("empty", b"")
    for size in (1, 127, 128, 129, 4095, 131071, 131072, 524288, 1048577):
        write(f"size-{size}", rng.randbytes(size))
    write("text", b"the quick brown fox, again and again\n" * 30000)
    # More than 16 chunks of at most 1 MiB: a chunk map.
    write("large", rng.randbytes(18 * MIB))
    os.mkdir("small files")
    for i in range(400):
        write(f"small files/{i:03}", rng.randbytes(rng.randrange(5000)))
    os.mkdir("empty directory")


def holes(rng):
    with open("holes", "wb") as f:
        for offset in (0, 3 * MIB, 3 * MIB + 8192, 7 * MIB):
            f.seek(offset)
            f.write(rng.randbytes(4096))
        f.truncate(9 * MIB)
    with open("only a hole", "wb") as f:
        f.truncate(5 * MIB)
    with open("small hole", "wb") as f:
        f.truncate(65536)
    write("allocated zeros", bytes(2 * MIB))


def names():
    os.mkdir("names")
    for name in (b"new\nline", b"tab\tand\x1b[31mred", b"\xff\xfe not UTF-8",
                 b"n" * 255, b" ", b"-rf", b"back\\slash", b"*?[a]", b"...",
                 "\u00fcml\u00e4ut".encode(), "u\u0308".encode(), b"a.shamo",
                 b".shamo2", b"quote'\"quote", b"%s%n", b"\x01\x7f"):
        write(b"names/" + name, name)
    os.mkdir(b"names/directory\n\xff")
    write(b"names/directory\n\xff/file", b"x")
    path = "deep"
    for level in range(300):
        os.mkdir(path)
        path += f"/{level % 10}"
    write(path, b"at the bottom\n")


def links():
    os.symlink("text", "link")
    os.symlink("nowhere/at/all", "dangling")
    os.symlink("/" + "t" * 4000, "long target")
    os.symlink(b"\xff\n", b"odd target")
    os.mkdir("elsewhere")
    for name, size in (("tiny", 20), ("small", 3000), ("big", 300000)):
        write(f"linked-{name}", os.urandom(size))
        os.link(f"linked-{name}", f"elsewhere/{name}")
        os.link(f"linked-{name}", f"elsewhere/{name}-2")
    os.link("link", "elsewhere/linked symlink", follow_symlinks=False)
    os.mkfifo("fifo", 0o640)
    os.link("fifo", "elsewhere/linked fifo")


def modes():
    os.mkdir("modes")
    for mode in (0o0, 0o400, 0o644, 0o755, 0o777, 0o4755, 0o2755, 0o6711,
                 0o1644):
        write(f"modes/{mode:o}", b"%o" % mode)
        os.chmod(f"modes/{mode:o}", mode)
    for mode in (0o1777, 0o2775, 0o555):
        os.mkdir(f"modes/dir-{mode:o}")
        write(f"modes/dir-{mode:o}/file", b"inside")
        os.chmod(f"modes/dir-{mode:o}", mode)


def xattrs():
    os.mkdir("xattrs")
    write("xattrs/file", b"with attributes")
    os.setxattr("xattrs/file", "user.comment", b"said of a file")
    os.setxattr("xattrs/file", "user.empty", b"")
    os.setxattr("xattrs/file", "user.binary", bytes(range(256)))
    write("xattrs/many", b"")
    for i in range(30):
        os.setxattr("xattrs/many", f"user.attribute.{i}", os.urandom(60))
    os.setxattr("xattrs", "user.comment", b"said of a directory")
    write("xattrs/acl", b"for some")
    subprocess.run(["setfacl", "-m", "u:12345:rw,g:54321:r", "xattrs/acl"],
                   check=True)
    os.mkdir("xattrs/default acl")
    subprocess.run(["setfacl", "-d", "-m", "u:12345:rwx",
                    "xattrs/default acl"], check=True)
    if ROOT:
        os.setxattr("xattrs/file", "trusted.secret", b"root's own")
        # cap_net_raw+ep, as setcap would write it
        os.setxattr("xattrs/file", "security.capability",
                    struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))
        os.symlink("nowhere", "xattrs/link")
        os.setxattr("xattrs/link", "trusted.link", b"of a link",
                    follow_symlinks=False)


def owners():
    os.mkdir("owners")
    for i, (uid, gid) in enumerate(((1, 2), (65534, 65534), (2000000000, 7))):
        write(f"owners/{i}", b"somebody's")
        os.chown(f"owners/{i}", uid, gid)
        os.symlink("target", f"owners/link-{i}")
        os.lchown(f"owners/link-{i}", uid, gid)
    write("owners/setuid", b"of another")
    os.chown("owners/setuid", 33, 33)
    os.chmod("owners/setuid", 0o4755)
    os.mkdir("devices")
    os.mknod("devices/null", 0o020666, os.makedev(1, 3))
    os.mknod("devices/wide", 0o020600, os.makedev(300, 70000))
    os.mknod("devices/block", 0o060640, os.makedev(7, 200))


def times():
    os.mkdir("times")
    for name, ns in (("past", -1_500_000_001), ("epoch", 0), ("one", 1),
                     ("future", 4_102_444_800_123_456_789)):
        write(f"times/{name}", name.encode())
        os.utime(f"times/{name}", ns=(ns, ns))
    os.symlink("past", "times/link")
    os.utime("times/link", ns=(7, 123456789), follow_symlinks=False)
    os.utime("empty directory", ns=(5, 1_000_000_000_000_000_003))
    os.utime("times", ns=(5, 999_999_999))


def main():
    os.makedirs(sys.argv[1], exist_ok=True)
    os.chdir(sys.argv[1])
    os.umask(0o022)
    rng = random.Random(2026)
    contents(rng)
    holes(rng)
    names()
    links()
    modes()
    xattrs()
    if ROOT:
        owners()
    times()


if __name__ == "__main__":
    main()
