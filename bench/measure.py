"""What the scripts of this folder share: servers, timed commands, trees.

CPU is user and system time, of the client by wait4(), of a server by
/proc/PID/stat.  Memory is the peak of RssAnon, sampled 50 times a second:
pages of mapped index files are the kernel's to take back, and do not count.
"""

import functools
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

SHASH = os.path.abspath(os.environ.get("SHASH", "build/shash"))
TICKS = os.sysconf("SC_CLK_TCK")


def rss_anon(pid):
    """Bytes of anonymous memory of a process; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii",
                  errors="replace") as f:
            for line in f:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        words = f.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


class Peak:
    """The highest RssAnon of some processes while the block runs."""

    def __init__(self, *pids):
        self.highest = {pid: 0 for pid in pids}
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.sample, daemon=True)

    def sample(self):
        while True:
            for pid in self.highest:
                self.highest[pid] = max(self.highest[pid], rss_anon(pid))
            if self.end.wait(0.02):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, process):
    for _ in range(400):
        if process.poll() is not None:
            sys.exit(f"a server ended at once: {process.args}")
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.025)
    sys.exit(f"a server does not listen: {process.args}")


class Server:
    """A server process; `command` has {port} where its port goes."""

    def __init__(self, command, log):
        self.port = free_port()
        with open(log, "ab") as f:
            # pylint: disable=consider-using-with
            self.process = subprocess.Popen(
                [a.replace("{port}", str(self.port)) for a in command],
                stdout=f, stderr=f, stdin=subprocess.DEVNULL)
        wait_port(self.port, self.process)
        self.pid = self.process.pid
        self.url = f"http://127.0.0.1:{self.port}/"

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def shash_server(folder):
    """A server of a new store below `folder`, without invitations."""
    return Server([SHASH, "start", "--store_dir", f"{folder}/store",
                   "--port", "{port}", "--insecure"], f"{folder}/server.log")


def shash_env(folder, name="0"):
    """The environment of a machine of its own: its keyring."""
    return dict(os.environ, XDG_CONFIG_HOME=f"{folder}/config-{name}",
                XDG_CACHE_HOME=f"{folder}/cache-{name}", LC_ALL="C.UTF-8")


def timed(command, log, env=None, server=None, codes=(0,)):
    """Run a command; returns what it took."""
    before = cpu_seconds(server.pid) if server else 0
    with open(log, "ab") as f:
        start = time.monotonic()
        # pylint: disable=consider-using-with
        p = subprocess.Popen(command, stdout=f, stderr=f, env=env,
                             stdin=subprocess.DEVNULL)
        with Peak(p.pid, *([server.pid] if server else [])) as peak:
            _, status, usage = os.wait4(p.pid, 0)
        wall = time.monotonic() - start
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode not in codes:
        with open(log, encoding="utf-8", errors="replace") as f:
            sys.stderr.write(f.read()[-2000:])
        sys.exit(f"exit {p.returncode}: {' '.join(command)}")
    return {
        "wall": wall,
        "user": usage.ru_utime,
        "sys": usage.ru_stime,
        "server": cpu_seconds(server.pid) - before if server else 0,
        "anon": peak.highest[p.pid],
        "server_anon": peak.highest[server.pid] if server else 0,
    }


def medians(rows):
    return {k: statistics.median(r[k] for r in rows) for k in rows[0]}


def tree_bytes(path):
    """Bytes of the files below, and their number; a store's reserve apart."""
    total = files = 0
    for top, _, names in os.walk(path):
        if top == os.path.join(path, "reserve"):
            continue
        for name in names:
            st = os.lstat(os.path.join(top, name))
            files += 1
            total += st.st_size
    return total, files


class Words:
    """Text of a small vocabulary: compresses about as source code does."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        letters = "abcdefghijklmnopqrstuvwxyz"
        self.words = ["".join(self.random.choices(
            letters, k=self.random.randint(2, 9))) for _ in range(4000)]
        self.weights = [1 / (i + 2) for i in range(4000)]
        self.sums = []
        total = 0
        for w in self.weights:
            total += w
            self.sums.append(total)

    def text(self, size):
        words = self.random.choices(self.words, cum_weights=self.sums,
                                    k=size // 5 + 1)
        lines = [" ".join(words[i:i + 9]) for i in range(0, len(words), 9)]
        return "\n".join(lines).encode()[:size]


@functools.lru_cache
def some_text():
    return Words(1).text(4 << 20)


def make_small_files(path, count, seed=1, per_directory=50):
    """`count` files of text, 0 to 60 KiB, most of them of some KiB."""
    rng, corpus = random.Random(seed), some_text()
    for i in range(count):
        if i % per_directory == 0:
            n = i // per_directory
            folder = f"{path}/part-{n % 20}/module-{n}"
            os.makedirs(folder, exist_ok=True)
        size = min(60000, int(rng.lognormvariate(8.3, 1.2)))
        at = rng.randrange(len(corpus) - size)
        with open(f"{folder}/file-{i}.c", "wb") as f:
            f.write(b"%d\n" % i + corpus[at:at + size])


def make_noise(path, size, seed=1):
    """One file of bytes that no codec makes smaller."""
    rng = random.Random(seed)
    with open(path, "wb") as f:
        while size > 0:
            n = min(size, 4 << 20)
            f.write(rng.randbytes(n))
            size -= n


class Folder:
    """A folder below $TMPDIR for one measurement, removed at its end."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="hashstore-bench-")
        return self.path

    def __exit__(self, *_):
        for top, dirs, _ in os.walk(self.path):
            for d in dirs:
                full = os.path.join(top, d)
                if not os.path.islink(full):
                    os.chmod(full, 0o700)
        shutil.rmtree(self.path)
