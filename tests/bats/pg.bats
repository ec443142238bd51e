#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# PostgreSQL at mem_limit: the statement fails, and the server goes on.
load helpers

BATS_TEST_TIMEOUT=400

setup() { zsfs_setup; }
teardown() { zsfs_teardown; }

@test "pg: a full mount is an error and no panic, and then it goes on" {
	local bin

	root_only
	zsfs_only
	not_cached "the log of a database learns too late that it is full"
	need setpriv
	bin=$(find /usr/lib/postgresql -name initdb -printf '%h\n' 2>/dev/null |
		sort -V | tail -n 1)
	[ -n "$bin" ] || skip "PostgreSQL is not installed"
	zsfs_mount -o "mem_limit=400M,mode=1777,uid=$NOBODY"
	# By its owner, who may go back to what root gave.
	as $NOBODY sh -c "echo 192M >'$M/.zsctl/mem_limit'"
	mkdir "$T/sock"
	cp "$BATS_TEST_DIRNAME/pg.py" "$T/pg.py"
	chown $NOBODY "$T/sock"
	on_teardown "kill -QUIT \$(head -n 1 '$M/db/postmaster.pid'); sleep 1"
	(cd "$T" && timeout 380 setpriv --reuid=$NOBODY --regid=$NOBODY --clear-groups \
		env LC_ALL=C HOME="$T/sock" "$PYTHON" "$T/pg.py" "$bin" "$M" "$T/sock" \
		400M 3>&-)
	[ "$(mm_stat 5)" -le $((400 << 20)) ]
}
