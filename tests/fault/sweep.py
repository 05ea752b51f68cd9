#!/usr/bin/env python3
"""usage: tests/fault/sweep.py [OPTIONS] SHASH FAULTS [CLOCK.so]

Runs the commands of SHASH while one call of theirs fails, at each place in
the program where it makes one (FAULTS, the library that does it, says what a
place is), and looks whether

  - the program ends by itself, with an exit code that is documented;
  - success is success: backup prints the directory's key, restore brings the
    same bytes, and what else a command did can be used;
  - a failure says why on stderr, and prints no key;
  - afterwards the same command succeeds, the newest acknowledged snapshot
    restores, and verify finds nothing.

  --command NAME   only this one (may be repeated)
  --how WORDS      once or forever; alone (each call has an error of its own),
                   or after short, eio, enospc, eintr, emfile, enomem and a
                   comma; may be repeated, all: each (default: once)
  --points N       until a fault fired at N places, chosen by the seed
                   (default: try all)
  --until TEXT     a failure that says TEXT is enough
  --part I/N       only the Ith of N parts, of what the seed has shuffled
  --seconds S      stop after so many; as SIGTERM does, it still counts
  --seed N         (default: the time, printed)
  --place HEX      only this place
  --keep           leave the folder of a failure

Prints a line per failure, with the calls that led to the place, and at the
end how many faults fired; exits 1 after a failure.  With the third argument
CLOCK=+10y, -10y or frozen shifts the wall clock (clock.c) after the first
backup.  A fault whose place is
not met again (another thread was faster) counts as missed.
"""

import argparse
import errno
import glob
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter

from surroundings import Failure, Ports, clocks_of, listens

SLOT = struct.Struct("<QII6I24s")
EXITS = {0, 1, 3, 10, 11, 12, 13, 14}
SECONDS_MAX = 120
# Of these, the calls count as if they were of the program itself.
LIBRARIES = "liblmdb,libjansson,libzstd"
MEMORY_CALLS = {"malloc", "calloc", "realloc", "aligned_alloc", "strdup",
                "strndup", "vasprintf", "posix_memalign"}
IO_CALLS = {"read", "pread", "write", "pwrite", "pwrite64", "recv", "send"}
EINTR_CALLS = IO_CALLS | {"open", "openat", "fdatasync", "fsync", "connect",
                          "accept4", "poll", "ftruncate", "flock", "fcntl",
                          "close"}
# Durable ones: what the file system may answer to each of them.
FILE_CALLS = IO_CALLS | {
    "writev", "pwritev", "access", "chmod", "close", "fchmod", "fchown",
    "fclose", "fdatasync", "fflush", "flistxattr", "fgetxattr", "flock",
    "fopen", "fremovexattr", "fsetxattr", "fstat", "fstatat", "fstatfs",
    "fsync", "ftruncate", "futimens", "getdents64", "ioctl", "lchown",
    "lgetxattr", "link", "linkat", "llistxattr", "lremovexattr", "lseek",
    "lsetxattr", "lstat", "mkdir", "mkdirat", "mknodat", "mkostemp", "mmap",
    "msync", "open", "openat", "opendir", "readlinkat", "realpath",
    "renameat", "renameat2", "rmdir", "stat", "statvfs", "statx",
    "symlinkat", "syncfs", "unlink", "unlinkat", "utimensat"}
ERRORS = {"eio": errno.EIO, "enospc": errno.ENOSPC, "eintr": errno.EINTR,
          "emfile": errno.EMFILE, "enomem": errno.ENOMEM}
HOWS = ["once", "forever"] + [f"{what},{when}" for when in ("once", "forever")
                              for what in ("short", *ERRORS)]


def places(path):
    """{id: (calls, fired, offsets, name)} of a table."""
    found = {}
    with open(path, "rb") as f:
        data = f.read()
    for slot in SLOT.iter_unpack(data):
        if slot[0]:
            found[slot[0]] = (slot[1], slot[2],
                              [x for x in slot[3:9] if x],
                              slot[9].rstrip(b"\0").decode())
    return found


def timeless(text):
    """An answer without what is another one in the next second."""
    return re.sub(r" *\d+ \w+ ago|^free .*", "", text.strip(), flags=re.M)


