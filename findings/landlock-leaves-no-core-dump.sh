#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A process that Landlock keeps from making files leaves no core dump.
#
# Expected: Landlock checks what a process asks for by system calls. The core file is
#   written by the kernel after the process has crashed, where core_pattern says, so
#   whoever sets RLIMIT_CORE and stays dumpable gets one.
# What happens: the kernel opens the core file as the process that died, and Landlock
#   checks that open like any other. Without LANDLOCK_ACCESS_FS_MAKE_REG in that folder
#   there is no file, no message in the kernel's log, and no "core dumped" in the
#   status that wait(2) returns. A core_pattern that is a pipe is not affected, since
#   its program runs as root outside of the domain: the same daemon has cores on a
#   machine with systemd-coredump, and none where core_pattern names a file.
# Why it matters: a daemon that confines itself loses its crash reports in silence, on
#   some machines only, and for nothing that it called itself. zsfs: -d leaves a core
#   file only with nosandbox (zsfs(1), SECURITY).
#
# Versions: Linux 6.18, Landlock ABI 7, python3.11 3.11.2-6+deb12u9
# Output seen:
#   free: dumped 1, files 1
#   confined: dumped 0, files 0
#   confined, may make files: dumped 1, files 1
set -u
case $(cat /proc/sys/kernel/core_pattern) in
core) ;;
*) echo "skipped: core_pattern is not a file in the current folder"; exit 0 ;;
esac
ulimit -c unlimited 2>/dev/null || { echo "skipped: no core dumps here"; exit 0; }
T=$(mktemp -d)
trap 'cd /; rm -rf "$T"' EXIT
cd "$T" || exit 0
v=3.11.2-6+deb12u9
apt-get -qq download python3.11-minimal=$v libpython3.11-minimal=$v \
	libpython3.11-stdlib=$v libffi8=3.4.4-1 2>/dev/null ||
	{ echo "skipped: the packages are not to be had"; exit 0; }
for deb in ./*.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$T/root/usr/lib/x86_64-linux-gnu PYTHONHOME=$T/root/usr
cat >crash.py <<'END'
import ctypes, os, struct, sys
CREATE, ADD, RESTRICT, NO_NEW_PRIVS, PATH_BENEATH = 444, 445, 446, 38, 1
WRITE_FILE, MAKE_REG = 1 << 1, 1 << 8
libc = ctypes.CDLL(None, use_errno=True)
def done(n):
    if n < 0:
        os._exit(77)
    return n
os.mkdir(sys.argv[1])
os.chdir(sys.argv[1])
pid = os.fork()
if not pid:
    if sys.argv[1] != "free":
        rules = done(libc.syscall(CREATE, struct.pack("Q", WRITE_FILE | MAKE_REG), 8, 0))
        if sys.argv[1] != "confined":
            here = struct.pack("=Qi", WRITE_FILE | MAKE_REG, os.open(".", os.O_PATH))
            done(libc.syscall(ADD, rules, PATH_BENEATH, here, 0))
        done(libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0))
        done(libc.syscall(RESTRICT, rules, 0))
    os.abort()
status = os.waitpid(pid, 0)[1]
if not os.WIFSIGNALED(status):
    sys.exit(77)
print(f"{sys.argv[1]}: dumped {int(os.WCOREDUMP(status))}, files {len(os.listdir())}")
END
out=$(for how in free confined "confined, may make files"; do
	root/usr/bin/python3.11 crash.py "$how" || echo "no Landlock"
done)
echo "$out"
[[ $out != *"no Landlock"* ]] || { echo "skipped: Landlock is not to be had"; exit 0; }
[[ $out == "free: dumped 1, files 1"* ]] || { echo "skipped: no core dumps here"; exit 0; }
[[ $out == *"confined: dumped 0, files 0"*"files: dumped 1, files 1" ]]
