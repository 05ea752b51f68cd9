#!/usr/bin/env python3
"""Cut, hold and repeat what client and server say to each other.

usage: cuts.py SHASH FOLDER COUNT SEED

A round registers a directory, backs it up, changes it, backs it up again and
restores it, through a proxy that disturbs each command once, after a drawn byte
of its own transcript, up or down:

  cut    every connection is closed there, and the next ones pass: the command
         succeeds by itself
  dead   closed, and refused until the command has ended: it ends with 11 and a
         line, or had all it needed; the command, repeated, succeeds
  hold   nothing passes for a while, and then all of it: it succeeds
  twice  when the command has ended, all that the server was told is told again

What was acknowledged restores byte for byte, and at the end the server's own
check finds nothing.  FOLDER is empty and on a local disk; COUNT disturbances.
"""

import os
import random
import select
import socket
import subprocess
import sys
import threading
import time

KINDS = ("cut", "dead", "hold", "twice")
HOLD_SECONDS = 0.15


class Proxy(threading.Thread):
    """One thread; a plan holds from one command to the next."""

    def __init__(self, to):
        super().__init__(daemon=True)
        self.to = to
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.pairs = {}
        self.streams = []
        self.plan()

    def plan(self, kind=None, up=True, at=0):
        with self.lock:
            self.kind, self.up, self.at = kind, up, at
            self.fired, self.until = False, 0
            self.count = {True: 0, False: 0}
            self.streams = []

    def drop_all(self):
        for s in list(self.pairs):
            s.close()
        self.pairs.clear()

    def accept(self):
        client, _ = self.listener.accept()
        if self.kind == "dead" and self.fired:
            client.close()
            return
        try:
            server = socket.create_connection(("127.0.0.1", self.to))
        except OSError:
            client.close()
            return
        for s in (client, server):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = bytearray()
        self.streams.append(stream)
        self.pairs[client] = (server, True, stream)
        self.pairs[server] = (client, False, stream)

    def forward(self, source):
        sink, up, stream = self.pairs[source]
        try:
            data = source.recv(65536)
        except OSError:
            data = b""
        over = not data
        if self.kind and not self.fired and up == self.up and \
                self.count[up] + len(data) > self.at:
            self.fired = True
            if self.kind in ("cut", "dead"):
                data, over = data[:self.at - self.count[up]], None
            elif self.kind == "hold":
                self.until = time.monotonic() + HOLD_SECONDS
        self.count[up] += len(data)
        if up:
            stream += data
        if self.until:
            time.sleep(max(0, self.until - time.monotonic()))
            self.until = 0
        try:
            sink.sendall(data)
        except OSError:
            over = over is not None or None
        if over is None:
            self.drop_all()
        elif over:
            for s in (source, sink):
                self.pairs.pop(s, None)
                s.close()

    def run(self):
        while True:
            ready, _, _ = select.select([self.listener, *self.pairs], [], [])
            with self.lock:
                for s in ready:
                    if s is self.listener:
                        self.accept()
                    elif s in self.pairs:
                        self.forward(s)

    def again(self):
        """Tell the server once more what it was told."""
        with self.lock:
            streams, self.streams = self.streams, []
        for stream in streams:
            with socket.create_connection(("127.0.0.1", self.to)) as s:
                s.settimeout(5)
                try:
                    s.sendall(stream)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                except OSError:
                    pass
        return len(streams)


def contents(top):
    """path -> what it is, but for the client's own folder"""
    out = {}
    for here, folders, files in os.walk(top):
        folders[:] = [f for f in folders if f != ".shamo"]
        for name in files + folders:
            path = os.path.join(here, name)
            if os.path.islink(path):
                what = os.readlink(path)
            elif os.path.isdir(path):
                what = None
            else:
                with open(path, "rb") as f:
                    what = f.read()
            out[os.path.relpath(path, top)] = what
    return out