class World:
    """A folder with a directory, stores, a keyring, and shash."""

    def __init__(self, shash, faults, clock):
        self.shash = shash
        self.faults = faults
        self.folder = tempfile.mkdtemp(
            prefix="faults.", dir=os.environ.get("TEST_TMP"))
        self.env = dict(os.environ, LC_ALL="C.UTF-8", SHASH_RETRY="0",
                        XDG_CONFIG_HOME=self.path("config"))
        for name in [n for n in self.env if n.startswith("FAULTS_")]:
            del self.env[name]
        # A sanitizer's library need not come first.
        asan = self.env.get("ASAN_OPTIONS", "")
        self.env["ASAN_OPTIONS"] = asan + ":verify_asan_link_order=0"
        self.clock = clock
        if clock is not None:
            self.env.update(LD_PRELOAD=clock, CLOCKS=self.path("clocks"))
        self.server = None
        self.round = 0
        self.table = self.path("table")

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def run(self, args, fault=None):
        """(exit code, stdout, stderr)"""
        env = self.env
        if fault is not None:
            env = dict(env, **self.fault_env(fault))
        try:
            p = subprocess.run([self.shash, *args], env=env,
                               stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               cwd=self.folder, timeout=SECONDS_MAX,
                               check=False)
        except subprocess.TimeoutExpired as e:
            raise Failure(f"hangs: {args}") from e
        return (p.returncode, p.stdout.decode("utf-8", "replace"),
                p.stderr.decode("utf-8", "replace"))

    def fault_env(self, fault):
        if os.path.exists(self.table):
            os.unlink(self.table)
        preload = f"{self.faults} {self.clock or ''}".strip()
        return dict(fault, LD_PRELOAD=preload, FAULTS_TABLE=self.table)

    def well(self, *args):
        """Run without a fault; it must succeed.  Returns stdout."""
        rc, out, err = self.run(args)
        if rc != 0:
            raise Failure(f"afterwards {args[0]} fails with {rc}: {err}")
        return out.strip()

    def serve(self, fault=None):
        """Start a server; whether it came up."""
        env = self.env
        if fault is not None:
            env = dict(env, **self.fault_env(fault))
        log = open(self.path("log"), "ab")
        self.server = subprocess.Popen(
            [self.shash, "start", "--store_dir", "served", "--port",
             str(self.port)], env=env, stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, cwd=self.folder)
        log.close()
        for _ in range(3000):
            if self.server.poll() is not None:
                return False
            if listens(self.port):
                return True
            time.sleep(0.02)
        raise Failure("the server does not come up")

    def unserve(self):
        """End the server; its exit code."""
        server, self.server = self.server, None
        if server is None:
            return 0
        if server.poll() is None:
            server.send_signal(signal.SIGTERM)
        try:
            return server.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired as e:
            server.kill()
            server.wait()
            raise Failure("the server does not end") from e

    def make(self):
        """The directory, registered with a store of files and a server."""
        os.makedirs(self.path("work", "deep", "er"))
        self.write("small", b"small\n")
        for i in range(30):
            self.write(f"deep/er/{i}", os.urandom(2000))
        self.write("deep/large", os.urandom(1200000))
        with open(self.path("work", "holes"), "wb") as f:
            f.write(b"begin")
            f.seek(1 << 20)
            f.write(b"end")
        os.symlink("small", self.path("work", "link"))
        os.link(self.path("work", "small"), self.path("work", "hard"))
        os.mkfifo(self.path("work", "pipe"))
        os.setxattr(self.path("work", "small"), "user.note", b"x")
        os.mkdir(self.path("work", "empty"))
        shutil.copytree(self.path("work"), self.path("work2"), symlinks=True,
                        ignore=lambda d, n: ["pipe"] if "pipe" in n else [])
        self.well("register", "--dir", "work", "--url",
                  "file://" + self.path("store"))
        self.port = Ports.next()
        if not self.serve():
            raise Failure("no server")
        self.url = f"http://127.0.0.1:{self.port}/"
        self.well("register", "--dir", "work2", "--url", self.url,
                  "--invitation", self.well("invite", "--store_dir",
                                            "served"))
        self.well("backup", "--dir", "work")
        self.well("backup", "--dir", "work2")
        self.unserve()
        if self.clock is not None:
            with open(self.path("clocks"), "w", encoding="ascii") as f:
                f.write(clocks_of(os.environ.get("CLOCK", "")))

    def write(self, name, data, top="work"):
        with open(self.path(top, name), "wb") as f:
            f.write(data)

    def change(self, top):
        """A new state of a directory: a little of each kind."""
        self.round += 1
        self.write("small", b"%d\n" % self.round, top)
        with open(self.path(top, "deep", "large"), "r+b") as f:
            f.seek(self.round * 7919 % 1000000)
            f.write(os.urandom(20000))
        self.write(f"deep/er/{self.round % 30}", os.urandom(3000), top)

    def intact(self, top, key):
        """The snapshot restores, as scan sees it."""
        self.drop("copy")
        self.well("restore", "--dir", top, "--udk", key, "--dest", "copy")
        got = self.well("scan", "--dir", "copy")
        if got != key:
            raise Failure(f"restored {got}, not {key}")

    def drop(self, *names):
        for name in names:
            path = self.path(name)
            if os.path.isdir(path) and not os.path.islink(path):
                subprocess.run(["chmod", "-R", "u+rwX", path], check=True)
                shutil.rmtree(path)
            elif os.path.lexists(path):
                os.unlink(path)

    def end(self, keep):
        if self.server is not None and self.server.poll() is None:
            self.server.kill()
            self.server.wait()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


