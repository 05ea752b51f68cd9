"""Tombstones and times of arrival (format.md 8.3, 9.3)"""

import glob
import os
import re
import sys

from nacl import bindings as sodium
from nacl.exceptions import CryptoError

from reader.rules import Broken, Reader, at, need


class Tombstone:
    """Section 8.3: that the store retired a snapshot"""

    def __init__(self, tools, keys, path, mount, store):
        name = os.path.basename(path)
        need(re.fullmatch("[0-9]{10}\\.tomb", name), "8.3",
             "a tombstone is SEQ.tomb, with 10 digits")
        with open(path, "rb") as f:
            data = f.read(217)
        need(len(data) == 216, "8.3", f"a tombstone of {len(data)} bytes")
        message, sum_ = tools.blake3([data[:-96], data[:-32]])
        need(sum_ == data[-32:], "8.3", "the checksum is wrong")
        r = Reader(data[:-96], "8.3")
        need(r.take(4) == b"HST1", "8.3", "the magic is wrong")
        self.reason = r.u32()
        need(r.take(16) == keys.vault, "8.3", "a tombstone of another vault")
        need(r.take(16) == mount["id"], "8.3",
             "a tombstone of another mount")
        self.seq = r.u64()
        need(1 <= self.seq == int(name[:10]), "8.3",
             "the server sequence is not the file's name")
        self.client_seq, self.hash = r.u64(), r.take(32)
        self.received, self.arrived, self.retired, self.wall = (
            r.i64() for _ in range(4))
        r.end()
        context = b"hashstore tombstone v1"
        try:
            sodium.crypto_sign_open(data[-96:-32] + bytes([len(context)]) +
                                    context + message, store)
        except CryptoError:
            need(False, "8.3", "the signature is not the store's")


def read_all(folder, kind, mount, strict, read):
    """[read(path)] of the files of a mount; without the broken ones, which are
    fatal where strict"""
    found = []
    for path in sorted(glob.glob(
            f"{glob.escape(folder)}/{kind}/{mount['id'].hex()}/*")):
        try:
            with at(path):
                found.append(read(path))
        except Broken as e:
            if strict:
                raise
            print(f"restore.py: {e.args[0]}", file=sys.stderr)
    return found


def read_tombstones(tools, keys, folder, mount, store, strict):
    """{sequence: tombstone} of a mount"""
    return {t.seq: t for t in read_all(
        folder, "retired", mount, strict,
        lambda path: Tombstone(tools, keys, path, mount, store))}


def read_times(tools, keys, folder, mount, strict):
    """{sequence: store time of arrival} (9.3)"""
    def read(path):
        name = os.path.basename(path)
        need(re.fullmatch("[0-9]{10}\\.time", name), "9.3",
             "times are SEQ.time, with 10 digits")
        with open(path, "rb") as f:
            data = f.read(40 + 4096 * 16 + 33)
        need(tools.blake3([data[:-32]])[0] == data[-32:], "9.3",
             "the checksum is wrong")
        r = Reader(data[:-32], "9.3")
        need(r.take(4) == b"HSC1", "9.3", "the magic is wrong")
        count = r.u32()
        need(1 <= count <= 4096, "9.3", f"{count} times")
        need(r.take(16) == keys.vault and r.take(16) == mount["id"], "9.3",
             "of another vault or mount")
        some = [(r.u64(), r.i64()) for _ in range(count)]
        r.end()
        need(all(a[0] < b[0] for a, b in zip(some, some[1:])) and
             some[-1][0] == int(name[:10]), "9.3",
             "sequences do not ascend up to the file's name")
        need(all(ns >= 0 for _, ns in some), "9.3", "a negative stamp")
        return some
    # Of two that tell of one snapshot the later counts.
    return dict(sorted(pair for some in read_all(
        folder, "times", mount, strict, read) for pair in some))


def arrival(times, seq):
    """9.3: its own time, or that of the next one that has one, or None"""
    later = [s for s in times if s >= seq]
    return times[min(later)] if later else None


def explain(before, snapshot, tombstones):
    """8.3: do tombstones tell of all between?  (client sequence, hash) of
    what the snapshot follows"""
    client_seq, hash_ = before
    for _, t in sorted(tombstones.items()):
        if t.client_seq == client_seq + 1 and t.seq < snapshot.seq:
            client_seq, hash_ = t.client_seq, t.hash
    return client_seq, hash_
