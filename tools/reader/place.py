"""Into the file system"""

import os
import stat

from reader.rules import BLOCK, CHARACTER, DIRECTORY, FIFO, FILE, SYMLINK


lost = {}


def attempt(what, call, *args, **options):
    """What only root may is said in the end; the rest is fatal."""
    try:
        call(*args, **options)
        return True
    except PermissionError:
        if os.geteuid() == 0:
            raise
        lost[what] = lost.get(what, 0) + 1
        return False


def apply(e, name):
    """Owner, attributes, mode, time.  The order matters: a new owner clears
    set-id bits and capabilities, and a mode changes an access list's mask."""
    mode = e.mode
    status = os.lstat(name)
    if (status.st_uid, status.st_gid) != (e.uid, e.gid) and not \
            attempt("owners", os.lchown, name, e.uid, e.gid):
        mode &= 0o1777
    acls = [x for x in e.xattrs if x[0].startswith(b"system.")]
    for key, value in e.xattrs:
        if (key, value) not in acls:
            attempt("attributes", os.setxattr, name, key, value,
                    follow_symlinks=False)
    if e.kind != SYMLINK:
        os.chmod(name, mode)
    for key, value in acls:
        os.setxattr(name, key, value, follow_symlinks=False)
    os.utime(name, ns=(e.mtime, e.mtime), follow_symlinks=False)


def plan(contents):
    """(steps in order, {number: file to stage}).  A step is (entry, number),
    or (directory, None) before and (None, directory) behind what is in it.
    Entries of one link group have one number, but for those whose content
    is not that of the group's first (7.2)."""
    steps, files, groups, numbers = [], {}, {}, 0
    stack = [iter([contents.root])]
    inside = []
    while stack:
        e = next(stack[-1], None)
        if e is None:
            stack.pop()
            if inside:
                steps.append((None, inside.pop()))
        elif e.kind == DIRECTORY:
            steps.append((e, None))
            inside.append(e)
            stack.append(iter(contents.children(e)))
        else:
            first, number = groups.get(e.link, (None, None))
            if not first or (first.kind, first.address) != (e.kind, e.address):
                number, numbers = numbers, numbers + 1
                if e.link and not first:
                    groups[e.link] = e, number
                if e.kind == FILE:
                    files[number] = e
            steps.append((e, number))
    return steps, files


def create(e, name):
    if e.kind == SYMLINK:
        os.symlink(e.target, name)
    else:
        kind = {FIFO: stat.S_IFIFO, CHARACTER: stat.S_IFCHR,
                BLOCK: stat.S_IFBLK}[e.kind]
        os.mknod(name, kind | 0o600, os.makedev(*e.device)
                 if e.kind != FIFO else 0)
    apply(e, name)


def place(steps, staged):
    """Make the tree in the current folder.  By chdir, since a path may be
    longer than a system call takes; `staged` is the folder of the files."""
    for e, number in steps:
        if e is None:
            if number.name:
                os.chdir("..")
                apply(number, number.name)
        elif e.kind == DIRECTORY:
            if e.name:
                os.mkdir(e.name, 0o700)
                os.chdir(e.name)
        else:
            try:
                os.link(str(number), e.name, src_dir_fd=staged,
                        follow_symlinks=False)
                if not e.link:
                    os.unlink(str(number), dir_fd=staged)
            except FileNotFoundError:
                create(e, e.name)
                if e.link:
                    os.link(e.name, str(number), dst_dir_fd=staged,
                            follow_symlinks=False)