class Command:
    """One command line, its preparation and what must hold afterwards."""

    top = None  # the directory that it works on
    served = False  # whether it needs a server

    def __init__(self, *args):
        self.args = args

    def before(self, w):
        if self.served and w.server is None and not w.serve():
            raise Failure("no server")

    def run(self, w, fault):
        return w.run(self.args, fault)

    def check(self, w, rc, out, err):
        """What must hold after it ended with rc."""
        if rc != 0:
            return
        want = w.well(*self.args)
        if timeless(out) != timeless(want) and not err.strip() and \
                "damaged" not in out:
            raise Failure(f"silently another answer: {out}, not {want}")


class Backup(Command):
    def __init__(self, top, *more, change=True, served=False):
        super().__init__("backup", "--dir", top, *more)
        self.top, self.change, self.served = top, change, served

    def before(self, w):
        super().before(w)
        if self.change:
            w.change(self.top)
        self.key = w.well("scan", "--dir", self.top)

    def check(self, w, rc, out, err):
        if rc in (0, 3):
            key = out.strip()
            if rc == 0 and key != self.key:
                raise Failure(f"success with {key}, not {self.key}")
            if rc == 3:
                w.well("restore", "--dir", self.top, "--udk", key,
                       "--dry_run", "--dest", "none")
        elif out.strip():
            # The acknowledged snapshot whose good-bye failed is there.
            w.intact(self.top, out.strip())
        if w.well("backup", "--dir", self.top) != self.key:
            raise Failure("the next backup has another key")


class Restore(Command):
    def __init__(self, top, *more, served=False):
        super().__init__("restore", "--dir", top, "--dest", "out", *more)
        self.top, self.served = top, served

    def before(self, w):
        super().before(w)
        w.drop("out")
        w.well("backup", "--dir", self.top)
        self.key = w.well("scan", "--dir", self.top)

    def check(self, w, rc, out, err):
        if rc == 0 and self.args[-1] == "out" and \
                w.well("scan", "--dir", "out") != self.key and \
                not err.strip():
            raise Failure("success, and other bytes")
        if rc == 0 and self.args[-1] == "out":
            for name in ("small", "deep/large", "holes", "deep/er/7"):
                with open(w.path(self.top, name), "rb") as a, \
                        open(w.path("out", name), "rb") as b:
                    if a.read() != b.read():
                        raise Failure(f"success, and another {name}")


