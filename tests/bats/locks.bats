#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# flock(2), fcntl(2) record locks, and open file description locks.
load helpers

setup() { zsfs_setup; zsfs_mount; touch "$M/f"; }
teardown() { zsfs_teardown; }

@test "locks: flock excludes, and ends with its holder" {
	flock -x "$M/f" sleep 60 3>&- &
	holder=$!
	held() { ! flock -n -x "$M/f" true; }
	poll 5 held
	fails flock -n -s "$M/f" true
	kill $(pgrep -P $holder) $holder
	wait $holder || true
	timeout 5 flock -x "$M/f" true
}

@test "locks: flock shared by several" {
	flock -s "$M/f" flock -n -s "$M/f" true
	fails flock -s "$M/f" flock -n -x "$M/f" true
}

@test "locks: a waiting flock gets its turn" {
	flock -x "$M/f" sleep 0.5 3>&- &
	timeout 10 flock -x "$M/f" true
	wait $!
}

@test "locks: fcntl ranges" {
	timeout 60 "$PYTHON" - "$M/f" <<-'END'
		import fcntl, os, sys
		def other(cmd, length, start):
		    pid = os.fork()
		    if pid == 0:
		        try:
		            with open(sys.argv[1], "r+") as g:
		                fcntl.lockf(g, cmd | fcntl.LOCK_NB, length, start)
		            os._exit(0)
		        except OSError:
		            os._exit(1)
		    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
		f = open(sys.argv[1], "r+")
		fcntl.lockf(f, fcntl.LOCK_EX, 10, 100)
		assert not other(fcntl.LOCK_EX, 10, 105)
		assert not other(fcntl.LOCK_SH, 1, 109)
		assert other(fcntl.LOCK_EX, 10, 110)
		assert other(fcntl.LOCK_EX, 10, 90)
		fcntl.lockf(f, fcntl.LOCK_UN, 5, 100)
		assert other(fcntl.LOCK_EX, 5, 100)
		assert not other(fcntl.LOCK_EX, 5, 105)
		fcntl.lockf(f, fcntl.LOCK_SH, 10, 100)
		assert other(fcntl.LOCK_SH, 10, 100)
		f.close()
		assert other(fcntl.LOCK_EX, 0, 0)
	END
}

@test "locks: F_GETLK names the holder" {
	timeout 60 "$PYTHON" - "$M/f" <<-'END'
		import fcntl, os, struct, sys
		f = open(sys.argv[1], "r+")
		fcntl.lockf(f, fcntl.LOCK_EX, 10, 0)
		parent = os.getpid()
		pid = os.fork()
		if pid == 0:
		    g = open(sys.argv[1], "r+")
		    ask = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
		    kind, _, start, length, who = struct.unpack(
		        "hhqqi4x", fcntl.fcntl(g, fcntl.F_GETLK, ask))
		    ok = (kind, start, length, who) == (fcntl.F_WRLCK, 0, 10, parent)
		    os._exit(0 if ok else 1)
		assert os.waitpid(pid, 0)[1] == 0
	END
}

@test "locks: open file description locks belong to the descriptor" {
	timeout 60 "$PYTHON" - "$M/f" <<-'END'
		import fcntl, os, struct, sys
		SETLK = 37  # F_OFD_SETLK
		def lock(fd, kind):
		    fcntl.fcntl(fd, SETLK, struct.pack("hhqqi4x", kind, 0, 0, 0, 0))
		a = os.open(sys.argv[1], os.O_RDWR)
		b = os.open(sys.argv[1], os.O_RDWR)
		lock(a, fcntl.F_WRLCK)
		try:
		    lock(b, fcntl.F_WRLCK)
		    raise SystemExit("locked twice")
		except BlockingIOError:
		    pass
		os.close(a)
		lock(b, fcntl.F_WRLCK)
	END
}

@test "locks: a lease ends when somebody opens the file" {
	timeout 60 "$PYTHON" - "$M/f" <<-'END'
		import fcntl, os, sys
		fd = os.open(sys.argv[1], os.O_RDONLY)
		try:
		    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
		except OSError:
		    sys.exit(0)  # a file system may refuse leases
		fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
	END
}
