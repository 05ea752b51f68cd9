"""Records and packs (format.md 3), and objects by their ids"""

import glob
import os
import re
import struct
import sys
from collections import OrderedDict
from contextlib import contextmanager

from reader.rules import BATCH_BYTES, BUNDLE, CACHE_BYTES, CHUNK, MIB, \
    TYPE_NAMES, ZERO16, Broken, Reader, at, need, sorted_unique
from reader.seal import Sealed, unseal


class Listed:
    """Where a record is, as a footer says"""

    def __init__(self, pack, r):
        self.pack, self.id, self.checksum = pack, r.take(32), r.take(32)
        self.offset, self.length, self.epoch = r.u32(), r.u32(), r.u32()
        self.nrefs, self.nmembers, self.cls = r.u32(), r.u32(), r.u8()
        r.zero(3)


def read_footer(tools, vault, path):
    """The entries of a pack, after all checks of what is not in its records"""
    name = os.path.basename(path)[:-5]
    need(re.fullmatch("[0-9a-f]{64}", name) and path.endswith(".pack") and
         os.path.basename(os.path.dirname(path)) == name[:2], "9",
         "a pack is packs/ab/HEX.pack")
    with open(path, "rb") as f:
        size = os.fstat(f.fileno()).st_size
        need(48 + 16 <= size <= 64 * MIB, "1.3, 3.2",
             f"a pack of {size} bytes")
        header = f.read(48)
        f.seek(-16, os.SEEK_END)
        offset, length, magic = struct.unpack("<QI4s", f.read(16))
        need(magic == b"HSPE", "3.2", "the trailer's magic is wrong")
        need(length <= 16 * MIB, "1.3", "a footer above 16 MiB")
        need(offset >= 48 and offset % 8 == 0 and
             offset + length + 16 == size, "3.2",
             "footer and trailer do not fill the pack's end")
        f.seek(offset)
        footer = f.read(length)
        sums = tools.blake3([footer, header])
        need(sums[0].hex() == name, "3.2",
             "the pack's name is not the hash of its footer")
        r = Reader(header, "3.2")
        need(r.take(4) == b"HSP1", "3.2", "the header's magic is wrong")
        cls = r.u8()
        need(cls in (1, 2), "2.2", f"unknown class {cls}")
        r.zero(3)
        need(r.take(16) == vault, "3.2", "a pack of another vault")
        r.take(16)
        r.zero(8)
        sections = {}
        r = Reader(footer, "3.2")
        while r.pos < len(footer):
            kind = r.u16()
            r.zero(2)
            body = r.take(r.u32())
            need(kind not in sections or kind > 2, "3.2",
                 f"section {kind} stands twice")
            sections[kind] = body
        need(1 in sections and 2 in sections, "3.2",
             "sections 1 and 2 must be present")
        need(sections[1] == sums[1], "3.2",
             "section 1 is not the hash of the header")
        r = Reader(sections[2], "3.2")
        count = r.u32()
        need(count <= 131072, "1.3", "a pack of more than 131,072 records")
        entries = [Listed(path, r) for _ in range(count)]
        r.end()
        pos = 48
        for e in entries:
            need(e.offset == pos, "3.2", "records have gaps or overlap")
            need(e.cls == cls, "3.2", "a record of another class")
            need(e.nrefs <= 32768 and e.nmembers <= 8192, "1.3",
                 "too many refs or members")
            need(not (e.nrefs if cls == 1 else e.nmembers), "3.1",
                 "refs in class data or members in class meta")
            sealed = e.length - 104 - 32 * (e.nrefs + e.nmembers)
            need(52 <= sealed <= 4.5 * MIB, "3.1",
                 f"a sealed length of {sealed}")
            pos += e.length
        f.seek(pos)
        need(0 <= offset - pos <= 7, "3.2",
             "the records do not end 0 to 7 bytes before the footer")
        need(not any(f.read(offset - pos)), "3.2",
             "the bytes before the footer are not zero")
    return entries


