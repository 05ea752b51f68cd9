#!/usr/bin/env python3
"""A random tree that reaches every kind of object of docs/format.md.

usage: random_tree.py make DIR SEED      into an absent DIR
       random_tree.py change DIR SEED    what may happen between two backups
       random_tree.py holes DIR          where the data of sparse files is
"""

import os
import random
import struct
import subprocess
import sys

KIB, MIB = 1 << 10, 1 << 20
ROOT = os.geteuid() == 0
LETTERS = [bytes([c]) for c in range(1, 256) if c != ord("/")]


class Tree:
    def __init__(self, rng):
        self.rng = rng
        self.files, self.directories = [], [b"."]

    def name(self):
        if self.rng.random() < 0.7:
            return b"%x" % self.rng.getrandbits(64)
        return b"~" + b"".join(self.rng.choices(
            LETTERS, k=self.rng.choice((1, 5, 30, 254))))

    def path(self):
        while True:
            path = os.path.join(self.rng.choice(self.directories),
                                self.name())
            if not os.path.lexists(path):
                return path

    def file(self, data):
        path = self.path()
        with open(path, "wb") as f:
            f.write(data)
        self.files.append(path)
        return path

    def data(self, size):
        """Incompressible, compressible, or with repetitions"""
        kind = self.rng.randrange(4)
        if kind == 0:
            return self.rng.randbytes(100) * (size // 100) + bytes(size % 100)
        if kind == 1:
            return bytes(self.rng.choices(b"abc \n", k=min(size, 300000))) + \
                bytes(max(0, size - 300000))
        return self.rng.randbytes(size)

    def small(self):
        for _ in range(self.rng.randrange(4, 12)):
            path = self.path()
            os.mkdir(path)
            self.directories.append(path)
        for limit, count in ((0, 3), (128, 60), (129, 3), (5000, 200),
                             (131072, 12), (600000, 3)):
            for _ in range(self.rng.randrange(count) + 1):
                self.file(self.data(self.rng.randint(limit // 2, limit)))

    def large(self):
        """Above 16 chunks: a chunk map; half of it again elsewhere"""
        data = self.rng.randbytes(self.rng.randrange(6 * MIB, 8 * MIB))
        self.file(data)
        self.file(data[len(data) // 2:] + data[:MIB])
        self.file(bytes(self.rng.randrange(MIB, 3 * MIB)))

    def sparse(self):
        """The last: enough extents for several chunk maps under another"""
        for count, step in ((0, 1), (3, 300000), (40, 70000),
                            (self.rng.randrange(1200, 1800), 8192)):
            with open(self.file(b""), "r+b") as f:
                for i in range(count):
                    f.seek(i * step // 4096 * 4096)
                    f.write(self.rng.randbytes(4096))
                f.truncate(count * step + self.rng.randrange(MIB))

    def many(self):
        """Directories of more than one leaf; one that joins all others'"""
        for count in (300, self.rng.randrange(600, 1200)):
            path = self.path()
            os.mkdir(path)
            for i in range(count):
                with open(os.path.join(path, b"%d-" % i +
                                       b"n" * self.rng.randrange(60)),
                          "wb") as f:
                    f.write(b"%d" % i * self.rng.randrange(20))

    def others(self):
        for _ in range(5):
            os.symlink(self.name() * self.rng.randint(1, 15), self.path())
        os.mkfifo(self.path(), 0o600)
        if ROOT:
            os.mknod(self.path(), 0o020600, os.makedev(300, 70000))
            os.mknod(self.path(), 0o060600, os.makedev(7, 1))

    def link(self):
        for path in self.rng.sample(self.files, 6):
            for _ in range(self.rng.randint(1, 3)):
                os.link(path, self.path())

    def attributes(self):
        some = self.rng.sample(self.files, 10) + self.directories[:3]
        for path in some:
            for i in range(self.rng.randint(1, 3)):
                os.setxattr(path, b"user.a%d" % i, self.rng.randbytes(
                    self.rng.choice((0, 10, 300, 900))))
        # Larger than stands in an entry: a chunk of its own.
        os.setxattr(some[0], "user.large", self.rng.randbytes(2000))
        subprocess.run(["setfacl", "-m", "u:12345:rw", "--", some[1]],
                       check=True)
        subprocess.run(["setfacl", "-d", "-m", "g:54321:rx", "--", some[-1]],
                       check=True)
        if ROOT:
            os.setxattr(some[2], "trusted.t", b"root's")
            os.setxattr(some[3], "security.capability",
                        struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))

    def status(self):
        for path in self.rng.sample(self.files, 20) + self.directories[1:3]:
            if ROOT:
                os.lchown(path, self.rng.randrange(1 << 31),
                          self.rng.randrange(1 << 31))
            os.chmod(path, self.rng.randrange(0o10000) | 0o700)
            ns = self.rng.randrange(-10 ** 18, 4 * 10 ** 18)
            os.utime(path, ns=(ns, ns))

    def make(self):
        self.small()
        self.large()
        self.sparse()
        self.many()
        self.others()
        self.link()
        self.status()
        self.attributes()

    def find(self):
        for top, directories, names in os.walk(b"."):
            self.directories += [os.path.join(top, d) for d in directories]
            self.files += [p for p in (os.path.join(top, n) for n in names)
                           if os.path.isfile(p) and not os.path.islink(p)]
        self.directories.sort()
        self.files.sort()

    def change(self):
        self.find()
        for path in self.rng.sample(self.files, 20):
            os.unlink(path)
            self.files.remove(path)
        for path in self.rng.sample(self.files, 20):
            size = os.path.getsize(path)
            with open(path, "r+b") as f:
                f.seek(self.rng.randint(0, size))
                f.write(self.rng.randbytes(self.rng.choice((1, 9000))))
        largest = max(self.files, key=os.path.getsize)
        with open(largest, "r+b") as f:
            f.seek(self.rng.randrange(os.path.getsize(largest)))
            f.write(b"inserted")
        for path in self.rng.sample(self.files, 10):
            os.rename(path, self.path())
        self.files = [p for p in self.files if os.path.exists(p)]
        for _ in range(20):
            self.file(self.data(self.rng.randrange(3000)))
        self.status()


def holes(top):
    for folder, directories, names in os.walk(os.fsencode(top)):
        directories.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if status.st_mode & 0o170000 != 0o100000:
                continue
            with open(path, "rb") as f:
                pos, found = 0, []
                while pos < status.st_size:
                    try:
                        data = os.lseek(f.fileno(), pos, os.SEEK_DATA)
                    except OSError:
                        break
                    pos = os.lseek(f.fileno(), data, os.SEEK_HOLE)
                    found.append((data, pos))
            if found != [(0, status.st_size)][:status.st_size]:
                print(path[len(top):], found)


def main():
    if sys.argv[1] == "holes":
        holes(sys.argv[2])
        return
    os.umask(0o022)
    if sys.argv[1] == "make":
        os.mkdir(sys.argv[2])
    os.chdir(sys.argv[2])
    tree = Tree(random.Random(sys.argv[3]))
    (tree.make if sys.argv[1] == "make" else tree.change)()


if __name__ == "__main__":
    main()
