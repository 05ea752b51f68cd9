"""Snapshots (format.md 8)"""

import os
import re

from nacl import bindings as sodium
from nacl.exceptions import CryptoError

from reader.rules import DIRECTORY, MIB, SNAPSHOT, ZERO16, Broken, Reader, \
    need, sorted_unique
from reader.seal import Sealed, unseal
from reader.tree import Refs, read_entry, read_extra


class Snapshot:
    """Section 8: envelope and payload"""

    def __init__(self, tools, keys, path, mount, strict):
        name = os.path.basename(path)
        need(re.fullmatch("[0-9]{10}\\.snap", name), "8",
             "a snapshot is SEQ.snap, with 10 digits")
        with open(path, "rb") as f:
            data = f.read(MIB + 1)
        need(len(data) <= MIB, "1.3", "a snapshot file above 1 MiB")
        need(tools.blake3([data[:-32]])[0] == data[-32:], "8",
             "the checksum is wrong")
        r = Reader(data[:-32], "8")
        need(r.take(4) == b"HSS1", "8", "the magic is wrong")
        epoch = r.u32()
        need(r.take(16) == keys.vault, "8", "a snapshot of another vault")
        need(r.take(16) == mount["id"], "8", "a snapshot of another mount")
        self.client_seq, self.previous = r.u64(), r.take(32)
        self.files, self.bytes = r.u64(), r.u64()
        r.zero(32)
        id_ = r.take(32)
        need(r.take(16) == ZERO16, "8", "a key id that is not zero")
        nrefs, sealed = r.u32(), r.u32()
        need(1 <= nrefs <= 32768, "8", f"{nrefs} refs")
        need(sealed >= 52, "8", f"a sealed length of {sealed}")
        refs, body = Refs(r.ids(nrefs)), r.take(sealed)
        need(sorted_unique(refs), "1.2", "refs are not sorted and unique")
        signed, signature = data[:r.pos], r.take(64)
        client_part = data[:r.pos]
        r.i64()
        self.seq = r.u64()
        need(1 <= self.seq == int(name[:10]), "8",
             "the server sequence is not the file's name")
        r.end()
        message, self.hash = tools.blake3([signed, client_part])
        context = b"hashstore snapshot v1"
        try:
            sodium.crypto_sign_open(signature + bytes([len(context)]) +
                                    context + message, mount["public_key"])
        except CryptoError:
            need(False, "8.2", "the signature is not the mount's")
        o = Sealed(SNAPSHOT, epoch, id_, refs, [], body)
        unseal(tools, keys, [o], strict)
        if o.error:
            raise Broken(o.error)
        self.read_payload(Reader(o.payload, "8.1"), mount, refs)

    def read_payload(self, r, mount, refs):
        version = r.u8()
        need(version == 1, "8.1", f"unknown version {version}")
        r.zero(3)
        need(r.take(16) == mount["id"] and r.u64() == self.client_seq and
             r.take(32) == self.previous, "8.1",
             "mount, client sequence or previous is not as in the envelope")
        r.i64()
        r.i64()
        need(r.u64() == self.files, "8.1", "files is not as in the envelope")
        self.directories = r.u64()
        need(r.u64() == self.bytes, "8.1", "bytes is not as in the envelope")
        self.unreadable = r.u64()
        r.text(r.u8())
        length = r.u16()
        need(length <= 4096, "8.1", "a directory name above 4,096 bytes")
        r.text(length)
        count = r.u8()
        need(count <= 64, "1.3", f"{count} tags")
        for _ in range(count):
            r.text(r.u8())
        read_extra(r.take(r.u16()))
        self.root = read_entry(r, refs, root=True)
        need(self.root.kind == DIRECTORY, "8.1", "the root is no directory")
        r.end()
        refs.end()
