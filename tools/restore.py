#!/usr/bin/python3
"""Restore from a hashstore store, by docs/format.md alone.

A second, independent reader of the format: it shares no code with shash, needs
no server and no index, and checks every rule that a reader can check.  What
breaks one ends it with the section and the rule.  Nothing appears in DEST
before all of the snapshot has been checked.

Needs the Debian packages python3-nacl, b3sum, zstd and openssl.  For its tests
and for the day on which shash is not at hand; it is not fast.
"""

import argparse
import glob
import json
import os
import re
import struct
import sys
import tempfile

sys.dont_write_bytecode = True  # no __pycache__ beside the sources

from nacl import bindings as sodium

from reader.contents import Contents
from reader.files import Files
from reader.keys import Keys, decode_recovery_key
from reader.pack import Objects
from reader.place import apply, lost, place, plan
from reader.programs import Tools
from reader.retired import arrival, explain, read_times, read_tombstones
from reader.rules import MIB, ZERO32, Broken, at, need
from reader.snapshot import Snapshot


def read_json(path, members):
    """An object of these members, and perhaps others that are passed over;
    hexadecimal ones as bytes"""
    def unique(pairs):
        need(len(dict(pairs)) == len(pairs), "protocol.md 1.3",
             "a member stands twice")
        return dict(pairs)
    with at(path):
        try:
            with open(path, "rb") as f:
                found = json.loads(f.read(65536).decode(),
                                   object_pairs_hook=unique)
        except (OSError, ValueError) as e:
            raise Broken(f"protocol.md 7: {e}") from e
        need(members.keys() <= found.keys(), "protocol.md 7",
             f"members are {sorted(found)}")
        found = {name: found[name] for name in members}
        for name, kind in members.items():
            if isinstance(kind, int):
                need(re.fullmatch(f"[0-9a-f]{{{2 * kind}}}",
                                  str(found[name])), "protocol.md 1.2",
                     f"{name} is not {kind} bytes")
                found[name] = bytes.fromhex(found[name])
            else:
                need(isinstance(found[name], kind), "protocol.md 7",
                     f"{name} is no {kind.__name__}")
        return found


def read_store(tools, keys, store):
    """(folder of the vault, its header, [its mounts], the store's key)"""
    info = read_json(f"{store}/store.json",
                     {"product": str, "format": int, "store": 32})
    need(info["product"] == "hashstore" and info["format"] == 1,
         "protocol.md 7", f"format {info['format']}, not 1")
    with open(f"{store}/server.key", "rb") as f:
        seed = f.read()
    need(len(seed) == 32 and sodium.crypto_sign_seed_keypair(seed)[0] ==
         info["store"], "protocol.md 7", "server.key is not store.json's key")
    folder = f"{store}/vaults/{keys.vault.hex()}"
    sizes = ("chunker", "chunk_average", "chunk_min", "chunk_max")
    header = read_json(f"{folder}/vault.json", {
        "format": int, "vault": 16, "join_public": 32, "epoch": int,
        "links": 0, "reserved": 32, "mac": 32,
        **dict.fromkeys(sizes, int)})
    with at(f"{folder}/vault.json"):
        need(header["format"] == 1, "9.1", f"format {header['format']}")
        need(header["epoch"] == 0, "2.4", "an unknown key epoch")
        need(header["reserved"] == ZERO32, "9.1", "reserved bytes are set")
        need(header["vault"] == keys.vault, "2.1", "not this vault's")
        numbers = [header[name] for name in sizes]
        need(all(0 <= n < 1 << 32 for n in numbers), "9.1", "no u32")
        need(tools.blake3([
            struct.pack("<I", 1) + keys.vault + struct.pack("<4I", *numbers) +
            header["join_public"] + struct.pack("<I", 0) + ZERO32],
            key=keys.header)[0] == header["mac"], "9.1",
             "the MAC of the vault header is wrong")
        need(header["join_public"] == keys.join_public, "2.1",
             "the join key is not the master key's")
        _, average, low, high = numbers
        need(4096 <= average <= MIB and 64 <= low <= average - 64 and
             average <= high <= 4 * MIB, "6.1", "chunk sizes out of range")
    mounts = []
    for path in sorted(glob.glob(f"{glob.escape(store)}/mounts/*.json")):
        mount = read_json(path, {"vault": 16, "public_key": 32, "label": str,
                                 "created_ns": int})
        mount["id"] = tools.blake3([mount["public_key"]], length=16,
                                   context="hashstore 2026 mount id v1")[0]
        if os.path.basename(path) != mount["id"].hex() + ".json":
            print(f"restore.py: {path}: protocol.md 3.2: passed over, since "
                  "its name does not follow from its key", file=sys.stderr)
        elif mount["vault"] == keys.vault:
            mounts.append(mount)
    check_state(tools, folder)
    return folder, header, mounts, info["store"]


def check_state(tools, folder):
    for path in glob.glob(f"{glob.escape(folder)}/state/generation.*"):
        with at(path), open(path, "rb") as f:
            data = f.read(65)
            need(re.fullmatch("[0-9]{10}", path.rsplit(".")[-1]) and
                 len(data) == 64 and tools.blake3([data[:32]])[0] == data[32:],
                 "9", "not 32 bytes and their BLAKE3")