class Force(Command):
    """Restore over what is there; what is there changed."""

    def __init__(self):
        super().__init__("restore", "--dir", "work", "--force")
        self.top = "work"

    def before(self, w):
        super().before(w)
        w.well("backup", "--dir", "work")
        self.key = w.well("scan", "--dir", "work")
        w.write("small", b"spoilt")
        w.write("deep/large", b"spoilt")

    def check(self, w, rc, out, err):
        if rc == 0 and not err.strip() and \
                w.well("scan", "--dir", "work") != self.key:
            raise Failure("success, and other bytes")
        w.well(*self.args)
        if w.well("scan", "--dir", "work") != self.key:
            raise Failure("the next restore brings other bytes")


class Register(Command):
    def __init__(self, served=False):
        super().__init__()
        self.served = served

    def before(self, w):
        super().before(w)
        w.drop("fresh", "ring", "fresh-store", "fresh-key")
        os.mkdir(w.path("fresh"))
        w.write("one", b"1", "fresh")
        url = w.url if self.served else "file://" + w.path("fresh-store")
        self.args = ["register", "--dir", "fresh", "--url", url,
                     "--recovery_file", "fresh-key", "--new_vault"]
        if self.served:
            self.args += ["--invitation",
                          w.well("invite", "--store_dir", "served")]

    def check(self, w, rc, out, err):
        if rc != 0:
            if os.path.exists(w.path("fresh-key")) and \
                    "recovery" in err and "exists" in err:
                raise Failure("a half-made recovery file")
            again = w.run(self.args)
            if "is registered already" in again[2]:
                again = (0, "", "")
            if again[0] != 0 and "fresh-key" in again[2]:
                w.drop("fresh-key")
                again = w.run(self.args)
            if again[0] == 12 and self.served:
                # A new user whose invitation the lost registration used.
                self.args[-1] = w.well("invite", "--store_dir", "served")
                again = w.run(self.args)
            if again[0] != 0:
                raise Failure(f"registering again: {again}")
        key = w.well("backup", "--dir", "fresh")
        w.intact("fresh", key)


class Invite(Command):
    """What it prints can be used."""

    def __init__(self):
        super().__init__("invite", "--store_dir", "served")

    def check(self, w, rc, out, err):
        if rc != 0:
            out = w.well(*self.args)
        if w.server is None and not w.serve():
            raise Failure("no server")
        w.drop("fresh")
        os.mkdir(w.path("fresh"))
        w.well("register", "--dir", "fresh", "--url", w.url, "--new_vault",
               "--invitation", out.strip())
        w.unserve()


class Policy(Command):
    """One that retires; the policy keeps two, and there are others."""

    def __init__(self, *args, prepared=()):
        super().__init__(*args, "--store_dir", "store")
        self.top, self.prepared = "work", prepared

    def before(self, w):
        super().before(w)
        w.well("keep", "--store_dir", "store", "--last", "2", "--floor", "0d")
        for _ in range(3):
            w.change("work")
            w.well("backup", "--dir", "work")
        if self.prepared:
            w.well(*self.prepared, "--store_dir", "store")

    def check(self, w, rc, out, err):
        kinds = Counter(json.loads(line)["type"] for line in w.well(
            "snapshots", "--dir", "work", "--json").splitlines())
        if kinds["snapshot"] < 2:
            raise Failure(f"snapshots are gone: {kinds}")
        if rc == 0 and self.args[0] == "unprune" and kinds["retired"]:
            raise Failure(f"success, and some are still retired: {kinds}")
        if rc == 0 and self.args[0] == "prune" and kinds["snapshot"] != 2:
            raise Failure(f"success, and some are not retired: {kinds}")
        w.well(*self.args)
        if self.args[0] == "sweep" and \
                "freed 0 packs" not in w.well(*self.args):
            raise Failure("there is more to free, again and again")


