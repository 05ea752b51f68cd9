"""Keys and the recovery key (format.md 2.1, 10)"""

import re
import struct

from nacl import bindings as sodium

from reader.rules import need


def decode_recovery_key(tools, text):
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    text = re.sub(r"[-\s]", "", text).upper()
    text = text.replace("O", "0").replace("I", "1").replace("L", "1")
    need(len(text) == 56, "10", "a recovery key has 56 characters")
    need(all(c in alphabet for c in text), "10",
         "a recovery key is written in Crockford's base 32")
    number = 0
    for c in text:
        number = number << 5 | alphabet.index(c)
    master, check = number.to_bytes(35, "big")[:32], number & 0xffffff
    found = tools.blake3([master], length=3,
                         context="hashstore 2026 recovery checksum v1")[0]
    need(found == check.to_bytes(3, "big"), "10",
         "the recovery key's checksum is wrong (mistyped?)")
    return master


class Keys:
    def __init__(self, tools, master):
        self.tools, self.master, self.epochs = tools, master, {}
        self.vault = self.derive("vault id", 16)
        self.object_id = self.derive("object id")
        self.file_id = self.derive("file id")
        self.chunker = self.derive("chunker")
        self.split = self.derive("split")
        self.header = self.derive("vault header")
        self.join_public = sodium.crypto_sign_seed_keypair(
            self.derive("join"))[0]

    def derive(self, what, length=32, more=b""):
        return self.tools.blake3([self.master + more], length=length,
                                 context=f"hashstore 2026 {what} v1")[0]

    def epoch(self, number):
        """(seal key, nonce key)"""
        need(number == 0, "2.4", f"an unknown key epoch, {number}")
        if number not in self.epochs:
            more = struct.pack("<I", number)
            self.epochs[number] = (self.derive("seal", more=more),
                                   self.derive("nonce", more=more))
        return self.epochs[number]
