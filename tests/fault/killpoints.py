#!/usr/bin/env python3
"""usage: tests/fault/killpoints.py [OPTIONS] SHASH KILLAT [CLOCK.so]

kill -9 of SHASH before each of its calls that change what outlives it.  For
each history below, KILLAT (tests/fault/killat.c) first counts the calls of one
run; then for each N the history comes again, and the command, or the server
that it talks to, dies before its Nth call.  After each kill

  - what was acknowledged restores as it was (facts() of surroundings.py);
  - the interrupted command, repeated, succeeds;
  - the store verifies, and its snapshots are listed.

  --history NAME   only this one (may be repeated)
  --points N       only N of each, chosen by the seed (default: all); instead
                   of one that is missed, an earlier one
  --seed N         (default: the time, printed)
  --at N           only the Nth call
  --seconds S      stop after so many
  --verbose        a line for each kill, with the call
  --lose           after each kill a snapshot goes: the test of this test

Prints a line per history: how many calls it makes, how many were hit (a run
may have a call less than the one before: then nothing was), and which.  With
the third argument CLOCK=+10y, -10y or frozen shifts the wall clock of all that
happens after the first backup.
"""

import argparse
import collections
import glob
import os
import random
import sys
import time

from surroundings import (Failure, Surroundings, clocks_of, difference,
                          facts)

KEPT = 2  # by the policy of the store; the newest two always are
ROUNDS_MAX = 25  # then a new store


class World(Surroundings):
    """A directory, `work`, with some snapshots in a store."""

    def __init__(self, options, served):
        super().__init__(options.shash, options.clock)
        self.rng = random.Random(options.seed)
        self.served = served
        self.round = 0
        self.acked = []  # [(key, facts)] of work, that must be there
        os.mkdir(self.path("work"))
        for i in range(12):
            self.write(f"work/deep/er/{i}", self.rng.randbytes(2000))
        os.symlink("small", self.path("work", "link"))
        os.link(self.path("work/deep/er/1"), self.path("work/hard"))
        self.change()
        if served:
            self.up()
        self.register("work")
        self.back_up()
        if options.clock is not None:
            self.set_clocks(os.environ.get("CLOCK", ""))
        self.well("keep", "-q", "--store_dir", "store", "--last", str(KEPT),
                  "--floor", "0d")
        self.more(1)
        if options.clock is not None:
            self.meet_clock(os.environ.get("CLOCK", ""))

    def meet_clock(self, how):
        """What clients say of the time proves that it was shifted."""
        said = [r["start_ns"] // 10**9 for r in
                self.rows("snapshots", "--dir", "work")]
        want = int(clocks_of(how).split()[0])
        if how == "frozen":
            self.more(1)
            last = self.rows("snapshots", "--dir", "work")[-1]["start_ns"]
            if last != said[-1] * 10**9:
                raise Failure("the clock is not frozen")
        elif abs(said[-1] - time.time() - want) > 3600:
            raise Failure("the clock is not shifted")

    def up(self):
        if not self.serve():
            raise Failure("no server")

    def where(self):
        """The options of a registration with the store."""
        if not self.served:
            return ["--url", "file://" + self.path("store")]
        return ["--url", self.url, "--invitation",
                self.well("invite", "--store_dir", "store")]

    def register(self, top):
        self.well("register", "--dir", top, *self.where())

    def change(self, top="work"):
        """A little of each kind is new."""
        self.round += 1
        self.write(f"{top}/small", b"%d\n" % self.round)
        self.write(f"{top}/deep/large", self.rng.randbytes(200000))
        self.write(f"{top}/deep/er/{self.round % 12}",
                   self.rng.randbytes(3000))

    def back_up(self):
        self.acked.append((self.well("backup", "--dir", "work"),
                           facts(self.path("work"))))

    def more(self, n):
        for _ in range(n):
            self.change()
            self.back_up()

    def pruned(self):
        """All but the newest may go from here on."""
        self.acked = self.acked[-KEPT:]

    def restores(self, key, want, top="work"):
        self.drop("copy")
        self.well("restore", "--dir", top, "--udk", key, "--dest", "copy")
        differ = difference(want, facts(self.path("copy")))
        if differ:
            raise Failure(f"{key} restored with other {differ}")

    def intact(self, everything=False):
        """The newest and another one, or all."""
        chosen = self.acked if everything else \
            {key: (key, want) for key, want in
             (self.acked[-1], self.rng.choice(self.acked))}.values()
        for key, want in chosen:
            self.restores(key, want)

    def sound(self, alone=True):
        """The store verifies and lists what was acknowledged."""
        if not alone:
            # The session of a client that died; verify waits for its end.
            self.unserve()
            self.up()
        self.well("verify", "--store_dir", "store")
        keys = {r["key"] for r in self.rows("snapshots", "--dir", "work")
                if r["type"] == "snapshot"}
        for key, _ in self.acked:
            if key not in keys:
                raise Failure(f"{key} was acknowledged, and is not listed")

    def damage(self):
        """A byte of what the newest backup added is another one."""
        before = set(self.packs())
        self.more(1)
        path = max(set(self.packs()) - before, key=os.path.getsize)
        with open(path, "r+b") as f:
            f.seek(100000)
            byte = f.read(1)
            f.seek(100000)
            f.write(bytes([byte[0] ^ 1]))

    def lose(self):
        """The newest that was acknowledged, as often as it is there."""
        for row in self.rows("snapshots", "--dir", "work"):
            if row.get("key") == self.acked[-1][0]:
                os.unlink(glob.glob(self.path(
                    "store/vaults/*/snapshots", row["mount"],
                    "%010d.snap" % row["seq"]))[0])

    def packs(self):
        return glob.glob(self.path("store/vaults/*/packs/*/*.pack"))