class Server(Command):
    """A server with a fault, and a backup, restore and stop that meet it."""

    top = "work2"

    def before(self, w):
        if w.server is None and not w.serve():
            raise Failure("no server")
        w.well("backup", "--dir", "work2")
        w.unserve()
        w.change("work2")
        w.drop("out")
        self.key = w.well("scan", "--dir", "work2")

    def run(self, w, fault):
        with open(w.path("log"), "wb"):
            pass
        up = w.serve(fault)
        self.backup = self.restore = None
        if up:
            self.backup = w.run(["backup", "--dir", "work2"])
            self.restore = w.run(["restore", "--dir", "work2", "--dest",
                                  "out"])
            w.run(["snapshots", "--dir", "work2"])
            w.run(["status", "--dir", "work2"])
            w.run(["status", "--store_dir", "served"])
            w.run(["verify", "--store_dir", "served"])
        rc = w.unserve()
        with open(w.path("log"), encoding="utf-8", errors="replace") as f:
            log = f.read()
        return (rc, "", log)

    def check(self, w, rc, out, err):
        if not w.serve():
            raise Failure("no server afterwards")
        if self.backup is not None:
            code, key, said = self.backup
            if code not in EXITS:
                raise Failure(f"the client ends with {code}: {said}")
            if code == 0:
                if key.strip() != self.key:
                    raise Failure("success with another key")
                w.intact("work2", self.key)
            elif not said.strip():
                raise Failure("the client does not say why")
        if self.restore is not None and self.restore[0] not in EXITS:
            raise Failure(f"restore ends with {self.restore}")
        if w.well("backup", "--dir", "work2") != self.key:
            raise Failure("the next backup has another key")


COMMANDS = {
    "backup": lambda: Backup("work"),
    "backup-same": lambda: Backup("work", change=False),
    "backup-http": lambda: Backup("work2", served=True),
    "restore": lambda: Restore("work"),
    "restore-http": lambda: Restore("work2", served=True),
    "restore-part": lambda: Restore("work", "deep/**"),
    "restore-force": Force,
    "register": Register,
    "register-http": lambda: Register(served=True),
    "server": Server,
    "scan": lambda: Command("scan", "--dir", "work"),
    "snapshots": lambda: Command("snapshots", "--dir", "work", "--json"),
    "status": lambda: Command("status", "--dir", "work"),
    "status-store": lambda: Command("status", "--store_dir", "store"),
    "verify": lambda: Command("verify", "--store_dir", "store"),
    "reindex": lambda: Command("reindex", "--store_dir", "store"),
    "key": lambda: Command("key", "--dir", "work"),
    "invite": Invite,
    "keep": lambda: Command("keep", "--store_dir", "store", "--last", "2",
                            "--floor", "0d"),
    "prune": lambda: Policy("prune"),
    "prune-now": lambda: Policy("prune", "--now"),
    "unprune": lambda: Policy("unprune", prepared=["prune"]),
    "sweep": lambda: Policy("sweep", prepared=["prune", "--now"]),
}


def fault_of(place, how, name):
    """The variables of one fault, or None where it makes no sense."""
    what, _, when = how.rpartition(",")
    fault = {"FAULTS_PLACE": f"{place:x}", "FAULTS_FROM": LIBRARIES}
    if when == "forever":
        fault["FAULTS_FOREVER"] = "1"
    if what == "short":
        if name not in IO_CALLS:
            return None
        fault["FAULTS_SHORT"] = "1"
    elif what:
        calls = EINTR_CALLS if what == "eintr" else FILE_CALLS
        # What is interrupted for ever may wait for ever.
        if name not in calls or how == "eintr,forever":
            return None
        fault["FAULTS_ERRNO"] = str(ERRORS[what])
    return fault


def where(shash, offsets, name, base):
    """The functions that led to a place, innermost first."""
    text = subprocess.run(
        ["addr2line", "-s", "-f", "-e", shash,
         *[hex(o + base - 1) for o in offsets]], stdout=subprocess.PIPE,
        text=True, check=True).stdout.split("\n")
    return f"{name} < " + " < ".join(
        f"{f}({p})" for f, p in zip(text[::2], text[1::2]))


def code_offset(shash):
    """Where the code begins in the file's addresses."""
    text = subprocess.run(["readelf", "-lW", shash], stdout=subprocess.PIPE,
                          text=True, check=True).stdout
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["LOAD"] and "E" in words[6:-1]:
            return int(words[2], 16)
    return 0


def tidy_up(w, command):
    """Nothing acknowledged is lost, nothing is damaged."""
    if command.top is not None:
        w.intact(command.top, w.well("backup", "--dir", command.top))
    w.well("verify", "--store_dir", "store")


