#!/usr/bin/env python3
"""Generated exclusion rules: does `shash scan` leave out what git ignores?

usage: ignore_cases.py SHASH FOLDER COUNT [SEED]

Makes COUNT small trees below FOLDER with rules at random, the same in
.gitignore and .shashignore, asks `git check-ignore` about every entry, and
compares the key of what is left (computed by address.py, without our code)
with what scan prints.  A case that differs is printed and stays in FOLDER.
"""

import os
import random
import stat
import struct
import subprocess
import sys

import address

NAMES = [b"a", b"b", b"ab", b"abc", b"foo", b"bar", b"foo.c", b"bar.o",
         b"a b", b"a ", b" ", b"!a", b"#a", b"a*b", b"[a]", b"a\\b", b"-",
         b"]", b"A", b"Foo", b"0", b"x9", b"b.c.o", b"\xc3\xa4", b"\xff", b"^",
         b"a[b", b"x]", b"...", b"a\\", b"a\tb", b"a?c", b"**", b"z\r"]
PIECES = [b"a", b"b", b"ab", b"abc", b"foo", b"bar", b".c", b".o", b"*", b"*",
          b"?", b"**", b"[ab]", b"[!a]", b"[^b-z]", b"[a-c]", b"[]a]", b"[!]]",
          b"[[:alpha:]]", b"[[:digit:]x]", b"[[:space:]]", b"[![:upper:]]",
          b"[[:punct:]]", b"\\a", b"\\*", b"\\[", b"\\]", b"\\\\", b"[\\]]",
          b"[a-]", b"[a", b"[[:nope:]]", b"[[:alpha]", b" ", b"\\ ", b"\xc3\xa4",
          b"\xff", b"[\xff]", b"[\x80-\xff]", b"A", b"0", b"-", b"\\?", b"!",
          b"#", b"\t", b"[--0]", b"[c-a]"]
ENDS = [b""] * 12 + [b"/"] * 4 + [b" ", b"   ", b"\\ ", b"\\  ", b"\t", b"\r",
                                  b"//", b"/ ", b"\\"]


def is_plain(pattern):
    """git 2.39 disagrees with its own manual about `**` behind a literal
    beginning: it forgets what came before, or compares two pointers into
    different strings, so those are left to the unit test."""
    at = 0
    body = pattern.lstrip(b"!").lstrip(b"/")
    while (at := body.find(b"**", at)) >= 0:
        if at > 0 and body[at - 1:at] != b"/":
            return False
        end = at
        while body[end:end + 1] == b"*":
            end += 1
        at = end
    return True


def component(r):
    if r.random() < 0.35:
        return r.choice(NAMES)
    if r.random() < 0.15:
        return b"**"
    return b"".join(r.choice(PIECES) for _ in range(r.choice([1, 1, 2, 2, 3])))


def pattern(r):
    while True:
        p = b"/".join(component(r)
                      for _ in range(r.choice([1, 1, 1, 2, 2, 3, 4])))
        if r.random() < 0.2:
            p = b"/" + p
        if r.random() < 0.25:
            p = b"!" + p
        p += r.choice(ENDS)
        if b"\n" not in p and is_plain(p):
            return p


def rules(r, entries):
    lines = []
    for _ in range(r.choice([1, 2, 3, 5, 8])):
        kind = r.random()
        if kind < 0.1:
            lines.append(r.choice([b"", b"# a", b"#", b"   ", b"\\#a", b"\\!a"]))
        elif kind < 0.4 and entries:
            # Near to something that exists, or nothing would match.
            path = r.choice(entries)
            for c in (b"\\", b"*", b"?", b"["):
                path = path.replace(c, b"\\" + c)
            parts = path.split(b"/")
            parts[r.randrange(len(parts))] = r.choice(
                [b"*", b"**", b"?*", b"[!q]*", parts[-1], b"*" + parts[-1][-1:]])
            p = b"/".join(parts[r.randrange(len(parts)):])
            p = r.choice([b"", b"", b"!", b"/", b"!/"]) + p + r.choice(ENDS)
            lines.append(p if is_plain(p) else b"a")
        else:
            lines.append(pattern(r))
    text = r.choice([b"\n", b"\n", b"\r\n"]).join(lines)
    if r.random() < 0.1:
        text = b"\xef\xbb\xbf" + text
    return text + r.choice([b"\n", b"\n", b"", b"\r\n", b"\n\n"])