class History:
    """A command, what comes before it and what must hold after it."""

    def __init__(self, *args, served=False, victim="command", before=None,
                 code=0):
        self.args = list(args)
        self.served = served
        self.victim = victim  # or: server
        self.before = before
        self.code = code  # of success

    def prepare(self, w):
        if self.before is not None:
            self.before(w)

    def repeat(self, w):
        """The command again; it must succeed."""
        rc, out, err = w.run(self.args)
        if rc != self.code:
            raise Failure(f"repeated, {self.args[0]} ends with {rc}:"
                          f" {err}{out}")
        return out.strip()

    def after(self, w, rc, out):
        w.intact()
        self.repeat(w)


class Backup(History):
    def __init__(self, **more):
        super().__init__("backup", "--dir", "work", **more)

    def prepare(self, w):
        super().prepare(w)
        w.change()

    def after(self, w, rc, out):
        now = facts(w.path("work"))
        if out.strip():  # the key is said when the store has it
            w.restores(out.strip(), now)
            w.acked.append((out.strip(), now))
        w.intact()
        w.acked.append((self.repeat(w), now))
        w.intact()


class Damaged(Backup):
    """A backup that heals; others came with what it heals."""

    def prepare(self, w):
        w.damage()
        w.well("verify", "--store_dir", "store", also=[13])

    def after(self, w, rc, out):
        newest, now = w.acked.pop()
        if out.strip() not in ("", newest):
            raise Failure(f"{out} is not the key {newest}")
        w.intact()
        if self.repeat(w) != newest:
            raise Failure("the repeated backup has another key")
        w.acked.append((newest, now))
        w.intact()


class Verify(History):
    """Damage is found, and healed afterwards."""

    def __init__(self, **more):
        super().__init__("verify", "--store_dir", "store", code=13, **more)

    def prepare(self, w):
        w.damage()

    def after(self, w, rc, out):
        newest = w.acked.pop()
        w.intact()
        self.repeat(w)
        w.acked.append(newest)
        if w.well("backup", "--dir", "work") != newest[0]:
            raise Failure("the healing backup has another key")
        w.intact()


class Restore(History):
    def __init__(self, *more, **options):
        super().__init__("restore", "--dir", "work", *more, **options)
        self.there = "--force" in more

    def prepare(self, w):
        w.more(1)
        w.drop("out")
        if self.there:
            w.write("work/deep/large", b"spoilt")
            w.drop("work/small")

    def after(self, w, rc, out):
        if not self.there and os.path.exists(w.path("out")):
            self.args.append("--force")
        self.repeat(w)
        if self.args[-1] == "--force" and not self.there:
            self.args.pop()
        top = "work" if self.there else "out"
        differ = difference(w.acked[-1][1], facts(w.path(top)))
        if differ:
            raise Failure(f"restored with other {differ}")
        w.intact()


