"""The bytes of files: bundles and chunks (format.md 6)"""

import os
from collections import OrderedDict

from reader import chunkers
from reader.pack import batches
from reader.place import apply
from reader.rules import BUNDLE, CHUNK, MIB, Reader, at, need


class Files:
    """The files' bytes, written to a folder and checked there"""

    def __init__(self, contents, folder, cuts):
        self.tools, self.keys = contents.tools, contents.keys
        self.objects, self.strict = contents.objects, contents.strict
        self.folder, self.bundles, self.cuts = folder, OrderedDict(), cuts
        self.min, self.average, self.max = (
            contents.header["chunk_" + x] for x in ("min", "average", "max"))
        self.chunker = chunkers.make(
            self.tools, contents.header["chunker"], self.keys.chunker
            ) if self.strict else None

    def stage(self, files):
        """Write {number: entry} as FOLDER/NUMBER, with all that they have."""
        for some in batches(list(files.items()), lambda f: 65536):
            names = []
            for number, e in some:
                names.append(os.path.join(self.folder, str(number)))
                with at(f"file {e.name!r}"), open(names[-1], "xb") as f:
                    self.write(f, e)
            sums = self.tools.blake3_files(names)
            for (_, e), name, sum_ in zip(some, names, sums):
                with at(f"file {e.name!r}"):
                    need(os.path.getsize(name) == e.size, "7.2",
                         "its size is another")
                    need(sum_ == e.address, "4",
                         "the address is not that of the content")
                apply(e, name)

    def write(self, f, e):
        if e.location == 1:
            f.write(e.inline)
        elif e.location == 2:
            some = self.bundle(e.bundle)
            need(e.member < len(some), "7.3", f"no member {e.member}")
            need(not self.strict or 128 < e.size < self.min, "6.1",
                 f"{e.size} bytes in a bundle")
            f.write(some[e.member])
        elif e.location in (3, 4):
            self.write_extents(f, e)

    def bundle(self, id_):
        """6.2: the members' bytes"""
        if id_ not in self.bundles:
            with at(f"bundle {id_.hex()}"):
                o = self.objects.get({id_: BUNDLE})[id_]
                r = Reader(o.payload, "6.2")
                count = r.u32()
                need(1 <= count <= 8192, "6.2", f"{count} members")
                lengths = [r.u32() for _ in range(count)]
                need(all(lengths), "6.2", "a member of no bytes")
                need(not self.strict or sum(lengths) <= 2 * MIB, "6.2",
                     "above 2 MiB")
                found = [r.take(n) for n in lengths]
                r.end()
                need(not o.refs, "3.1", "a bundle with refs")
                need(o.members == self.tools.blake3(
                    self.tools.blake3(found), key=self.keys.file_id), "6.2",
                     "the record's members are not the file ids")
                if self.strict:
                    self.check_bundle(lengths, o.members)
            self.bundles[id_] = found
            if len(self.bundles) > 8:
                self.bundles.popitem(last=False)
        return self.bundles[id_]

    @staticmethod
    def check_bundle(lengths, ids):
        """6.2: a writer goes on behind no member that closes"""
        total = 0
        for length, id_ in zip(lengths[:-1], ids):
            total += length
            mark = int.from_bytes(id_[:8], "little")
            need(total < MIB // 2 or mark >= length << 45, "6.2",
                 "a bundle goes on behind a member that closes it")

    def write_extents(self, f, e):
        need(sum(x[1] for x in e.extents) == e.size, "6.3",
             "the extents do not cover the size")
        need(all(a[0] or b[0] for a, b in zip(e.extents, e.extents[1:])),
             "6.3", "two holes follow each other")
        need(not self.strict or e.size >= self.min or
             not all(x[0] for x in e.extents), "6.1",
             "a small file without holes as extents")
        ends = [not x[0] for x in e.extents[1:]] + [True]
        for some in batches(list(zip(e.extents, ends)),
                            lambda x: min(x[0][1], 4 * MIB)):
            found = self.objects.get({x[0]: CHUNK for x, _ in some if x[0]})
            for (id_, length), end in some:
                if not id_:
                    f.seek(length, os.SEEK_CUR)
                    continue
                o = found[id_]
                need(not o.members, "3.1", "a chunk with members")
                need(len(o.payload) == length, "6.3",
                     "a chunk's length is not the extent's")
                f.write(o.payload)
                if self.strict and (id_, end) not in self.cuts:
                    self.check_cut(o.payload, end)
                    self.cuts.add((id_, end))
        f.truncate(e.size)

    def check_cut(self, chunk, end):
        """6.1: a writer cuts exactly where it must; `end`: at a file's end,
        or before a hole"""
        limit = (1 << 64) // (self.average - self.min)
        need(len(chunk) <= self.max, "6.1", "a chunk above the max")
        for n, value in enumerate(self.chunker.values(chunk, self.min),
                                  self.min):
            if value < limit:
                need(n == len(chunk), "6.1", "no cut at a mark")
                return
        need(end or len(chunk) == self.max, "6.1", "a cut at no mark")