def read_snapshots(tools, keys, folder, mount, tombstones, strict):
    """{sequence: snapshot} of a mount; None for one that is broken.  A gap in
    the chain of which no tombstones tell is said, and fatal where strict."""
    found, before = {}, None
    for path in sorted(glob.glob(
            f"{glob.escape(folder)}/snapshots/{mount['id'].hex()}/*")):
        try:
            with at(path):
                snapshot = Snapshot(tools, keys, path, mount, strict)
        except Broken as e:
            if strict:
                raise
            print(f"restore.py: {e.args[0]}", file=sys.stderr)
            found[int(re.sub("[^0-9]", "", os.path.basename(path)))] = None
            continue
        client_seq, hash_ = (before.client_seq, before.hash) if before \
            else (0, ZERO32)
        if snapshot.client_seq > client_seq + 1:
            client_seq, hash_ = explain((client_seq, hash_), snapshot,
                                        tombstones)
        with at(path):
            if snapshot.client_seq > client_seq + 1 and not strict:
                print(f"restore.py: {path}: the one before it is gone",
                      file=sys.stderr)
            else:
                need(snapshot.client_seq == client_seq + 1, "8",
                     f"client sequence {snapshot.client_seq} behind "
                     f"{client_seq}")
                need(snapshot.previous == hash_, "8",
                     "previous is not the hash of the snapshot before")
        found[snapshot.seq] = before = snapshot
    return found


def choose_mount(mounts, wanted):
    some = [m for m in mounts if wanted in (None, m["label"], m["id"].hex())]
    if len(some) != 1:
        sys.exit("restore.py: which --mount? " + ", ".join(
            f"{m['id'].hex()} ({m['label']!r})" for m in some or mounts))
    return some[0]


def choose(found, mount, seq):
    number = max(found, default=0) if seq == "latest" else \
        int(seq.removeprefix("@"))
    if number not in found:
        sys.exit(f"restore.py: no snapshot {seq} of {mount['label']!r}")
    need(found[number], "8", f"snapshot {number} is broken")
    return found[number]


def is_retired(tombstones, seq, snapshot):
    """8.3: a tombstone counts if it is of the very snapshot that is there"""
    return seq in tombstones and \
        (snapshot is None or tombstones[seq].hash == snapshot.hash)


class Vault:
    """A vault, one mount of which is looked at"""

    def __init__(self, tools, args):
        self.tools, self.strict = tools, args.strict
        self.keys = Keys(tools, decode_recovery_key(tools, args.recovery_key))
        folder, self.header, mounts, store = read_store(
            tools, self.keys, args.store)
        self.folder, self.cuts = folder, set()
        self.mount = choose_mount(mounts, args.mount)
        self.tombstones = read_tombstones(
            tools, self.keys, folder, self.mount, store, args.strict)
        self.times = read_times(
            tools, self.keys, folder, self.mount, args.strict)
        everything = read_snapshots(tools, self.keys, folder, self.mount,
                                    self.tombstones, args.strict)
        self.retired = {seq for seq, s in everything.items()
                        if is_retired(self.tombstones, seq, s)}
        self.snapshots = {seq: s for seq, s in everything.items()
                          if args.retired or seq not in self.retired}

    def list(self):
        """A line for each: sequence, key, store time of arrival, retired"""
        for seq, s in sorted(self.snapshots.items()):
            print(seq, "X" + s.root.address.hex() if s else "broken",
                  arrival(self.times, seq) or "-",
                  "retired" if seq in self.retired else "live")

    def restore(self, objects, snapshot, dest):
        contents = Contents(self.tools, self.keys, objects, snapshot,
                            self.header, self.strict)
        steps, files = plan(contents)
        os.makedirs(dest, exist_ok=True)
        if os.listdir(dest):
            sys.exit(f"restore.py: {dest} is not empty")
        with tempfile.TemporaryDirectory(prefix=".restore.",
                                         dir=dest) as staged:
            Files(contents, staged, self.cuts).stage(files)
            top = os.open(".", os.O_RDONLY)
            descriptor = os.open(staged, os.O_RDONLY)
            os.chdir(dest)
            place(steps, descriptor)
            os.close(descriptor)
            os.fchdir(top)
            os.close(top)
        apply(contents.root, dest)
        print("X" + contents.root.address.hex())


def restore(tools, args):
    vault = Vault(tools, args)
    if args.list:
        vault.list()
        return
    chosen = [choose(vault.snapshots, vault.mount, seq) for seq in args.seq]
    objects = Objects(tools, vault.keys, vault.folder, args.strict)
    for snapshot, dest in zip(chosen, args.dest):
        vault.restore(objects, snapshot, dest)
    for what, count in lost.items():
        print(f"restore.py: {count} {what} not set, for want of privilege",
              file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(
        description="Restore from a hashstore store, by docs/format.md alone.")
    parser.add_argument("--store", required=True, help="the store's folder")
    parser.add_argument("--recovery-key", required=True)
    parser.add_argument("--mount", help="label or id [the only one]")
    parser.add_argument("--seq", action="append", help="sequence [latest]; "
                        "more of them, each with its --dest")
    parser.add_argument("--dest", action="append", default=[],
                        help="empty or absent")
    parser.add_argument("--list", action="store_true", help="list snapshots: "
                        "sequence, key, store time of arrival, state")
    parser.add_argument("--retired", action="store_true",
                        help="those that wait for their removal, too")
    parser.add_argument("--strict", action="store_true", help="read every "
                        "record; check also what a reader need not: where "
                        "chunks, maps, trees and padding end")
    args = parser.parse_args()
    args.seq = args.seq or ["latest"]
    if not args.list and len(args.seq) != len(args.dest):
        parser.error("as many --dest as --seq")
    tools = Tools()
    try:
        restore(tools, args)
    except (Broken, OSError) as e:
        sys.exit(f"restore.py: {e.args[0] if isinstance(e, Broken) else e}")
    finally:
        tools.close()


if __name__ == "__main__":
    main()
