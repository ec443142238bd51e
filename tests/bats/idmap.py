# SPDX-License-Identifier: BSD-3-Clause
"""Mount a folder again with other owners: 0 to 9999 of the file system are seen
as 10000 to 19999.

    idmap.py FROM TO
"""
import ctypes
import os
import sys

OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH, AT_EMPTY_PATH = 1, 4, 0x1000
MOUNT_ATTR_IDMAP = 0x100000
CLONE_NEWUSER = 0x10000000
AT_FDCWD = -100
LIBC = ctypes.CDLL(None, use_errno=True)


class Attr(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64)
                for name in ('set', 'clear', 'propagation', 'userns')]


def call(number, *args):
    res = LIBC.syscall(number, *args)
    if res < 0:
        err = ctypes.get_errno()
        sys.exit('system call %d: %s' % (number, os.strerror(err)))
    return res


def user_namespace():
    ready, child_ready = os.pipe()
    end, end_child = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(end_child)
        LIBC.unshare(CLONE_NEWUSER)
        os.write(child_ready, b'x')
        os.read(end, 1)
        os._exit(0)
    os.read(ready, 1)
    for kind in 'uid', 'gid':
        with open('/proc/%d/%s_map' % (pid, kind), 'w') as f:
            f.write('0 10000 10000')
    fd = os.open('/proc/%d/ns/user' % pid, os.O_RDONLY)
    os.close(end_child)
    os.waitpid(pid, 0)
    return fd


tree = call(OPEN_TREE, AT_FDCWD, sys.argv[1].encode(), OPEN_TREE_CLONE)
attr = Attr(set=MOUNT_ATTR_IDMAP, userns=user_namespace())
call(MOUNT_SETATTR, tree, b'', AT_EMPTY_PATH, ctypes.byref(attr),
     ctypes.sizeof(attr))
call(MOVE_MOUNT, tree, b'', AT_FDCWD, sys.argv[2].encode(),
     MOVE_MOUNT_F_EMPTY_PATH)
