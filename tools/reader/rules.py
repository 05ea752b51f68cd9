"""What a rule of docs/format.md is here, and bytes read by rules"""

import struct
from contextlib import contextmanager

MIB = 1 << 20
ZERO16, ZERO32 = bytes(16), bytes(32)
CHUNK, BUNDLE, MAP, TREE, SNAPSHOT = 1, 2, 3, 4, 6
TYPE_NAMES = {CHUNK: "chunk", BUNDLE: "bundle", MAP: "chunk map",
              TREE: "tree", SNAPSHOT: "snapshot payload"}
FILE, DIRECTORY, SYMLINK, FIFO, CHARACTER, BLOCK = range(1, 7)
LOCATIONS = {FILE: (0, 1, 2, 3, 4), DIRECTORY: (5,), SYMLINK: (6,),
             FIFO: (0,), CHARACTER: (7,), BLOCK: (7,)}
LINKED, XATTRS_INLINE, XATTRS_CHUNK, CHANGED, EXTRA = 1, 2, 4, 8, 16
HOLE = 0xffffffff
BATCH_BYTES = 32 * MIB
CACHE_BYTES = 64 * MIB


class Broken(Exception):
    """A rule of docs/format.md does not hold."""


places = []


@contextmanager
def at(place):
    """What is checked inside is said to be at that place."""
    places.append(place)
    try:
        yield
    except Broken as e:
        if not e.args[1:]:
            e.args = (": ".join([*map(str, places), e.args[0]]), True)
        raise
    finally:
        places.pop()


def need(holds, section, rule):
    if not holds:
        raise Broken(f"format.md {section}: {rule}")


class Reader:
    """Bytes from front to back, none beyond the end, none left over."""

    def __init__(self, data, section):
        self.data, self.section, self.pos = data, section, 0

    def take(self, n):
        need(len(self.data) - self.pos >= n, self.section,
             f"ends {n - (len(self.data) - self.pos)} bytes early")
        self.pos += n
        return self.data[self.pos - n:self.pos]

    def number(self, code):
        return struct.unpack("<" + code,
                             self.take(struct.calcsize(code)))[0]

    def u8(self):
        return self.number("B")

    def u16(self):
        return self.number("H")

    def u32(self):
        return self.number("I")

    def u64(self):
        return self.number("Q")

    def i64(self):
        return self.number("q")

    def zero(self, n):
        need(not any(self.take(n)), self.section, "a zero field is not zero")

    def text(self, n):
        found = self.take(n)
        need(b"\0" not in found, "1.1", "a text holds NUL")
        return found

    def ids(self, n):
        whole = self.take(32 * n)
        return [whole[i:i + 32] for i in range(0, 32 * n, 32)]

    def end(self):
        need(self.pos == len(self.data), self.section,
             f"{len(self.data) - self.pos} bytes are left over")


def sorted_unique(items):
    return all(a < b for a, b in zip(items, items[1:]))
