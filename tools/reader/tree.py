"""Entries, trees (format.md 7) and extents (6.3)"""

from reader.rules import CHANGED, DIRECTORY, EXTRA, FILE, HOLE, LINKED, \
    LOCATIONS, MIB, XATTRS_CHUNK, XATTRS_INLINE, Reader, at, need, sorted_unique


class Entry:
    """7.2; what stands behind refs is filled in later"""


def read_xattrs(block):
    r = Reader(block, "7.4")
    count = r.u16()
    need(count >= 1, "7.4", "an xattr block without attributes")
    names, values = [], []
    for _ in range(count):
        length = r.u8()
        need(length >= 1, "7.4", "an attribute without a name")
        names.append(r.text(length))
        values.append(r.take(r.u32()))
    r.end()
    need(sorted_unique(names), "7.4", "attributes are not sorted and unique")
    return list(zip(names, values))


def read_extra(area):
    """7.5: {type: value} of what may be passed over"""
    r, found = Reader(area, "7.5"), []
    while r.pos < len(area):
        found.append((r.u16(), r.take(r.u16())))
    need(sorted_unique([kind for kind, _ in found]), "7.5",
         "types are not sorted and unique")
    return dict(found)


def read_extents(r, count, refs):
    """[(chunk or map id, None for a hole; length)]"""
    found = []
    for _ in range(count):
        n, length = r.u32(), r.u64()
        need(length >= 1, "6.3", "an extent of no bytes")
        found.append((None if n == HOLE else pick(refs, n), length))
    return found


def pick(refs, n):
    need(n < len(refs), "1.2", f"ref {n} of {len(refs)}")
    refs.used.add(n)
    return refs[n]


class Refs(list):
    """The refs of an object; all of them must be used."""

    def __init__(self, refs):
        super().__init__(refs)
        self.used = set()

    def end(self):
        need(len(self.used) == len(self), "1.2", "a ref that nothing uses")


def read_location(e, r, refs):
    need(e.location in LOCATIONS[e.kind], "7.3",
         f"location {e.location} of an entry of kind {e.kind}")
    if e.location == 0:
        need(e.size == 0, "7.3", "location 0 with a size")
    elif e.location == 1:
        need(1 <= e.size <= 4096, "7.3", f"{e.size} bytes inline")
        e.inline = r.take(e.size)
    elif e.location == 2:
        need(1 <= e.size <= 4 * MIB, "7.3", f"{e.size} bytes in a bundle")
        e.bundle, e.member = pick(refs, r.u32()), r.u32()
    elif e.location == 3:
        count = r.u32()
        need(1 <= count <= 16, "7.3", f"{count} extents in an entry")
        e.extents = read_extents(r, count, refs)
    elif e.location in (4, 5):
        e.below = pick(refs, r.u32()), r.u8()
        need(e.below[1] <= 7, "1.3", f"level {e.below[1]}")
    elif e.location == 6:
        need(1 <= e.size <= 4096, "7.3", f"a target of {e.size} bytes")
        e.target = r.text(e.size)
    else:
        e.device = r.u32(), r.u32()
        need(e.size == 0, "7.2", "a device with a size")


def read_entry(r, refs, root=False):
    e = Entry()
    e.kind, e.flags, length = r.u8(), r.u8(), r.u16()
    e.mode, e.location = r.u16(), r.u8()
    r.zero(1)
    need(e.kind in LOCATIONS, "4", f"unknown kind {e.kind}")
    need(e.flags < 32, "7.2", f"unknown flags {e.flags:#x}")
    need(e.flags & 6 != 6, "7.2", "flags 2 and 4 together")
    need(not (e.flags & LINKED and e.kind == DIRECTORY), "7.2",
         "a directory with flag 1")
    need(not (e.flags & CHANGED and e.kind != FILE), "7.2",
         "flag 8 on what is no file")
    need(e.mode <= 0o7777, "7.2", f"mode {e.mode:o}")
    e.uid, e.gid = r.u32(), r.u32()
    seconds, ns = r.i64(), r.u32()
    need(ns < 10 ** 9, "7.2", f"{ns} nanoseconds")
    e.mtime = seconds * 10 ** 9 + ns
    e.size, e.address = r.u64(), r.take(32)
    need((length == 0) == root and length <= 255, "7.2",
         f"a name of {length} bytes")
    e.name = r.text(length)
    need(e.name not in (b".", b"..", b".shamo") and b"/" not in e.name,
         "7.2", f"the name {e.name!r}")
    e.user, e.group = r.text(r.u8()), r.text(r.u8())
    e.link = r.take(16) if e.flags & LINKED else None
    e.xattrs, e.xattr_chunk = [], None
    if e.flags & XATTRS_INLINE:
        length = r.u32()
        need(length <= 1024, "7.4", f"{length} bytes of xattrs inline")
        e.xattrs = read_xattrs(r.take(length))
    elif e.flags & XATTRS_CHUNK:
        e.xattr_chunk = pick(refs, r.u32())
    if e.flags & EXTRA:
        need(read_extra(r.take(r.u16())), "7.5", "no extra items")
    read_location(e, r, refs)
    return e


class Tree:
    """7.1: .items are entries, or (id, entries, last name) in a node;
    .sizes what each takes"""

    def __init__(self, o):
        with at(f"tree {o.id.hex()}"):
            r, refs = Reader(o.payload, "7.1"), Refs(o.refs)
            self.level = r.u8()
            need(self.level <= 7, "1.3", f"level {self.level}")
            r.zero(3)
            self.items, self.sizes = [], []
            for _ in range(r.u32()):
                start = r.pos
                if self.level:
                    n, count, length = r.u32(), r.u64(), r.u16()
                    need(count >= 1, "7.1", "a node item of no entries")
                    need(1 <= length <= 255, "7.2", f"{length} bytes of name")
                    self.items.append((pick(refs, n), count, r.text(length)))
                else:
                    self.items.append(read_entry(r, refs))
                self.sizes.append(r.pos - start)
            r.end()
            refs.end()
            need(self.items or not self.level, "7.1", "an empty node")
            self.names = [i[2] if self.level else i.name for i in self.items]
            need(sorted_unique(self.names), "7.1",
                 "names are not sorted and unique")


def below(trees, id_, level, leaves):
    """The entries below a tree; appends the trees to leaves[level]"""
    tree = trees[id_]
    need(tree.level == level, "7.1", f"a tree of another level than {level}")
    leaves.setdefault(level, []).append(tree)
    if not level:
        return tree.items
    found = []
    for child, count, name in tree.items:
        some = below(trees, child, level - 1, leaves)
        with at(f"tree {id_.hex()}"):
            need(len(some) == count, "7.1",
                 f"{len(some)} entries where the node says {count}")
            need(some[-1].name == name, "7.1",
                 "ends with another name than the node says")
            need(not found or found[-1].name < some[0].name, "7.1",
                 "names of two leaves overlap")
        found += some
    return found
