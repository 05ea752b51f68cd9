#!/usr/bin/env python3
"""usage: tests/long/fleet.py SHASH CLOCK.so KILLS SEED

Four clients of two vaults back up, and restore, as fast as they can; the
policy keeps two snapshots of each, the grace is the shortest that there is, and
store time runs a day in a second, so that prune and sweep retire, remove and
delete all the time: by the server itself, by `prune --now` and by `sweep`.
Meanwhile the server or a client, of which a die decides, is killed after a
random time, until KILLS of them have died; a server is started anew.

A snapshot was acknowledged when backup said its key; before that, facts() of
the directory were taken.  What restores in between is compared with them, and
in the end all that is live or comes back (unprune) is.  What is gone must have
a tombstone, and must not be among the newest two.  The store must verify.

CLOCK=+10y, -10y or frozen moves the wall clock each half minute: there, and back.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../fault"))
# pylint: disable=wrong-import-position
from surroundings import Failure, Surroundings, difference, facts

CLIENTS = 4
DAYS_A_SECOND = 1
EXITS = {0, 1, 11, 12, 13, 14, -signal.SIGKILL}
SECONDS_MAX = 7200


class Fleet(Surroundings):
    def __init__(self, shash, clock, seed):
        super().__init__(shash, clock)
        self.rng = random.Random(seed)
        self.lock = threading.Lock()
        self.over = False
        self.failure = None
        self.kills = {"server": 0, "client": 0}
        self.died_in = {}


class Client:
    def __init__(self, fleet, number, seed):
        self.f = fleet
        self.name = f"work{number}"
        # Two machines with a keyring each: two vaults.
        self.env = dict(fleet.env, SHASH_RETRY="1m",
                        XDG_CONFIG_HOME=fleet.path(f"config{number % 2}"))
        self.rng = random.Random(seed * 10 + number)
        self.acked = {}  # seq: (key, facts)
        self.process = None
        self.doing = None
        self.backups = self.restores = self.gone = self.refused = 0
        for d in range(4):
            self.change(d)

    def change(self, d=None):
        """Some of its directories are others."""
        d = self.rng.randrange(4) if d is None else d
        top = f"{self.name}/d{d}"
        self.f.drop(top)
        for i in range(12):
            self.f.write(f"{top}/f{i}",
                         self.rng.randbytes(self.rng.randrange(1, 9000)))
        self.f.write(f"{top}/large", self.rng.randbytes(
            self.rng.randrange(100000, 3000000)))

    def shash(self, *args):
        """(exit code, stdout, stderr) of a process that may be killed."""
        with self.f.lock:
            self.doing = args[0]
            self.process = subprocess.Popen(
                [self.f.shash, *args], env=self.env, cwd=self.f.folder,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE)
        out, err = self.process.communicate(timeout=600)
        rc = self.process.returncode
        if rc not in EXITS:
            raise Failure(f"{self.name} {args[0]} ends with {rc}:"
                          f" {err.decode()}")
        return rc, out.decode(), err.decode()

    def back_up(self):
        now = facts(self.f.path(self.name))
        rc, out, err = self.shash("backup", "--dir", self.name, "--json")
        if rc == 13:
            raise Failure(f"{self.name}: damage in a whole store: {err}")
        if rc == 12 or (rc == 1 and "lock" not in err):
            self.refused += 1
        if '"key":"' not in out:
            return
        row = out[out.index('"key":"') + 7:].split('"')[0]
        seq = int(out.split('"seq":')[1].split(",")[0].rstrip("}\n"))
        self.acked[seq] = (row, now)
        self.backups += 1

    def restore(self):
        """One of those that were acknowledged; it may be gone by policy."""
        if not self.acked:
            return
        recent = sorted(self.acked)[-4:]
        seq = self.rng.choice(recent)
        copy = f"copy-{self.name}"
        self.f.drop(copy)
        rc, _, err = self.shash("restore", "--dir", self.name, "--udk",
                                f"@{seq}", "--dest", copy)
        if rc == 0:
            self.same(seq, copy)
            self.restores += 1
        elif rc == 14:
            if seq >= recent[-1]:
                raise Failure(f"{self.name} @{seq} is gone: {err}")
            self.gone += 1
        elif rc == 13:
            raise Failure(f"{self.name} @{seq} is damaged: {err}")

    def same(self, seq, copy):
        differ = difference(self.acked[seq][1], facts(self.f.path(copy)))
        if differ:
            raise Failure(f"{self.name} @{seq} restored with other {differ}")

    def live(self):
        try:
            while not self.f.over:
                if self.rng.random() < 0.3:
                    self.restore()
                else:
                    self.change()
                    self.back_up()
        except Failure as e:
            self.f.failure = e
        except BaseException as e:  # another thread has to hear of it
            self.f.failure = Failure(repr(e))
            raise

    def check(self, rows):
        """All that is left restores, nothing else is missing."""
        live = {r["seq"]: r["key"] for r in rows if r["type"] == "snapshot"}
        retired = {r["seq"] for r in rows if r["type"] == "retired"}
        newest = sorted(live.keys() | retired | self.acked.keys())[-2:]
        for seq in newest:
            if seq not in live:
                raise Failure(f"{self.name} @{seq} is one of the newest two,"
                              " and is not there")
        restored = 0
        for seq, (key, _) in self.acked.items():
            if seq not in live and seq not in retired:
                raise Failure(f"{self.name} @{seq} is lost")
            if seq not in live:
                continue
            if live[seq] != key:
                raise Failure(f"{self.name} @{seq} is another snapshot")
            copy = f"copy-{self.name}"
            self.f.drop(copy)
            rc, _, err = self.shash("restore", "--dir", self.name, "--udk",
                                    f"@{seq}", "--dest", copy)
            if rc != 0:
                raise Failure(f"{self.name} @{seq}: {rc} {err}")
            self.same(seq, copy)
            restored += 1
        return restored


def tick(f, how):
    """Store time goes by; the wall clock is moved each half minute."""
    began = time.monotonic()
    while not f.over:
        time.sleep(0.2)
        moved = int(time.monotonic() - began) // 30 % 2
        f.set_clocks(how if moved else "", DAYS_A_SECOND / 5)


def operate(f, counts):
    """The owner: prunes and sweeps by hand, beside the server."""
    rng = random.Random(f.rng.random())
    try:
        while not f.over:
            args = rng.choice((("prune", "--now"), ("prune",), ("sweep",),
                               ("sweep",)))
            rc, out, err = f.run([args[0], "--store_dir", "store", *args[1:]])
            counts[args] = counts.get(args, 0) + (rc == 0)
            # 1: the server died meanwhile, or was about to start.
            if rc not in (0, 1, 11):
                raise Failure(f"{args}: {rc} {err}{out}")
            time.sleep(rng.random())
    except Failure as e:
        f.failure = e


def up(f):
    while not f.serve():
        with open(f.path("log"), "rb") as log:
            said = log.read()[-300:].decode("utf-8", "replace")
        # The operator's command has the store for a moment.
        if "in use" not in said and "another" not in said:
            raise Failure(f"the server does not start: {said}")
        time.sleep(0.05)


def kill_one(f, clients):
    """Whom the die says; whether somebody died."""
    victim = "server" if f.rng.random() < 0.4 else "client"
    if victim == "server":
        f.server.kill()
        f.server.wait()
        up(f)
        what = "server"
    else:
        c = f.rng.choice(clients)
        with f.lock:
            if c.process is None or c.process.poll() is not None:
                return False
            c.process.kill()
            what = f"client in {c.doing}"
    f.kills[victim] += 1
    f.died_in[what] = f.died_in.get(what, 0) + 1
    return True


def finish(f, clients):
    """What is left is whole: counts of what restored."""
    f.unserve()
    f.set_clocks(os.environ.get("CLOCK", ""), 1)
    # What was retired comes back before its grace has ended.
    f.well("keep", "-q", "--store_dir", "store", "--forever")
    f.well("unprune", "-q", "--store_dir", "store")
    f.well("verify", "--store_dir", "store")
    up(f)
    restored = 0
    for c in clients:
        rc, out, err = c.shash("snapshots", "--dir", c.name, "--json")
        if rc != 0:
            raise Failure(f"snapshots: {rc} {err}")
        restored += c.check([json.loads(line) for line in out.splitlines()])
        c.change()
        c.back_up()
    f.unserve()
    f.well("sweep", "-q", "--store_dir", "store")
    f.well("verify", "--store_dir", "store")
    return restored


def play(f, kills, seed):
    how = os.environ.get("CLOCK", "")
    up(f)
    clients = [Client(f, i, seed) for i in range(CLIENTS)]
    for c in clients:
        invitation = f.well("invite", "--store_dir", "store")
        rc, _, err = c.shash("register", "--dir", c.name, "--label", c.name,
                             "--url", f.url, "--invitation", invitation)
        if rc != 0:
            raise Failure(f"register: {err}")
    f.well("keep", "-q", "--store_dir", "store", "--last", "2", "--daily",
           "3", "--floor", "0d", "--grace", "7d")
    counts = {}
    threads = [threading.Thread(target=c.live) for c in clients]
    threads += [threading.Thread(target=tick, args=(f, how)),
                threading.Thread(target=operate, args=(f, counts))]
    for t in threads:
        t.start()
    began = time.monotonic()
    try:
        while sum(f.kills.values()) < kills and f.failure is None:
            time.sleep(f.rng.random() * 4)
            if kill_one(f, clients):
                print(f"{sum(f.kills.values())} kills, {f.died_in}",
                      flush=True)
            if time.monotonic() - began > SECONDS_MAX:
                raise Failure("too slow")
    finally:
        f.over = True
        for t in threads:
            t.join()
    if f.failure is not None:
        raise f.failure
    restored = finish(f, clients)
    took = int(time.monotonic() - began)
    print(f"{f.kills['server']} servers and {f.kills['client']} clients"
          f" killed in {took} s ({f.died_in}); prune and sweep by hand:",
          {" ".join(k): n for k, n in counts.items()})
    with open(f.path("log"), encoding="utf-8", errors="replace") as log:
        text = log.read()
    print(f"{text.count(' kept, ')} prunes and {text.count(': sweep freed ')} sweeps"
          " by the server")
    for c in clients:
        print(f"{c.name}: {c.backups} backups, {c.restores} restores on the"
              f" way, {c.gone} were gone by policy")
    print(f"at the end {restored} snapshots restored, the store verifies")
    # A fleet in which nothing went, or nothing was done, proves nothing.
    removed = sum(len(c.acked) for c in clients) - restored
    if restored < 2 * CLIENTS or removed < kills / 10 or \
            sum(c.restores for c in clients) < kills / 10:
        raise Failure("too little happened")


def main():
    shash, clock, kills, seed = sys.argv[1:]
    f = Fleet(shash, clock, int(seed))
    try:
        play(f, int(kills), int(seed))
    except Failure as e:
        print(f"FAIL seed {seed}: {e}")
        if os.environ.get("KEEP"):
            print(f.folder)
            f.folder = f.path("nothing")
        return 1
    finally:
        f.end()
        shutil.rmtree(f.folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
