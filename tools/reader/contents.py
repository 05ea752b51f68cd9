"""From a root to its extents: trees, addresses (format.md 4), chunk maps"""

import struct

from reader.pack import batches
from reader.rules import CHUNK, DIRECTORY, FILE, MAP, MIB, SYMLINK, TREE, \
    Reader, at, need
from reader.tree import Refs, Tree, below, read_extents, read_xattrs


class Contents:
    """Everything below a snapshot's root, checked but for the files' bytes"""

    def __init__(self, tools, keys, objects, snapshot, header, strict):
        self.tools, self.keys, self.objects = tools, keys, objects
        self.header, self.strict, self.root = header, strict, snapshot.root
        self.trees, self.entries = {}, {}
        self.read_trees()
        self.assemble(snapshot)
        every = [self.root] + [e for some in self.entries.values()
                               for e in some]
        self.read_xattrs(every)
        self.check_addresses(every)
        self.read_maps([e for e in every if e.location == 4])

    def read_trees(self):
        wanted = {self.root.below[0]}
        while wanted:
            found = {}
            for some in batches(sorted(wanted), lambda _: 32768):
                for o in self.objects.get(dict.fromkeys(some, TREE)).values():
                    found[o.id] = Tree(o)
            self.trees.update(found)
            wanted = set()
            for tree in found.values():
                wanted |= {i[0] for i in tree.items} if tree.level else \
                    {e.below[0] for e in tree.items if e.kind == DIRECTORY}
            wanted -= self.trees.keys()

    def assemble(self, snapshot):
        files = directories = size = 0
        todo = [(self.root, 0)]
        while todo:
            d, depth = todo.pop()
            need(depth < 8192, "1.3", "directories nested too deeply")
            if d.below not in self.entries:
                levels = {}
                self.entries[d.below] = below(self.trees, *d.below, levels)
                if self.strict:
                    self.check_splits(levels)
            entries = self.entries[d.below]
            need(d.size == len(entries), "7.2",
                 f"{len(entries)} entries in a directory of size {d.size}")
            directories += 1
            for e in entries:
                if e.kind == DIRECTORY:
                    todo.append((e, depth + 1))
                else:
                    files += 1
                    size += e.size if e.kind == FILE else 0
        need((files, directories, size) == (
            snapshot.files, snapshot.directories, snapshot.bytes), "8.1",
             "files, directories or bytes are not what is there")

    def children(self, e):
        return self.entries[e.below]

    def check_splits(self, levels):
        """7.1: a writer closes leaves and nodes exactly where it must"""
        for level, trees in levels.items():
            names = [n for t in trees for n in t.names]
            marks = [int.from_bytes(m[:8], "little") for m in
                     self.tools.blake3(names, key=self.keys.split)]
            need(level < max(levels) or len(trees) == 1, "7.1",
                 "no root at the first level with one tree")
            need(level == 0 or len(levels[level - 1]) > 1, "7.1",
                 "a node over a single tree")
            at_item = 0
            for t, following in zip(trees, trees[1:] + [None]):
                size = 8
                for n, item in enumerate(t.sizes):
                    size += item
                    split = size >= 16384 and not \
                        marks[at_item] >> (7 * level) & 127
                    last = n == len(t.sizes) - 1
                    at_item += 1
                    need(last or not split, "7.1", "a mark does not split")
                    need(size <= 262144 or len(t.sizes) == 1, "7.1",
                         "above 256 KiB")
                    if last and following and not split:
                        need(size + following.sizes[0] > 262144, "7.1",
                             f"split without a mark at level {level}")

    def read_xattrs(self, every):
        some = [e for e in every if e.xattr_chunk]
        for part in batches(some, lambda _: MIB):
            found = self.objects.get({e.xattr_chunk: CHUNK for e in part})
            for e in part:
                block = found[e.xattr_chunk].payload
                need(len(block) > 1024 or not self.strict, "7.4",
                     f"an xattr chunk of {len(block)} bytes")
                e.xattrs = read_xattrs(block)

    def check_addresses(self, every):
        """Section 4, all but the files' bytes that stand elsewhere"""
        plain, directories = [], []
        for e in every:
            if e.kind == DIRECTORY:
                directories.append((e, b"".join(
                    struct.pack("<BH", c.kind, len(c.name)) + c.name +
                    c.address for c in self.children(e))))
            elif e.kind == SYMLINK:
                plain.append((e, e.target))
            elif e.location == 7:
                plain.append((e, struct.pack("<II", *e.device)))
            elif e.location in (0, 1):
                plain.append((e, e.inline if e.location else b""))
        for some, context in ((plain, None),
                              (directories, "hashstore 2026 directory v1")):
            sums = self.tools.blake3([data for _, data in some],
                                     context=context)
            for (e, _), sum_ in zip(some, sums):
                need(sum_ == e.address, "4",
                     f"the address of {e.name!r} is not that of its content")

    def read_maps(self, files):
        """6.3: replace chunk maps by the extents that they lead to"""
        files = list({id(e): e for e in files}.values())
        for e in files:
            e.extents, e.maps = [(e.below[0], e.size)], []
        for level in range(7, -1, -1):
            todo = [e for e in files if e.below[1] >= level]
            ids = sorted({x[0] for e in todo for x in e.extents})
            maps = {}
            for some in batches(ids, lambda _: 262144):
                for o in self.objects.get(dict.fromkeys(some, MAP)).values():
                    maps[o.id] = self.read_map(o, level)
            for e in todo:
                for id_, length in e.extents:
                    need(sum(x[1] for x in maps[id_]) == length, "6.3",
                         f"map {id_.hex()} does not cover {length} bytes")
                e.maps.insert(0, [maps[x[0]] for x in e.extents])
                e.extents = [x for some in e.maps[0] for x in some]
        if self.strict:
            for e in files:
                self.check_maps(e.maps, len(e.extents))

    @staticmethod
    def read_map(o, level):
        with at(f"chunk map {o.id.hex()}"):
            r, refs = Reader(o.payload, "6.3"), Refs(o.refs)
            need(r.u8() == level, "6.3", f"not of level {level}")
            r.zero(3)
            count = r.u32()
            need(1 <= count <= 4096, "6.3", f"{count} extents")
            extents = read_extents(r, count, refs)
            need(not level or all(x[0] for x in extents), "6.3",
                 "a hole above level 0")
            r.end()
            refs.end()
            return extents

    @staticmethod
    def check_maps(levels, count):
        """6.3: a writer closes maps exactly where it must"""
        need(count > 16, "6.3", f"a map for {count} extents")
        marks = [int.from_bytes((x[0] or b"\xff" * 8)[:8], "little")
                 for extents in levels[0] for x in extents]
        for n, maps in enumerate(levels):
            need((len(maps) == 1) == (n == len(levels) - 1), "6.3",
                 "the top map is not the first that stands alone")
            first, ends = 0, []
            for i, extents in enumerate(maps):
                for k in range(1, len(extents) + 1):
                    mark = marks[first + k - 1]
                    closed = k == 4096 or \
                        k >= 64 and not mark >> (9 * n) & 511
                    last = k == len(extents)
                    need(closed == last or last and i + 1 == len(maps),
                         "6.3", f"a map of level {n} is closed elsewhere")
                first += len(extents)
                ends.append(mark)
            marks = ends