def make_tree(r, top):
    """Paths of all entries, relative to `top`; directories come first."""
    found, level = [], [b""]
    os.mkdir(top)
    for depth in range(r.choice([1, 2, 3, 4])):
        below = []
        for folder in level:
            for name in r.sample(NAMES, r.choice([2, 3, 4, 6])):
                path = os.path.join(folder, name)
                full = os.path.join(top, path)
                kind = r.random()
                if kind < 0.45 and len(below) < 5:
                    os.mkdir(full)
                    below.append(path)
                elif kind < 0.5:
                    os.symlink(b"..", full)
                else:
                    with open(full, "wb") as f:
                        f.write(path)
                found.append(path)
        level = below
    return found


def make_case(r, top):
    entries = make_tree(r, top)
    folders = [b""] + [p for p in entries
                       if stat.S_ISDIR(os.lstat(os.path.join(top, p)).st_mode)]
    with_rules = [b""] + [f for f in folders[1:] if r.random() < 0.3]
    for folder in with_rules:
        text = rules(r, entries)
        for name in (b".gitignore", b".shashignore"):
            path = os.path.join(folder, name)
            with open(os.path.join(top, path), "wb") as f:
                f.write(text)
            entries.append(path)
    return entries


def ask_git(folder, paths):
    out = subprocess.run(
        ["git", "-c", "core.excludesFile=/dev/null", "-C", folder,
         "check-ignore", "--no-index", "--stdin", "-z"],
        input=b"\0".join(paths) + b"\0", stdout=subprocess.PIPE)
    assert out.returncode in (0, 1), out
    return set(out.stdout.split(b"\0")) - {b""}


def key(top, base, ignored):
    """The address of the directory without what is ignored."""
    content = b""
    for name in sorted(os.listdir(top)):
        path = os.path.join(top, name)
        if os.path.join(base, name) in ignored:
            continue
        mode = os.lstat(path).st_mode
        kind = address.KINDS[stat.S_IFMT(mode)]
        if kind == 2:
            found = key(path, os.path.join(base, name), ignored)
        elif kind == 3:
            found = address.b3sum(os.readlink(path))
        else:
            found = contents[path]
        content += struct.pack("<BH", kind, len(name)) + name + found
    return address.b3sum(content, "--derive-key", address.CONTEXT)


contents = {}


def main():
    shash, folder, count = sys.argv[1], os.fsencode(sys.argv[2]), int(sys.argv[3])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    r = random.Random(seed)
    subprocess.run(["git", "init", "-q", folder], check=True)
    paths, cases = [], []
    for i in range(count):
        case = b"case%d" % i
        cases.append(case)
        paths += [os.path.join(case, p)
                  for p in make_case(r, os.path.join(folder, case))]
    ignored = ask_git(folder, paths)
    contents.update(address.hash_files(sorted(address.files_below(folder))))
    bad = 0
    for case in cases:
        top = os.path.join(folder, case)
        want = "X" + key(top, case, ignored).hex()
        out = subprocess.run([shash, "scan", "--verbose", "--dir", top],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if out.returncode == 0 and out.stdout.decode().strip() == want:
            continue
        bad += 1
        if bad > 3:
            continue
        print(f"seed {seed}, {case.decode()} differs; git ignores:")
        print(*sorted(p for p in ignored if p.startswith(case + b"/")),
              sep="\n")
        print(out.stderr.decode(errors="replace"))
        for d, _, names in os.walk(top):
            if b".shashignore" in names:
                with open(os.path.join(d, b".shashignore"), "rb") as f:
                    print(d, f.read())
    print(f"{count} cases, {len(paths)} entries, {len(ignored)} ignored, "
          f"{bad} differ")
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