def read_record(entry, data, type_, checksum):
    """3.1: a record as Sealed"""
    need(checksum == data[-32:], "3.1", "the record's checksum is wrong")
    need(checksum == entry.checksum, "3.2",
         "the record's checksum is not the footer's")
    r = Reader(data[:-32], "3.1")
    need(r.take(4) == b"HSR1", "3.1", "the record's magic is wrong")
    cls, suite = r.u8(), r.u8()
    r.zero(2)
    epoch, nrefs, nmembers, sealed = r.u32(), r.u32(), r.u32(), r.u32()
    need(r.take(16) == ZERO16, "3.1", "a key id that is not zero")
    id_ = r.take(32)
    need((cls, epoch, nrefs, nmembers, id_) ==
         (entry.cls, entry.epoch, entry.nrefs, entry.nmembers, entry.id),
         "3.2", "the record and its entry in the footer differ")
    need(suite == 1, "3.1", f"unknown suite {suite}")
    refs, members = r.ids(nrefs), r.ids(nmembers)
    need(sorted_unique(refs), "3.1", "refs are not sorted and unique")
    body = r.take(sealed)
    r.end()
    if type_ is None:
        return None
    need(cls == (1 if type_ in (CHUNK, BUNDLE) else 2), "2.2",
         f"a {TYPE_NAMES[type_]} in class {cls}")
    return Sealed(type_, epoch, id_, refs, members, body)


class Objects:
    """All records of a vault, by id"""

    def __init__(self, tools, keys, folder, strict):
        self.tools, self.keys, self.strict = tools, keys, strict
        self.where, self.findings = {}, []
        self.cache, self.cached = OrderedDict(), 0
        self.pack, self.descriptor = None, -1
        marked = {os.path.basename(p)
                  for p in glob.glob(f"{glob.escape(folder)}/state/damage.*")}
        entries = []
        for path in sorted(glob.glob(f"{glob.escape(folder)}/packs/*/*")):
            with self.tolerated(path):
                entries += read_footer(tools, keys.vault, path)
        # What the store knows to be damaged comes last (9).
        entries.sort(key=lambda e: "damage.%s.%08x" % (
            os.path.basename(e.pack)[:-5], e.offset) in marked)
        for e in entries:
            self.where.setdefault(e.id, []).append(e)
        if strict:
            self.check_all(entries)

    @contextmanager
    def tolerated(self, place):
        """Another copy may serve instead, except where strict."""
        try:
            with at(place):
                yield
        except Broken as e:
            if self.strict:
                raise
            self.findings.append(e.args[0])
            print("restore.py: " + e.args[0], file=sys.stderr)

    def check_all(self, entries):
        for some in batches(entries, lambda e: e.length):
            self.read(some, [None] * len(some))

    def read(self, entries, types):
        """Records as Sealed; None where one is broken, or of no type"""
        datas, found = [], []
        for e in entries:
            if e.pack != self.pack:
                if self.descriptor >= 0:
                    os.close(self.descriptor)
                self.pack = e.pack
                self.descriptor = os.open(e.pack, os.O_RDONLY)
            datas.append(os.pread(self.descriptor, e.length, e.offset))
        sums = self.tools.blake3([d[:-32] for d in datas])
        for e, data, type_, sum_ in zip(entries, datas, types, sums):
            found.append(None)
            with self.tolerated(f"{e.pack}, record at {e.offset}"):
                found[-1] = read_record(e, data, type_, sum_)
        return found

    def get(self, wanted):
        """{id: Sealed with payload} of {id: type}; absent is fatal"""
        found, tries = {}, {}
        for id_ in wanted:
            if id_ in self.cache:
                self.cache.move_to_end(id_)
                found[id_] = self.cache[id_]
                need(found[id_].type == wanted[id_], "2.2",
                     "one object as two types")
            else:
                tries[id_] = 0
        while tries:
            for id_, n in tries.items():
                need(n < len(self.where.get(id_, [])), "1.2",
                     f"the {TYPE_NAMES[wanted[id_]]} {id_.hex()} is " +
                     ("broken" if n else "not there"))
            entries = [self.where[id_][n] for id_, n in tries.items()]
            for some in batches(entries, lambda e: e.length):
                opened = self.read(some, [wanted[e.id] for e in some])
                unseal(self.tools, self.keys, [o for o in opened if o],
                       self.strict)
                for e, o in zip(some, opened):
                    with self.tolerated(f"{e.pack}, record at {e.offset}"):
                        if o and o.error:
                            raise Broken(o.error)
                    if o and not o.error:
                        del tries[e.id]
                        found[e.id] = o
                        self.keep(o)
                    else:
                        tries[e.id] += 1
        return found

    def keep(self, o):
        o.sealed = o.frame = o.aad = None
        self.cache[o.id] = o
        self.cached += len(o.payload)
        while self.cached > CACHE_BYTES and len(self.cache) > 1:
            self.cached -= len(self.cache.popitem(last=False)[1].payload)


def batches(items, weight):
    some, total = [], 0
    for item in items:
        if some and total + weight(item) > BATCH_BYTES:
            yield some
            some, total = [], 0
        some.append(item)
        total += weight(item)
    if some:
        yield some
