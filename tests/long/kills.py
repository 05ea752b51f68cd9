#!/usr/bin/env python3
"""kill -9 of client and server in every phase of a backup, by strace.

usage: kills.py SHASH FOLDER HITS SEED

In each run strace kills one of the two before its Nth system call of a kind.
A rehearsal's trace tells which N lie in which phase; the trace of the run
itself tells in which phase the kill came.  Runs go on until every phase was
hit HITS times.  After each kill the next backup must succeed and say the key
of the directory, as address.py finds it; at the end every key that was ever
acknowledged must restore to a directory with that key, and the store must
verify.  Prints a line per kill and the counts.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "../fault"))
# pylint: disable=wrong-import-position
from surroundings import Ports

SHASH, FOLDER, HITS, SEED = (sys.argv[1], sys.argv[2], int(sys.argv[3]),
                             int(sys.argv[4]))
ADDRESS = os.path.join(os.path.dirname(os.path.realpath(__file__)),
                       "../lib/address.py")
# What is traced, and so what a kill can come before.
CALLS = {
    "server": ["fdatasync", "fsync", "renameat2", "pwrite64", "writev",
               "sendmsg", "recvfrom"],
    "client": ["getdents64", "newfstatat", "sendto", "recvfrom", "pwrite64",
               "writev"],
}
PHASES = {
    "server": ["put", "pack close", "index", "commit", "answer"],
    "client": ["walk", "put", "commit", "answer"],
}
RUNS_MAX = 20 * HITS + 100  # per phase
PORT = Ports.next()
rng = random.Random(SEED)
acknowledged = []


def run(*command, check=True):
    """Run a command to its end: (exit code, stdout)."""
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=300)
    if check and done.returncode != 0:
        raise SystemExit("%s: exit %d: %s" % (command, done.returncode,
                                              done.stderr))
    return done.returncode, done.stdout.strip()


def shash(*args, check=True):
    return run(SHASH, *args, check=check)


def tracer(victim, kill, log):
    inject = [] if kill is None else [
        "-e", "inject=%s:signal=KILL:when=%d" % kill]
    return ["strace", "-f", "-y", "-s", "40", "-o", log,
            "-e", "trace=" + ",".join(CALLS[victim]), *inject]


def listens(port):
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as f:
            if re.search(":%04X 0+:0000 0A" % port, f.read()):
                return True
    return False


class Server:
    def __init__(self):
        self.tracer = None
        self.log = open("server.err", "a")
        self.process = subprocess.Popen(
            [SHASH, "start", "--store_dir", "store", "--port", str(PORT)],
            stdout=self.log, stderr=self.log)
        while not listens(PORT) and self.process.poll() is None:
            time.sleep(0.01)

    def trace(self, kill, log):
        """Attach strace, once the vault is open: its opening is no phase."""
        shash("snapshots", "--dir", "work")
        self.tracer = subprocess.Popen(
            [*tracer("server", kill, log), "-p", str(self.process.pid)],
            stderr=self.log)
        status = "/proc/%d/status" % self.process.pid
        while re.search(r"TracerPid:\t0\n", open(status).read()):
            time.sleep(0.01)
        time.sleep(0.1)

    def end(self):
        if self.process.poll() is None:
            shash("stop", "--store_dir", "store", check=False)
        self.process.wait(60)
        if self.tracer is not None:
            self.tracer.wait(60)
        self.log.close()


def change(nothing=False):
    """Something new in the source: small files and a large one."""
    if nothing:
        return
    name = "work/d%d" % rng.randrange(6)
    shutil.rmtree(name, ignore_errors=True)
    for sub in range(2):
        os.makedirs("%s/s%d" % (name, sub))
        for i in range(25):
            with open("%s/s%d/f%d" % (name, sub, i), "wb") as f:
                f.write(rng.randbytes(rng.randrange(1, 9000)))
    with open(name + "/large", "wb") as f:
        f.write(rng.randbytes(9000000))  # some puts


class ServerWatch:
    """Follows a trace of the server: in which phase is it?"""

    def __init__(self):
        self.state = "start"
        self.snapshot = None  # the temporary file of it

    def feed(self, line):
        if "POST /v1/put" in line and self.state == "start":
            self.state = "put"
        elif "POST /v1/commit" in line:
            self.state = "pack close"
        if self.state in ("start", "put", "answer"):
            return self.state
        if "sendmsg(" in line and "HTTP/1.1 200" in line:
            self.state = "answer"
            return self.state
        if '"HSS0' in line and "pwrite64(" in line:
            self.snapshot = re.search(r"put-\w+", line).group()
        if "data.mdb" in line:
            return "index"
        if "/snapshots" in line or (self.snapshot is not None and
                                    self.snapshot in line):
            return "commit"
        return "pack close"


class ClientWatch:
    def __init__(self):
        self.state = "walk"

    def feed(self, line):
        if "POST /v1/put" in line and self.state == "walk":
            self.state = "put"
        elif "POST /v1/commit" in line:
            self.state = "commit"
        elif "recvfrom(" in line and self.state == "commit":
            self.state = "answer"
        return self.state


WATCH = {"server": ServerWatch, "client": ClientWatch}


def trace_lines(log):
    """Of the calls: (thread, call or None for a resumed one, line)."""
    with open(log, errors="replace") as f:
        for line in f:
            m = re.match(r"(\d+) +(?:(\w+)\(|<\.\.\. )", line)
            if m:
                yield m.group(1), m.group(2), line


def phase_of(victim, log):
    """The phase in which the trace ends; None when nothing was killed."""
    with open(log, errors="replace") as f:
        if "killed by SIGKILL" not in f.read():
            return None
    watch, phase = WATCH[victim](), None
    for _, _, line in trace_lines(log):
        phase = watch.feed(line)
    return phase


def plan(victim, log):
    """Which kills come in which phase: {phase: [(call, N)]}.

    strace counts the calls of each thread and each kind by themselves; the
    first thread to get there is killed.
    """
    watch, counts, most, kills = WATCH[victim](), {}, {}, {}
    for thread, call, line in trace_lines(log):
        phase = watch.feed(line)
        if call is None:
            continue
        n = counts[thread, call] = counts.get((thread, call), 0) + 1
        if n > most.get(call, 0):
            most[call] = n
            kills.setdefault(phase, []).append((call, n))
    return kills


def back_up(checked=True):
    _, key = shash("backup", "--dir", "work")
    acknowledged.append(key)
    if checked and key != run(ADDRESS, "work")[1]:
        raise SystemExit("%s is not the key of the directory" % key)


def rehearse(victim, nothing):
    """Trace a whole backup: what plan() says of it."""
    change(nothing)
    server = Server()
    if victim == "client":
        _, key = run(*tracer("client", None, "rehearsal"), SHASH, "backup",
                     "--dir", "work")
        acknowledged.append(key)
    else:
        server.trace(None, "rehearsal")
        back_up()
    server.end()
    return plan(victim, "rehearsal")


def kill_client(server, kill):
    rc, key = run(*tracer("client", kill, "trace"), SHASH, "backup", "--dir",
                  "work", check=False)
    if rc == 0:
        acknowledged.append(key)
    back_up()
    return server


def kill_server(server, kill):
    server.trace(kill, "trace")
    rc, key = shash("backup", "--dir", "work", "--retry", "0", check=False)
    if rc == 0:
        acknowledged.append(key)
    server.end()
    server = Server()
    back_up()
    server.end()
    return Server()


KILL = {"client": kill_client, "server": kill_server}


def kill_in(victim, wanted, hits):
    """Until a phase was hit often enough; others may be hit on the way."""
    # The client's main thread commits.  When there is something to ask or to
    # put, others have made more calls by then.
    nothing = victim == "client" and wanted in ("commit", "answer")
    if nothing:
        time.sleep(2.5)  # what changed just now is read once more
        server = Server()
        back_up()
        server.end()
    kills = rehearse(victim, nothing).get(wanted)
    if not kills:
        raise SystemExit("the rehearsal has no %s of the %s" % (wanted,
                                                                victim))
    server = Server()
    # Threads change places from run to run: those that hit are tried more
    # often, those that did not become rare.
    weights = {kill: 4.0 for kill in kills}
    for _ in range(RUNS_MAX):
        if hits[victim, wanted] >= HITS:
            break
        change(nothing)
        kill = rng.choices(list(weights), list(weights.values()))[0]
        server = KILL[victim](server, kill)
        phase = phase_of(victim, "trace")
        if phase is not None:
            hits[victim, phase] = hits.get((victim, phase), 0) + 1
        weights[kill] *= 2 if phase == wanted else 0.5
        weights[kill] = min(max(weights[kill], 0.25), 16)
        print("%s before %s %d: %s" % (victim, *kill, phase or "not killed"),
              flush=True)
    server.end()


def check_all():
    """Everything acknowledged restores; the store is whole."""
    server = Server()
    for key in sorted(set(acknowledged)):
        shash("restore", "--dir", "work", "--udk", key, "--dest", "copy")
        _, found = run(ADDRESS, "copy")
        if found != key:
            raise SystemExit("%s restored as %s" % (key, found))
        shutil.rmtree("copy")
    server.end()
    shash("verify", "--store_dir", "store")
    print("%d acknowledged snapshots restored, the store verifies" %
          len(set(acknowledged)))


def main():
    os.chdir(FOLDER)
    os.makedirs("work")
    change()
    server = Server()
    _, invitation = shash("invite", "--store_dir", "store")
    shash("register", "--dir", "work", "--url", "http://127.0.0.1:%d/" % PORT,
          "--invitation", invitation)
    back_up()
    server.end()
    hits = {(v, p): 0 for v in PHASES for p in PHASES[v]}
    for victim, phases in PHASES.items():
        for wanted in phases:
            kill_in(victim, wanted, hits)
    check_all()
    for (victim, phase), n in hits.items():
        print("%-7s %-11s %d kills" % (victim, phase, n))
    short = [(v, p) for v in PHASES for p in PHASES[v] if hits[v, p] < HITS]
    if short:
        raise SystemExit("not hit often enough: %s" % short)


main()