class Register(History):
    """Another directory; or one in a store that is not there yet."""

    def __init__(self, new_store=False, **options):
        super().__init__(**options)
        self.new_store = new_store

    def prepare(self, w):
        w.drop("fresh", "fresh-store", "fresh-key")
        w.write("fresh/one", w.rng.randbytes(1000))
        self.args = ["register", "--dir", "fresh"]
        if self.new_store:
            self.args += ["--url", "file://" + w.path("fresh-store"),
                          "--recovery_file", "fresh-key"]
        else:
            self.args += w.where()

    def repeat(self, w):
        rc, out, err = w.run(self.args)
        if rc != 0 and "is registered already" not in err:
            raise Failure(f"repeated, register ends with {rc}: {err}")

    def after(self, w, rc, out):
        w.intact()
        self.repeat(w)
        key = w.well("backup", "--dir", "fresh")
        w.restores(key, facts(w.path("fresh")), "fresh")
        if self.new_store:
            w.well("verify", "--store_dir", "fresh-store")
            # Killed between the two, the file is not there.
            if not os.path.exists(w.path("fresh-key")):
                w.well("key", "--dir", "fresh")
            elif not os.path.getsize(w.path("fresh-key")):
                raise Failure("the recovery key was not written")


class First(Register):
    """The first backup of another directory."""

    def prepare(self, w):
        super().prepare(w)
        w.well(*self.args)
        self.args = ["backup", "--dir", "fresh"]

    def repeat(self, w):
        w.well(*self.args)


class Invite(History):
    def after(self, w, rc, out):
        w.drop("fresh")
        w.write("fresh/one", b"1")
        for invitation in (out.strip(), self.repeat(w)):
            if invitation:
                w.drop("fresh/.shamo")
                w.well("register", "--dir", "fresh", "--url", w.url,
                       "--invitation", invitation)
        w.intact()


class Unprune(History):
    def __init__(self, **more):
        super().__init__("unprune", "-q", "--store_dir", "store", **more)

    def prepare(self, w):
        w.more(2)
        self.all = list(w.acked)
        w.well("prune", "-q", "--store_dir", "store")

    def after(self, w, rc, out):
        self.repeat(w)
        w.acked = self.all
        w.intact()
        w.sound()
        w.pruned()
        w.well("prune", "-q", "--store_dir", "store", "--now")


class Start(History):
    """Nothing but a server that comes and goes."""

    def __init__(self, **more):
        super().__init__("status", "--store_dir", "store", served=True,
                         victim="server", **more)


def some(w):
    """Snapshots that the policy does not keep."""
    w.more(2)
    w.pruned()


def dead(w):
    """Space to be had."""
    some(w)
    w.well("prune", "-q", "--store_dir", "store", "--now")


PRUNE = ["prune", "-q", "--store_dir", "store"]
SWEEP = ["sweep", "-q", "--store_dir", "store"]
HISTORIES = {
    "register-store": lambda: Register(new_store=True),
    "register": Register,
    "first": First,
    "backup": Backup,
    "heal": Damaged,
    "verify": Verify,
    "keep": lambda: History("keep", "-q", "--store_dir", "store", "--last",
                            "2", "--floor", "0d"),
    "retire": lambda: History(*PRUNE, before=some),
    "prune": lambda: History(*PRUNE, "--now", before=some),
    "unprune": Unprune,
    "sweep": lambda: History(*SWEEP, before=dead),
    "reindex": lambda: History("reindex", "--store_dir", "store"),
    "restore": lambda: Restore("--dest", "out"),
    "restore-force": lambda: Restore("--force"),
    "http-invite": lambda: Invite("invite", "--store_dir", "store",
                                  served=True),
    "http-register": lambda: Register(served=True),
    "http-backup": lambda: Backup(served=True),
    "http-restore": lambda: Restore("--dest", "out", served=True),
    "server-start": Start,
    "server-register": lambda: Register(served=True, victim="server"),
    "server-backup": lambda: Backup(served=True, victim="server"),
    "server-heal": lambda: Damaged(served=True, victim="server"),
    "server-verify": lambda: Verify(served=True, victim="server"),
    "server-prune": lambda: History(*PRUNE, "--now", before=some, served=True,
                                    victim="server"),
    "server-sweep": lambda: History(*SWEEP, before=dead, served=True,
                                    victim="server"),
    "server-reindex": lambda: History("reindex", "--store_dir", "store",
                                      served=True, victim="server"),
}


