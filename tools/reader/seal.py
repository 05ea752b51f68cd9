"""Sealing (format.md 5) and ids (2.2)"""

import struct

from nacl import bindings as sodium
from nacl.exceptions import CryptoError

from reader.rules import MIB, TYPE_NAMES, ZERO16, Broken, Reader, need


def aad(type_, epoch, vault, id_, refs, members):
    return struct.pack("<4sBBHI", b"HSA1", 1, type_, 0, epoch) + vault + \
        ZERO16 + id_ + struct.pack("<II", len(refs), len(members)) + \
        b"".join(refs) + b"".join(members)


def check_zstd(packed, plain_length):
    """5.1: exactly one frame, and of the allowed kind (RFC 8878)"""
    r = Reader(packed, "5.1, RFC 8878")
    need(r.u32() == 0xfd2fb528, "5.1", "not a zstd frame")
    head = r.u8()
    single, size_code = head >> 5 & 1, head >> 6
    need(not head & 0x08, "5.1", "a zstd frame with the reserved bit")
    need(not head & 0x04, "5.1", "a zstd frame with a checksum")
    need(not head & 0x03, "5.1", "a zstd frame with a dictionary id")
    need(single or size_code, "5.1", "a zstd frame without content size")
    if not single:
        window = r.u8()
        base = 1 << (10 + (window >> 3))
        need(base + base // 8 * (window & 7) <= 8 * MIB, "5.1",
             "a zstd frame with a window above 8 MiB")
    size = int.from_bytes(r.take((1, 2, 4, 8)[size_code]), "little")
    size += 256 if size_code == 1 else 0
    need(size == plain_length, "5.1",
         "the zstd content size is not the plain length")
    last = 0
    while not last:
        block = int.from_bytes(r.take(3), "little")
        last, kind = block & 1, block >> 1 & 3
        need(kind != 3, "5.1", "a reserved zstd block")
        r.take(1 if kind == 1 else block >> 3)
    r.end()


def padme(length):
    e = length.bit_length() - 1
    bits = e - e.bit_length() - (2 if length >= 16384 else 0)
    return (length + (1 << bits) - 1) >> bits << bits


def open_frame(frame, strict):
    """(codec, packed, plain length) of a frame"""
    r = Reader(frame, "5.1")
    codec = r.u8()
    r.zero(3)
    plain, packed = r.u32(), r.u32()
    need(codec in (0, 1), "5.1", f"unknown codec {codec}")
    need(plain <= 4 * MIB, "1.3", "a payload above 4 MiB")
    body = r.take(packed)
    need(not any(frame[r.pos:]), "5.1", "padding that is not zero")
    need(not strict or len(frame) == padme(r.pos), "5.1",
         "the padding does not bring the frame to its Padme length")
    if codec == 0:
        need(packed == plain, "5.1", "raw, but of two lengths")
    else:
        need(packed < plain, "5.1", "a zstd frame that is not shorter")
        check_zstd(body, plain)
    return codec, body, plain


class Sealed:
    """An object on its way from sealed to checked payload"""

    def __init__(self, type_, epoch, id_, refs, members, sealed):
        self.type, self.epoch, self.id = type_, epoch, id_
        self.refs, self.members, self.sealed = refs, members, sealed
        self.aad = self.frame = self.payload = self.error = None


def unseal(tools, keys, objects, strict):
    """Fill in .payload, or .error, of each."""
    for o in objects:
        o.aad = aad(o.type, o.epoch, keys.vault, o.id, o.refs, o.members)
        try:
            o.frame = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
                o.sealed[24:], o.aad, o.sealed[:24], keys.epoch(o.epoch)[0])
        except CryptoError:
            o.error = f"format.md 5.2: does not authenticate as a " \
                f"{TYPE_NAMES[o.type]}"
        except Broken as e:
            o.error = e.args[0]
    opened = [o for o in objects if not o.error]
    for epoch in {o.epoch for o in opened}:
        some = [o for o in opened if o.epoch == epoch]
        nonces = tools.blake3([o.aad + o.frame for o in some], length=24,
                              key=keys.epoch(epoch)[1])
        for o, nonce in zip(some, nonces):
            if nonce != o.sealed[:24]:
                o.error = "format.md 5.2: the nonce is not that of the frame"
    packed = []
    for o in opened:
        try:
            codec, body, plain = open_frame(o.frame, strict)
            if codec == 0:
                o.payload = body
            else:
                packed.append((o, body, plain))
        except Broken as e:
            o.error = o.error or str(e.args[0])
    plains = tools.unzstd([p[1] for p in packed], [p[2] for p in packed])
    for (o, _, _), plain in zip(packed, plains):
        o.payload = plain
    opened = [o for o in opened if not o.error]
    ids = tools.blake3(
        [struct.pack("<BI", o.type, len(o.refs)) + b"".join(o.refs) +
         o.payload for o in opened], key=keys.object_id)
    for o, id_ in zip(opened, ids):
        if id_ != o.id:
            o.error = "format.md 2.2: the id is not that of the object"
