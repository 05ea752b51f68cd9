#!/usr/bin/env python3
"""usage: tests/fault/spoil_index.py SHASH TRIALS SEED [--lose]

A disk spoils the index of a store while its server has it open: bytes become
others, a page is zeros or another one, the file is cut, overwritten, or gone,
before and while a client backs up, restores and lists, and `verify` and
`sweep` run.  Then the server ends, in order or killed, and is started again.

A command succeeds, or ends with a documented code and a line; what restores
with success is what was backed up; a server that dies of it (or hangs, and is
killed) comes up again, at the third start at the latest.  Afterwards every snapshot that was acknowledged
restores, at once or after `reindex`, and the store verifies.  --lose removes a
pack at the end of each trial, which must be noticed.
"""

import os
import random
import shutil
import subprocess
import sys
import time

from surroundings import Failure, Surroundings, difference, facts

EXITS = {0, 1, 10, 11, 13, 14}
PAGE = 4096
STARTS = 3
HANG_SECONDS = 60
FILES = 60


class World(Surroundings):
    def __init__(self, shash, seed):
        super().__init__(shash)
        self.seed = seed
        self.rng = random.Random(seed)
        self.acked = {}
        self.counts = {"commands": 0, "failed": 0, "deaths": 0,
                       "spoilt": 0, "hangs": 0, "reindexed": 0, "restored": 0}
        self.made = 0
        self.prepare()

    # -- what is backed up --

    def change(self):
        for _ in range(4):
            self.made += 1
            n = self.rng.randrange(FILES)
            size = self.rng.choice([10, 900, 30000, 300000])
            self.write(f"work/d{n % 7}/f{n}", self.rng.randbytes(size))

    def back_up(self):
        rc, out, err = self.command("backup", "--dir", "work")
        if rc == 0:
            self.acked[out.strip()] = facts(self.path("work"))
        return rc, err

    def restored(self, key):
        """Exit code; what came with 0 is what was backed up."""
        self.drop("dest")
        rc, _, err = self.command("restore", "--dir", "work", "--udk", key,
                                  "--dest", "dest")
        if rc == 0:
            wrong = difference(facts(self.path("dest")), self.acked[key])
            if wrong:
                raise Failure(f"{key} restored with success: {wrong}")
            self.counts["restored"] += 1
        self.drop("dest")
        return rc, err

    def command(self, *args):
        p = self.start(args)
        out, err = (b.decode("utf-8", "replace")
                    for b in self.command_hangs(p))
        rc = p.returncode
        self.counts["commands"] += 1
        self.counts["failed"] += rc != 0
        if rc not in EXITS or (rc != 0 and not err.strip()):
            raise Failure(f"{' '.join(args)}: exit code {rc}: {err}")
        return rc, out, err

    def prepare(self):
        for _ in range(30):
            self.change()
        self.well("register", "--dir", "work", "--url",
                  f"file://{self.path('store')}")
        for _ in range(5):
            self.change()
            self.well("backup", "--dir", "work")
        # Something for a sweep to delete.
        self.well("keep", "--store_dir", "store", "--last", "2",
                  "--floor", "0d")
        self.well("prune", "--store_dir", "store", "--now")
        config = self.path("work/.shamo/config.json")
        with open(config, encoding="utf-8") as f:
            text = f.read()
        with open(config, "w", encoding="utf-8") as f:
            f.write(text.replace(f"file://{self.path('store')}", self.url))
        for name in ("store", "work"):
            shutil.copytree(self.path(name), self.path("base", name),
                            symlinks=True, ignore=lambda d, names: [
                                n for n in names if n == "reserve"])

    # -- the index --

    def data(self):
        top = self.path("store/index")
        for folder, _, files in os.walk(top):
            if "data.mdb" in files:
                return os.path.join(folder, "data.mdb")
        return None

    def spoil(self):
        path = self.data()
        if path is None:
            return
        self.counts["spoilt"] += 1
        rng, size = self.rng, os.path.getsize(path)
        how = rng.choice(["flip", "flip", "flip", "flip", "zeros", "moved",
                          "cut", "empty", "noise", "gone", "folder"])
        with open(path, "r+b") as f:
            if how == "flip":
                for _ in range(rng.choice([1, 8, 64])):
                    at = rng.randrange(max(size, 1))
                    f.seek(at)
                    old = f.read(1) or b"\0"
                    f.seek(at)
                    f.write(bytes([old[0] ^ rng.randrange(1, 256)]))
            elif how in ("zeros", "noise", "moved"):
                pages = max(size // PAGE, 1)
                f.seek(PAGE * rng.randrange(pages))
                page = f.read(PAGE) if how == "moved" else \
                    bytes(PAGE) if how == "zeros" else rng.randbytes(PAGE)
                f.seek(PAGE * rng.randrange(pages))
                f.write(page)
            elif how == "cut":
                f.truncate(rng.randrange(max(size, 1)))
            elif how == "empty":
                f.truncate(0)
        if how == "gone":
            os.unlink(path)
        elif how == "folder":
            shutil.rmtree(os.path.dirname(path))

    # -- a trial --

    def up(self):
        if self.server is not None and self.server.poll() is None:
            return
        if self.server is not None:
            self.counts["deaths"] += 1
            self.server = None
        for _ in range(STARTS):
            if self.serve():
                return
            self.server = None
        raise Failure("the server does not start any more")

    def stop(self):
        """In order, if it can: LMDB may go round in circles of pages."""
        server, self.server = self.server, None
        if server is None:
            return
        server.terminate()
        try:
            server.wait(HANG_SECONDS)
        except subprocess.TimeoutExpired:
            self.counts["hangs"] += 1
            server.kill()
            server.wait()

    def command_hangs(self, p):
        """A server that hangs is killed, which ends what waits for it."""
        try:
            return p.communicate(timeout=HANG_SECONDS)
        except subprocess.TimeoutExpired:
            self.counts["hangs"] += 1
            self.end_server()
        return p.communicate(timeout=HANG_SECONDS)

    def end_server(self):
        if self.server is not None and self.server.poll() is None:
            self.server.kill()
            self.server.wait()
        self.server = None

    def step(self):
        args = self.rng.choice([["backup"], ["backup"], ["restore"],
                                ["restore"], ["verify"], ["snapshots"],
                                ["sweep"]])
        if self.rng.random() < 0.7:
            self.spoil()
        if args == ["backup"]:
            self.change()
            self.back_up()
        elif args == ["restore"]:
            self.restored(self.rng.choice(list(self.acked)))
        elif args == ["snapshots"]:
            self.command("snapshots", "--dir", "work")
        else:
            self.command(*args, "--store_dir", "store")

    def during(self):
        """Spoil it while a restore is under way."""
        self.drop("dest")
        p = self.start(["restore", "--dir", "work", "--dest", "dest"])
        time.sleep(self.rng.random() * 0.02)
        self.spoil()
        out, err = self.command_hangs(p)
        if p.returncode not in EXITS:
            raise Failure(f"restore: {p.returncode}: {out}{err}")
        self.drop("dest")

    def check(self, lose):
        if self.rng.random() < 0.5:
            self.up()
            self.server.kill()
            self.server.wait()
            self.server = None
        else:
            self.stop()
            if self.rng.random() < 0.5:
                self.command("sweep", "--store_dir", "store")
        if lose:
            self.lose()
        self.up()
        bad = [k for k in self.acked if self.restored(k)[0] != 0]
        self.stop()
        rc, out, err = self.run(["verify", "--store_dir", "store"])
        if bad or rc != 0:
            self.counts["reindexed"] += 1
            self.well("reindex", "--store_dir", "store", also=(13,))
            self.up()
            for key in self.acked:
                rc, err = self.restored(key)
                if rc != 0:
                    raise Failure(f"lost: {key}: {rc}: {err}")
            self.stop()
            rc, out, err = self.run(["verify", "--store_dir", "store"])
        if rc != 0:
            raise Failure(f"verify: {rc}: {out}{err}")

    def lose(self):
        for folder, _, files in os.walk(self.path("store/vaults")):
            for name in files:
                if name.endswith(".pack"):
                    os.unlink(os.path.join(folder, name))

    def trial(self, n, lose):
        self.rng = random.Random(f"{self.seed} {n}")
        self.drop("store", "work")
        for name in ("store", "work"):
            shutil.copytree(self.path("base", name), self.path(name),
                            symlinks=True)
        self.acked = {}
        self.up()
        self.change()
        if self.back_up()[0] != 0:
            raise Failure("the first backup")
        for _ in range(self.rng.randrange(1, 5)):
            self.up()
            if self.rng.random() < 0.3:
                self.during()
            else:
                self.step()
        self.check(lose)


def main():
    shash, trials, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    lose = sys.argv[4:] == ["--lose"]
    first = int(os.environ.get("TRIAL", "0"))
    w = World(shash, seed)
    failed = 0
    try:
        for n in range(first, first + trials):
            try:
                w.trial(n, lose)
            except Failure as e:
                failed += 1
                print(f"trial {n} of seed {seed}: {e}", flush=True)
                w.end_server()
    finally:
        w.end()
    print(f"{trials} trials, {failed} failed; "
          + ", ".join(f"{n} {what}" for what, n in w.counts.items()))
    return 1 if failed or not w.counts["spoilt"] else 0


if __name__ == "__main__":
    sys.exit(main())