class Trace:
    """What KILLAT noted."""

    def __init__(self, path):
        self.calls, self.killed, self.pid = [], None, None
        with open(path, encoding="utf-8", errors="replace") as f:
            for line in f:
                words = line.rstrip("\n").split(" ", 2)
                if words[0] == "pid":
                    self.pid = int(words[1])
                elif words[0] == "killed":
                    self.killed = words[2]
                elif words[0] != "ended":
                    self.calls.append(line.rstrip("\n"))


def meet(w, history, options, n):
    """The history with a kill before the Nth call: a Trace."""
    program = [options.killat, w.path("trace"), str(n), w.shash]
    if history.victim == "command":
        if history.served and w.server is None:
            w.up()
        history.prepare(w)
        rc, out, err = w.run(history.args, program)
        trace = Trace(w.path("trace"))
    else:
        if w.server is None:
            w.up()
        history.prepare(w)
        w.unserve()
        rc, out, err = None, "", ""
        if w.serve(program):
            rc, out, err = w.run(history.args)
        w.unserve(Trace(w.path("trace")).pid)
        trace = Trace(w.path("trace"))
        w.up()
    if trace.killed is None and rc not in (history.code, None):
        raise Failure(f"not killed, and it ends with {rc}: {err}")
    if options.lose and trace.killed is not None:
        w.lose()
    history.after(w, rc, out)
    w.sound(alone=not history.served or history.victim == "server")
    return trace


class Worlds:
    """One with a server and one without, new ones after some rounds."""

    def __init__(self, options):
        self.options = options
        self.there = {}

    def get(self, served):
        """A world, for one round."""
        w, rounds = self.there.get(served, (None, 0))
        if rounds >= ROUNDS_MAX:
            w.intact(everything=True)
            self.end(served)
            w = None
        if w is None:
            w, rounds = World(self.options, served), 0
        self.there[served] = (w, rounds + 1)
        return w

    def end(self, served):
        if served in self.there:
            self.there.pop(served)[0].end()

    def finish(self):
        try:
            for w, _ in self.there.values():
                w.intact(everything=True)
        finally:
            for served in list(self.there):
                self.end(served)


def hits(options, worlds, name):
    """One history at its points: (kills, misses, failures)."""
    history = HISTORIES[name]()
    hit, missed, failed = collections.Counter(), 0, 0
    calls = len(meet(worlds.get(history.served), history, options, 0).calls)
    points = list(range(1, calls + 1))
    if options.points and options.points < calls:
        rng = random.Random(f"{options.seed} {name}")
        points = sorted(rng.sample(points, options.points))
    if options.at:
        points = [options.at]
    while points:
        if time.monotonic() > options.end:
            break
        n = points.pop()
        w = worlds.get(history.served)
        try:
            killed = meet(w, history, options, n).killed
            if options.verbose:
                print(f"{name} {n}: {killed}", flush=True)
            if killed is not None:
                hit[killed.split(" ")[0]] += 1
            elif options.points and n > 1 and not options.at:
                points.append(n * 3 // 4)
            else:
                missed += 1
        except Failure as e:
            failed += 1
            said = Trace(w.path("trace")).killed
            print(f"FAIL {name} at {n} ({said}), seed {options.seed}:"
                  f" {e}", flush=True)
            worlds.end(history.served)
    if isinstance(history, (Damaged, Verify)):
        worlds.end(history.served)  # what was damaged is still on its disk
    which = ", ".join(f"{call} {k}" for call, k in hit.most_common())
    print(f"{name}: {calls} calls, {hit.total()} kills, {missed} missed,"
          f" {failed} failed ({which})", flush=True)
    return hit.total(), missed, failed


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--history", action="append", choices=HISTORIES)
    parser.add_argument("--points", type=int)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--at", type=int)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--lose", action="store_true")
    parser.add_argument("shash")
    parser.add_argument("killat")
    parser.add_argument("clock", nargs="?")
    options = parser.parse_args()
    options.killat = os.path.realpath(options.killat)
    options.end = time.monotonic() + options.seconds
    print(f"seed {options.seed}", flush=True)
    total = (0, 0, 0)
    worlds = Worlds(options)
    try:
        for name in options.history or HISTORIES:
            total = tuple(map(sum, zip(total, hits(options, worlds, name))))
            # Others' mounts would make calls that are none here.
            if not options.points:
                worlds.finish()
    finally:
        worlds.finish()
    print("%d kills, %d missed, %d failed" % total)
    # Kills that never came prove nothing.
    return 1 if total[2] or total[0] < 3 * total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
