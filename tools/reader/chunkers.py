"""The value of the 64 bytes in front of each position (format.md 6.1)"""

import struct
import sys
from array import array
from operator import xor

from reader.rules import need

MASK = (1 << 64) - 1
MODULUS = 1 << 64 | 0x1b


class Gear:
    """6.1.1"""

    def __init__(self, tools, key):
        self.table = struct.unpack("<256Q", tools.blake3(
            [b"gear"], key=key, length=2048)[0])

    def values(self, data, low):
        """Those at low, low + 1, ... len(data), low being at least 64"""
        h = 0
        for n, byte in enumerate(data[low - 64:], low - 63):
            h = (h << 1) + self.table[byte] & MASK
            if n >= low:
                yield h


class Private:
    """6.1.2"""

    def __init__(self, tools, key):
        self.tools = tools
        derived = tools.blake3([key], length=144,
                               context="hashstore 2026 private chunker v1")[0]
        self.key, numbers = derived[:16], struct.unpack("<16Q", derived[16:])
        # For each half what a byte adds, and what it has become by the time
        # at which it leaves: 64 times multiplied by x.
        self.tables = []
        for half in (0, 1):
            come = [sum_of(numbers[half::2], byte) for byte in range(256)]
            gone = come
            for _ in range(64):
                gone = [times_x(v) for v in gone]
            self.tables.append((come, gone))

    def digests(self, data):
        """Of the 64 bytes that end at 64, 65, ... len(data)"""
        (come, gone), (come1, gone1) = self.tables
        a = b = 0
        for byte in data[:64]:
            a = times_x(a) ^ come[byte]
            b = times_x(b) ^ come1[byte]
        found = array("Q", (a, b))
        add = found.append
        # What is added at each position, then the rolling, spelled out: this
        # is where the time goes.
        for one, two in zip(
                map(xor, map(come.__getitem__, data[64:]),
                    map(gone.__getitem__, data)),
                map(xor, map(come1.__getitem__, data[64:]),
                    map(gone1.__getitem__, data))):
            a = a << 1 ^ one
            if a > MASK:
                a ^= MODULUS
            b = b << 1 ^ two
            if b > MASK:
                b ^= MODULUS
            add(a)
            add(b)
        if sys.byteorder == "big":
            found.byteswap()
        return found.tobytes()

    def values(self, data, low):
        """Those at low, low + 1, ... len(data), low being at least 64"""
        if len(data) < low:
            return []
        blocks = self.tools.aes128(self.key, self.digests(data[low - 64:]))
        return struct.unpack("<" + "Q8x" * (len(blocks) // 16), blocks)


def times_x(v):
    """modulo x^64 + x^4 + x^3 + x + 1"""
    return v << 1 & MASK ^ 0x1b if v >> 63 else v << 1


def sum_of(numbers, byte):
    total = 0
    for bit in range(8):
        if byte >> bit & 1:
            total ^= numbers[bit]
    return total


def make(tools, id_, key):
    need(id_ in (1, 2), "6.1", f"unknown chunker {id_}")
    return (Gear if id_ == 1 else Private)(tools, key)
