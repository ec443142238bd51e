#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# poll(2) says that /dev/fuse can be read, and then there is nothing to be read.
#
# Expected: a request that poll(2) has told of stays until it is read, so a server
#   with one reader can poll, and then read a descriptor that blocks.
# What happens: a client that is killed takes its request back, as long as nobody has
#   read it. read(2) sleeps then until somebody else asks for something. A client that
#   only gets a signal leaves it there. A request that was read is never taken back:
#   its client stays, killed or not, until it is answered.
# Why it matters: a server that keeps requests for later (to serve small ones first),
#   polls for more and then reads, sleeps on those that it has, and with them their
#   clients, which nobody can kill any more. O_NONBLOCK is the way out; it is a flag
#   of the open file, so of all processes that share the descriptor.
#
# Versions: Linux 6.18, python3.11 3.11.2-6+deb12u9
# Output seen:
#   one asks: can be read, read LOOKUP
#   one asks and is killed: can be read, read nothing
#   one asks and gets SIGUSR1: can be read, read LOOKUP
set -u
[ "$(id -u)" = 0 ] && [ -w /dev/fuse ] || { echo "skipped: needs root and FUSE"; exit 0; }
T=$(mktemp -d)
trap 'cd /; umount -l "$T/m" 2>/dev/null; rm -rf "$T"' EXIT
mkdir "$T/m"
cd "$T" || exit
v=3.11.2-6+deb12u9
apt-get -qq download python3.11-minimal=$v libpython3.11-minimal=$v \
	libpython3.11-stdlib=$v libffi8=3.4.4-1 2>/dev/null ||
	{ echo "skipped: the packages are not to be had"; exit 0; }
for deb in ./*.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$T/root/usr/lib/x86_64-linux-gnu PYTHONHOME=$T/root/usr
cat >serve.py <<'END'
import ctypes, os, select, signal, struct, sys, time
fd = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"none", b"m", b"fuse", 0,
              b"fd=%d,rootmode=40000,user_id=0,group_id=0" % fd):
    sys.exit("skipped: nothing can be mounted")
def read():
    req = os.read(fd, 1 << 20)
    return struct.unpack_from("<IIQ", req)
def answer(unique, error=0, body=b""):
    os.write(fd, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)
answer(read()[2], 0, struct.pack("<IIIIHHIIHHII24x", 7, 38, 0, 0, 0, 0, 4096, 1, 0, 0, 0, 0))
os.set_blocking(fd, False)
def one(number, name):
    client = os.fork()
    if client == 0:
        signal.signal(signal.SIGUSR1, lambda *_: None)
        try:
            os.stat(f"m/name{number}")
        finally:
            os._exit(0)
    told = bool(select.select([fd], [], [], 5)[0])
    if name:
        os.kill(client, name)
        if name == signal.SIGKILL:
            os.waitpid(client, 0)
        time.sleep(0.1)
    seen = "nothing"
    try:
        size, opcode, unique = read()
        seen = "LOOKUP" if opcode == 1 else f"opcode {opcode}"
        answer(unique, 2) # ENOENT
    except BlockingIOError:
        pass
    if name != signal.SIGKILL:
        os.waitpid(client, 0)
    return f"{'can' if told else 'cannot'} be read, read {seen}"
print("one asks:", one(1, None))
print("one asks and is killed:", one(2, signal.SIGKILL))
print("one asks and gets SIGUSR1:", one(3, signal.SIGUSR1))
END
seen=$(timeout 60 root/usr/bin/python3.11 serve.py) || { echo "$seen"; exit 1; }
echo "$seen"
grep -q "^one asks: can be read, read LOOKUP" <<<"$seen" &&
	grep -q "^one asks and is killed: can be read, read nothing" <<<"$seen"
