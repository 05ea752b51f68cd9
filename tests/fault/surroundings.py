"""What the tests that kill and the tests that fail calls share.

A folder in which shash runs, with clocks of its own when CLOCK says so:
+10y, -10y or frozen.  facts() is what a restored directory is compared by.
"""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time

SECONDS_MAX = 120
YEARS_10 = 315360000


class Failure(Exception):
    pass


def facts(top):
    """{path: what is there}, but for the state, and for files that a killed
    restore did not get to rename."""
    found = {}

    def add(path):
        st = os.lstat(os.path.join(top, path))
        kind = stat.S_IFMT(st.st_mode)
        content = ""
        if kind == stat.S_IFREG:
            with open(os.path.join(top, path), "rb") as f:
                content = hashlib.blake2b(f.read()).hexdigest()
        elif kind == stat.S_IFLNK:
            content = os.readlink(os.path.join(top, path))
        time_ns = st.st_mtime_ns if kind == stat.S_IFREG else 0
        found[path] = (kind, stat.S_IMODE(st.st_mode), time_ns, content)

    for folder, dirs, files in os.walk(top):
        dirs[:] = [d for d in dirs if d != ".shamo"]
        for name in dirs + files:
            if not name.startswith(".shash-tmp-"):
                add(os.path.relpath(os.path.join(folder, name), top))
    return found


def difference(a, b):
    """Some of the paths in which two facts() differ."""
    return sorted(p for p in a.keys() | b.keys()
                  if a.get(p) != b.get(p))[:5]


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Ports:
    """Ports of this process, as scenario_own_ports of tests/lib/scenario.bash
    has them: no other test takes one, also not while nobody listens on it."""

    EACH, SLOTS, FIRST = 40, 300, 20000
    lock = None  # until the process ends

    @classmethod
    def next(cls):
        if cls.lock is None:
            cls.take_slot()
        for _ in range(cls.EACH):
            cls.last = (cls.last + 1) % cls.EACH
            port = cls.first + cls.last
            if not listens(port):
                break
        cls.lock.seek(0)
        cls.lock.truncate()
        print(cls.last, file=cls.lock, flush=True)
        return port

    @classmethod
    def take_slot(cls):
        places = f"/tmp/shash-ports.{os.geteuid()}"
        os.makedirs(places, mode=0o700, exist_ok=True)
        for slot in range(cls.SLOTS):
            cls.lock = open(f"{places}/{slot}", "a+", encoding="ascii")
            try:
                fcntl.flock(cls.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                cls.lock.close()
        cls.first = cls.FIRST + cls.EACH * slot
        cls.lock.seek(0)
        cls.last = int(cls.lock.read() or 0)


def clocks_of(how):
    """What the file of tests/fault/clock.c says for +10y, -10y, frozen, or
    nothing."""
    if how == "frozen":
        return f"0 0 {int(time.time())}\n"
    if how in ("+10y", "-10y"):
        return f"{YEARS_10 if how[0] == '+' else -YEARS_10} 0\n"
    if how:
        raise SystemExit(f"CLOCK={how}: +10y, -10y or frozen")
    return "0 0\n"


def answers(path):
    """Whether a server listens on the control socket of a store."""
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(path) == 0


class Surroundings:
    def __init__(self, shash, clock_library=None):
        self.shash = os.path.realpath(shash)
        self.folder = tempfile.mkdtemp(
            prefix="shash.", dir=os.environ.get("TEST_TMP"))
        self.env = dict(os.environ, LC_ALL="C.UTF-8", SHASH_RETRY="0",
                        XDG_CONFIG_HOME=self.path("config"))
        # The leak check cannot work under a tracer.
        asan = self.env.get("ASAN_OPTIONS", "")
        self.env["ASAN_OPTIONS"] = \
            asan + ":detect_leaks=0:verify_asan_link_order=0"
        self.boot = 0
        if clock_library is not None:
            self.env["LD_PRELOAD"] = os.path.realpath(clock_library)
            self.env["CLOCKS"] = self.path("clocks")
            self.set_clocks("")
        self.server = None
        self.port = Ports.next()
        self.url = f"http://127.0.0.1:{self.port}/"

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def set_clocks(self, how, days=0):
        """For all processes: the wall clock as `how` says, and as many more
        days on all of them."""
        words = clocks_of(how).split()
        self.boot += int(days * 86400)
        with open(self.path("clocks.new"), "w", encoding="ascii") as f:
            f.write(f"{int(words[0]) + self.boot} {self.boot}"
                    f" {' '.join(words[2:])}\n")
        os.rename(self.path("clocks.new"), self.path("clocks"))

    def start(self, args, program=None, log=None):
        """A process of shash, or of `program` with what it runs."""
        return subprocess.Popen(
            [*(program or [self.shash]), *args], env=self.env,
            stdin=subprocess.DEVNULL, cwd=self.folder,
            stdout=log or subprocess.PIPE, stderr=log or subprocess.PIPE)

    def run(self, args, program=None):
        """(exit code, stdout, stderr)"""
        p = self.start(args, program)
        try:
            out, err = p.communicate(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired as e:
            p.kill()
            p.communicate()
            raise Failure(f"hangs: {args}") from e
        return (p.returncode, out.decode("utf-8", "replace"),
                err.decode("utf-8", "replace"))

    def well(self, *args, also=()):
        """Run; it must succeed, or end with one of `also`.  Its stdout."""
        rc, out, err = self.run(args)
        if rc != 0 and rc not in also:
            raise Failure(f"{' '.join(args)}: exit code {rc}: {err}{out}")
        return out.strip()

    def rows(self, *args, also=()):
        """The JSON objects that a command prints."""
        return [json.loads(line) for line in
                self.well(*args, "--json", also=also).splitlines()]

    def serve(self, program=None, store="store"):
        """Start a server; whether it came up."""
        with open(self.path("log"), "ab") as log:
            self.server = self.start(
                ["start", "--store_dir", store, "--port", str(self.port)],
                program, log)
        for _ in range(6000):
            if self.server.poll() is not None:
                return False
            # Commands of the store's owner would else find it in use.
            if listens(self.port) and answers(self.path(store, "control")):
                return True
            time.sleep(0.01)
        raise Failure("the server does not come up")

    def unserve(self, pid=None):
        """End the server, or `pid` in its place, and wait for it."""
        server, self.server = self.server, None
        if server is None:
            return 0
        if server.poll() is None:
            try:
                os.kill(pid or server.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        try:
            return server.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired as e:
            server.kill()
            server.wait()
            raise Failure("the server does not end") from e

    def write(self, path, data):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "wb") as f:
            f.write(data)

    def drop(self, *names):
        for name in names:
            path = self.path(name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            elif os.path.lexists(path):
                os.unlink(path)

    def end(self):
        if self.server is not None and self.server.poll() is None:
            self.server.kill()
            self.server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
