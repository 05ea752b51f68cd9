#!/usr/bin/env python3
"""kill -9 of client and server in every phase of a backup, by strace.

usage: kills.py SHASH FOLDER HITS SEED

In each run strace kills one of the two before its Nth system call of a kind
that moves a backup on; N is drawn from a rehearsal's count.  The trace says in
which phase the kill came.  Runs go on until every phase was hit HITS times.
After each kill the next backup must succeed, and at the end every key that was
ever acknowledged must restore to a directory with that key, and the store must
verify.  Prints a line per kill and the counts.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import time

SHASH, FOLDER, HITS, SEED = (sys.argv[1], sys.argv[2], int(sys.argv[3]),
                             int(sys.argv[4]))
# What is traced, and before which of these calls each phase's kill is tried.
CALLS = {
    "server": "fdatasync,fsync,renameat2,pwrite64,writev,sendmsg,recvfrom,"
              "openat",
    "client": "getdents64,newfstatat,sendto,recvfrom",
}
PHASES = {
    "server": {"put": "recvfrom,pwrite64", "pack close": "renameat2,fsync",
               "index": "fdatasync,pwrite64", "commit": "fdatasync,renameat2",
               "answer": "sendmsg,writev,recvfrom"},
    "client": {"walk": "getdents64,newfstatat", "put": "sendto,recvfrom",
               "commit": "sendto,recvfrom", "answer": "recvfrom"},
}
RUNS_MAX = 40 * HITS + 40
PORT = 20000 + SEED % 20000 + os.getpid() % 10000
rng = random.Random(SEED)
acknowledged = []


def shash(*args, check=True, trace=()):
    """Run a command to its end: (exit code, stdout, stderr)."""
    done = subprocess.run([*trace, SHASH, *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=300)
    if check and done.returncode != 0:
        raise SystemExit("%s: exit %d: %s" % (args, done.returncode,
                                              done.stderr))
    return done.returncode, done.stdout.strip(), done.stderr


def tracer(victim, calls, when, log):
    inject = [] if when is None else [
        "-e", "inject=%s:signal=KILL:when=%d" % (calls, when)]
    return ["strace", "-f", "-y", "-s", "40", "-o", log,
            "-e", "trace=" + CALLS[victim], *inject]


class Server:
    def __init__(self):
        self.tracer = None
        self.log = open("server.err", "a")
        self.process = subprocess.Popen(
            [SHASH, "start", "--store_dir", "store", "--port", str(PORT)],
            stdout=self.log, stderr=self.log)
        for _ in range(400):
            if "listens" in open("server.err").read()[self.log.tell():]:
                break
            if subprocess.run(["bash", "-c", ": </dev/tcp/127.0.0.1/%d" % PORT],
                              stderr=subprocess.DEVNULL).returncode == 0:
                break
            if self.process.poll() is not None:
                break
            time.sleep(0.02)

    def trace(self, calls, when, log):
        """Attach strace, once the vault is open: its opening is no phase."""
        shash("snapshots", "--dir", "work")
        command = tracer("server", calls, when, log)
        self.tracer = subprocess.Popen(
            [*command, "-p", str(self.process.pid)], stderr=self.log)
        status = "/proc/%d/status" % self.process.pid
        while re.search(r"TracerPid:\t0\n", open(status).read()):
            time.sleep(0.01)
        time.sleep(0.1)

    def gone(self):
        return self.process.poll() is not None

    def end(self):
        if not self.gone():
            shash("stop", "--store_dir", "store", check=False)
        self.process.wait(60)
        if self.tracer is not None:
            self.tracer.wait(60)
        self.log.close()


def change():
    """Something new in the source: small files, large ones, a rename."""
    name = "work/d%d" % rng.randrange(12)
    shutil.rmtree(name, ignore_errors=True)
    for sub in range(4):
        os.makedirs("%s/s%d" % (name, sub))
        for i in range(25):
            with open("%s/s%d/f%d" % (name, sub, i), "wb") as f:
                f.write(rng.randbytes(rng.randrange(1, 9000)))
    with open(name + "/large", "wb") as f:
        f.write(rng.randbytes(1500000))


def phase_of(victim, log):
    """The phase in which the trace ends; None when nothing was killed."""
    with open(log, errors="replace") as f:
        lines = f.read().split("\n")
    if not any("killed by SIGKILL" in line for line in lines[-40:]):
        return None
    body = [line for line in lines if "+++" not in line]
    if victim == "client":
        sent = [m.group(1) for line in body
                for m in [re.search(r'sendto\(.*"POST /v1/(\w+)', line)] if m]
        if "commit" not in sent:
            return "put" if "put" in sent else "walk"
        after = next(i for i, line in enumerate(body)
                     if "POST /v1/commit" in line)
        return "answer" if any("recvfrom(" in line and "HTTP/1.1 200" in line
                               for line in body[after:]) else "commit"
    routes = re.findall(r"POST /v1/(\w+)", "\n".join(body))
    if "commit" not in routes:
        return "put" if "put" in routes else "start"
    after = body[next(i for i, line in enumerate(body)
                      if "POST /v1/commit" in line):]
    last = [line for line in after if line][-1]
    if any(re.search(r"renameat2\(.*snapshots/.*= 0", x) for x in after):
        return "index" if "data.mdb" in last else "answer"
    if "data.mdb" in last:
        return "index"
    if any("/snapshots" in line for line in after):
        return "commit"
    return "pack close"


def back_up():
    _, key, _ = shash("backup", "--dir", "work")
    acknowledged.append(key)
    return key


def call_range(log, calls, phase):
    """Where a phase's calls stand in a trace: (first, last) of a thread.

    strace counts the calls of each thread by themselves.  The phase begins in
    the thread that handles its request.
    """
    begins = {"walk": None, "put": r"POST /v1/put"}.get(
        phase, r"POST /v1/commit")
    counts, found = {}, {}
    with open(log, errors="replace") as f:
        for line in f:
            m = re.match(r"(\d+) +(\w+)\(", line)
            if not m:
                continue
            thread = m.group(1)
            if m.group(2) in calls.split(","):
                counts[thread] = counts.get(thread, 0) + 1
            if thread not in found and (begins is None or
                                        re.search(begins, line)):
                found[thread] = max(counts.get(thread, 0), 1)
    wide = max(found, key=lambda t: counts.get(t, 0) - found[t])
    return found[wide], max(counts.get(wide, 0), found[wide])


def rehearse(victim):
    """Leave the trace of a whole backup in the file `rehearsal`."""
    change()
    if victim == "client":
        server = Server()
        _, key, _ = shash("backup", "--dir", "work",
                          trace=tracer("client", None, None, "rehearsal"))
        acknowledged.append(key)
    else:
        server = Server()
        server.trace(None, None, "rehearsal")
        back_up()
    server.end()


def kill_once(victim, calls, when):
    change()
    if victim == "server":
        server = Server()
        server.trace(calls, when, "trace")
        rc, key, _ = shash("backup", "--dir", "work", check=False)
    else:
        server = Server()
        rc, key, _ = shash("backup", "--dir", "work", check=False,
                           trace=tracer("client", calls, when, "trace"))
    if rc == 0:
        acknowledged.append(key)
    server.end()
    return phase_of(victim, "trace")


def main():
    os.chdir(FOLDER)
    os.makedirs("work")
    change()
    server = Server()
    _, invitation, _ = shash("invite", "--store_dir", "store")
    shash("register", "--dir", "work", "--url", "http://127.0.0.1:%d/" % PORT,
          "--invitation", invitation)
    back_up()
    server.end()
    hits = {(v, p): 0 for v in PHASES for p in PHASES[v]}
    for victim, phases in PHASES.items():
        rehearse(victim)
        for _ in range(RUNS_MAX):
            wanted = [p for p in phases if hits[victim, p] < HITS]
            if not wanted:
                break
            calls = phases[wanted[0]]
            first, last = call_range("rehearsal", calls, wanted[0])
            when = rng.randint(first, last + 1)
            phase = kill_once(victim, calls, when)
            if phase is not None:
                hits[victim, phase] = hits.get((victim, phase), 0) + 1
                print("killed %s before call %d of %d to %d (%s): %s" %
                      (victim, when, first, last, calls, phase),
                      flush=True)
            server = Server()
            back_up()
            server.end()
    check_all()
    for (victim, phase), n in hits.items():
        print("%-7s %-11s %d kills" % (victim, phase, n))
    short = [(v, p) for v in PHASES for p in PHASES[v] if hits[v, p] < HITS]
    if short:
        raise SystemExit("not hit often enough: %s" % short)


def check_all():
    """Everything acknowledged restores; the store is whole."""
    server = Server()
    for key in sorted(set(acknowledged)):
        shash("restore", "--dir", "work", "--udk", key, "--dest", "copy")
        _, found, _ = shash("scan", "--dir", "copy")
        if found != key:
            raise SystemExit("%s restored as %s" % (key, found))
        shutil.rmtree("copy")
    server.end()
    shash("verify", "--store_dir", "store")
    print("%d acknowledged snapshots restored, the store verifies" %
          len(set(acknowledged)))


main()
