#!/usr/bin/env python3
"""Run a command with stderr on a terminal and tell what came.

    onpty.py [--columns N] FILE COMMAND...

FILE.pid has its process id.  Its stdout goes to FILE.out; what its stderr
printed goes to FILE.err, byte by byte as the terminal got it, and FILE.times
has a line for each time that the foot of the terminal was drawn: seconds since
the start, and the text.  Ends with the command's exit code."""
import argparse
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time


def draws(data):
    """The texts between carriage returns that no line's end follows."""
    pieces = data.decode(errors="replace").split("\r") + [""]
    for text, after in zip(pieces[1:], pieces[2:]):
        if text.strip() and "\n" not in text and not after.startswith("\n"):
            yield text.rstrip()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--columns", type=int, default=80)
    p.add_argument("file")
    p.add_argument("command", nargs=argparse.REMAINDER)
    a = p.parse_args()
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ,
                struct.pack("HHHH", 24, a.columns, 0, 0))
    start = time.monotonic()
    with open(a.file + ".out", "wb") as out:
        child = subprocess.Popen(a.command, stdout=out, stderr=theirs)
    os.close(theirs)
    with open(a.file + ".pid", "w", encoding="ascii") as f:
        f.write(str(child.pid))
    with open(a.file + ".err", "wb") as err, \
            open(a.file + ".times", "w", encoding="utf-8") as times:
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:
                break  # the other end was closed
            if not data:
                break
            err.write(data)
            err.flush()
            for text in draws(data):
                times.write(f"{time.monotonic() - start:.3f} {text}\n")
                times.flush()
    sys.exit(child.wait())


main()
