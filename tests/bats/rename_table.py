# SPDX-License-Identifier: BSD-3-Clause
"""Rename every kind of file onto every other with every flag, and say what
comes of it: the error, and what is there afterwards.

    rename_table.py DIRECTORY

DIRECTORY is an empty one on the file system to try. What does not depend on
its place is printed, so that two file systems can be compared.
"""
import ctypes
import errno
import os
import stat
import sys

KINDS = ['none', 'file', 'empty', 'full', 'symlink', 'fifo', 'device', 'twin']
LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100


def make(kind, name, source):
    if kind == 'file':
        with open(name, 'w') as f:
            f.write(name)
    elif kind in ('empty', 'full'):
        os.mkdir(name)
        if kind == 'full':
            os.mkdir(name + '/sub')
            make('file', name + '/inside', source)
    elif kind == 'symlink':
        os.symlink('target', name)
    elif kind == 'fifo':
        os.mkfifo(name)
    elif kind == 'device':
        os.mknod(name, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    elif kind == 'twin':
        os.link(source, name)


def rename(old, new, flags):
    if LIBC.renameat2(AT_FDCWD, old.encode(), AT_FDCWD, new.encode(), flags):
        return errno.errorcode[ctypes.get_errno()]
    return 'ok'


def state(top, empty):
    """Everything below it, with inodes numbered as they come, and the sizes of
    directories without that of an empty one."""
    seen = {}
    for path, dirs, files in os.walk(top):
        dirs.sort()
        for name in sorted(dirs + files) + ['.']:
            full = os.path.join(path, name)
            st = os.lstat(full)
            size = st.st_size - (empty if stat.S_ISDIR(st.st_mode) else 0)
            yield (os.path.relpath(full, top), oct(st.st_mode), st.st_nlink,
                   st.st_uid, st.st_gid, st.st_rdev, size,
                   seen.setdefault(st.st_ino, len(seen)))


def remove(top):
    for path, dirs, files in os.walk(top, topdown=False):
        for name in files:
            os.unlink(os.path.join(path, name))
        for name in dirs:
            full = os.path.join(path, name)
            (os.unlink if os.path.islink(full) else os.rmdir)(full)


def try_all(sgid):
    empty = os.stat('.').st_size
    for source in KINDS[:-1]:
        for target in KINDS:
            if target == 'twin' and source in ('none', 'empty', 'full'):
                continue
            for where in ('a/new', 'b/new', 'a/old/x', 'a/old'):
                for flags in range(9):
                    os.mkdir('a')
                    os.mkdir('b')
                    if sgid:
                        os.chown('a', -1, 7)
                        os.chmod('a', 0o2755)
                    make(source, 'a/old', None)
                    if where.endswith('new'):
                        make(target, where, 'a/old')
                    print(source, target, where, flags,
                          rename('a/old', where, flags), *state('.', empty))
                    remove('.')


os.chdir(sys.argv[1])
os.umask(0o22)
try_all(False)
try_all(True)