def try_one(w, command, fault, place, call):
    """Whether the fault fired; Failure when what must hold does not."""
    command.before(w)
    rc, out, err = command.run(w, fault)
    fired = places(w.table).get(place, (0, 0))[1]
    if rc < 0:
        raise Failure(f"signal {-rc}: {err[-600:]}")
    if rc not in EXITS:
        raise Failure(f"exit code {rc}: {err[-600:]}")
    if rc != 0 and not err.strip():
        raise Failure(f"exit code {rc}, and nothing says why")
    if rc == 13 and call in MEMORY_CALLS:
        raise Failure(f"took want of memory for damage: {err[-600:]}")
    if fired == 0 and rc != 0:
        raise Failure(f"no fault fired, and exit code {rc}: {err[-600:]}")
    try:
        command.check(w, rc, out, err)
    except Failure as e:
        raise Failure(f"{e} (it ended with {rc}: {err[-300:].strip()})") from e
    return fired


def kind_of(call):
    if call in MEMORY_CALLS:
        return "memory"
    return "files" if call in FILE_CALLS else "other"


def listed(counter):
    return ", ".join(f"{k} {n}" for k, n in counter.most_common())


def sweep(options, name):
    """One command: (fired, missed, failed)."""
    command = COMMANDS[name]()
    w = World(options.shash, options.faults, options.clock)
    counts, kinds, ways = [0, 0, 0], Counter(), Counter()
    try:
        w.make()
        command.before(w)
        rc, _, err = command.run(w, {"FAULTS_FROM": LIBRARIES})
        if rc != 0:
            raise Failure(f"without a fault: {rc} {err}")
        met = places(w.table)
        command.check(w, rc, _, err)
        chosen = [(p, how) for p in sorted(met) for how in options.how
                  if fault_of(p, how, met[p][3]) is not None]
        random.Random(options.seed).shuffle(chosen)
        if options.place:
            chosen = [c for c in chosen if c[0] == int(options.place, 16)]
        chosen = chosen[options.part[0] - 1::options.part[1]]
        for place, how in chosen:
            if time.monotonic() > options.end or \
                    counts[0] + counts[2] == (options.points or -1):
                break
            try:
                call = met[place][3]
                fired = try_one(w, command, fault_of(place, how, call), place,
                                call)
                counts[0 if fired else 1] += 1
                if fired:
                    kinds[kind_of(call)] += 1
                    ways[how] += 1
                if (counts[0] + counts[1]) % 10 == 0:
                    tidy_up(w, command)
            except Failure as e:
                counts[2] += 1
                print(f"FAIL {name} {how} {place:x}: {e}\n     "
                      + where(options.shash, met[place][2], met[place][3],
                              options.base), flush=True)
                w.end(options.keep)
                w = World(options.shash, options.faults, options.clock)
                w.make()
                if options.until and options.until in str(e):
                    break
        tidy_up(w, command)
        print(f"{name}: {len(met)} places, {len(chosen)} to try, {counts[0]}"
              f" faults fired, {counts[1]} missed, {counts[2]} failed;"
              f" {listed(kinds)}; {listed(ways)}", flush=True)
    finally:
        w.end(options.keep)
    return counts


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--command", action="append", choices=COMMANDS)
    parser.add_argument("--how", action="append", choices=[*HOWS, "all"])
    parser.add_argument("--part", default="1/1", type=lambda text: tuple(
        int(n) for n in text.split("/")))
    parser.add_argument("--points", type=int)
    parser.add_argument("--until")
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--place")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("shash")
    parser.add_argument("faults")
    parser.add_argument("clock", nargs="?", type=os.path.realpath)
    options = parser.parse_args()
    options.shash = os.path.realpath(options.shash)
    options.faults = os.path.realpath(options.faults)
    options.base = code_offset(options.shash)
    options.how = options.how or ["once"]
    if "all" in options.how:
        options.how = HOWS
    options.end = time.monotonic() + options.seconds

    def stop(_signal, _frame):
        options.end = 0

    signal.signal(signal.SIGTERM, stop)
    print(f"seed {options.seed}", flush=True)
    total = [0, 0, 0]
    for name in options.command or COMMANDS:
        if time.monotonic() > options.end:
            break
        total = [a + b for a, b in zip(total, sweep(options, name))]
    print(f"{total[0]} faults fired, {total[1]} missed, {total[2]} failed")
    return 1 if total[2] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