class Rounds:
    def __init__(self, shash, folder, seed):
        self.shash, self.folder = shash, folder
        self.rng = random.Random(seed)
        self.lengths = {}
        self.counts = dict.fromkeys(KINDS, 0)
        self.repeated = self.round = 0
        self.env = dict(os.environ, LC_ALL="C.UTF-8")
        self.server = subprocess.Popen(
            [shash, "start", "--store_dir", self.path("store"), "--port", "0"],
            stderr=subprocess.PIPE, text=True)
        for line in self.server.stderr:
            if " listens on " in line:
                port = int(line.rsplit(":", 1)[1])
                break
        threading.Thread(target=self.server.stderr.read, daemon=True).start()
        self.proxy = Proxy(port)
        self.proxy.start()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def command(self, *words, retry="30s"):
        env = dict(self.env, SHASH_RETRY=retry,
                   XDG_CONFIG_HOME=self.path(f"config{self.round}"))
        return subprocess.run([self.shash, *words], env=env, timeout=120,
                              capture_output=True, text=True, check=False)

    def must(self, *words, why=""):
        r = self.command(*words)
        if r.returncode != 0:
            raise AssertionError(f"{why}: {words} ended with {r.returncode}:"
                                 f" {r.stderr}")
        return r.stdout.strip()

    def disturbed(self, name, words, again):
        """Run a command, disturbed where its transcript was known before."""
        up, down = self.lengths.get(name, (0, 0))
        kind = self.rng.choice(KINDS) if up else None
        at = self.rng.randrange(up + down) if up else 0
        where = f"{name}: {kind} at {at} of {up} up, {down} down"
        self.proxy.plan(kind, at < up, at if at < up else at - up)
        r = self.command(*words, retry="0s" if kind == "dead" else "30s")
        fired = self.proxy.fired
        if not up:
            self.lengths[name] = (self.proxy.count[True],
                                  self.proxy.count[False])
        elif fired:
            self.counts[kind] += 1
        if kind == "twice" and not self.proxy.again():
            raise AssertionError(f"{where}: nothing was said")
        self.proxy.plan()
        if kind == "dead" and r.returncode == 11:
            if not r.stderr.startswith("shash: ") or "Traceback" in r.stderr:
                raise AssertionError(f"{where}: no clear line: {r.stderr}")
            self.repeated += 1
            return self.must(*again, why=where)
        if r.returncode != 0:
            raise AssertionError(f"{where}: ended with {r.returncode}: "
                                 f"{r.stderr}")
        return r.stdout.strip()

    def restored(self, work, key, want, why):
        dest = self.path("dest")
        self.must("restore", "--dir", work, "--udk", key, "--dest", dest,
                  why=why)
        if contents(dest) != want:
            raise AssertionError(f"{why}: {key} restores to something else")
        subprocess.run(["rm", "-rf", dest], check=True)

    def one(self):
        self.round += 1
        work = self.path(f"work{self.round}")
        os.makedirs(os.path.join(work, "sub"))
        for name, size in (("a", 100), ("sub/b", 3000), ("c", 200000)):
            with open(os.path.join(work, name), "wb") as f:
                f.write(self.rng.randbytes(size))
        os.symlink("a", os.path.join(work, "link"))
        # Their time is the one thing that a wall clock decides.
        invitation = self.must("invite", "--store_dir", self.path("store"),
                               "--ttl", "0")
        words = ["register", "--dir", work, "--url",
                 f"http://127.0.0.1:{self.proxy.port}/", "--invitation",
                 invitation]
        self.disturbed("register", words, words)
        words = ["backup", "--dir", work]
        acknowledged = []
        for name in ("first", "second"):
            key = self.disturbed(name, words, words)
            acknowledged.append((key, contents(work)))
            with open(os.path.join(work, "sub/b"), "ab") as f:
                f.write(self.rng.randbytes(5000))
        dest = self.path("dest")
        words = ["restore", "--dir", work, "--udk", key, "--dest", dest]
        self.disturbed("restore", words, [*words, "--force"])
        if contents(dest) != acknowledged[-1][1]:
            raise AssertionError("the disturbed restore is wrong")
        subprocess.run(["rm", "-rf", dest], check=True)
        for key, want in acknowledged:
            self.restored(work, key, want, "afterwards")

    def run(self, count):
        try:
            while sum(self.counts.values()) < count:
                self.one()
        finally:
            self.server.terminate()
            self.server.wait()
        if self.server.returncode != 0:
            raise AssertionError("the server did not end cleanly")
        self.must("verify", "--store_dir", self.path("store"))
        print(f"{sum(self.counts.values())} disturbances in {self.round} "
              f"rounds: {self.counts}; {self.repeated} commands repeated")


if __name__ == "__main__":
    Rounds(sys.argv[1], sys.argv[2], int(sys.argv[4])).run(int(sys.argv[3]))
