#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# rename(2), as POSIX has it.
load helpers

setup() {
	zsfs_setup
	zsfs_mount
	cd "$M"
	mkdir dir empty full
	touch full/inside
	expect ok put file 100
	expect ok create other 644
	expect ok symlink file soft
}

teardown() {
	cd /
	zsfs_teardown
}

ino() { stat -c %i "$1"; }

@test "rename: a file to a new name, and into another folder" {
	was=$(ino file)
	expect ok rename file new
	expect ENOENT stat file
	expect ok rename new full/new
	expect ENOENT stat new
	same "$(ino full/new)" "$was"
	expect ok check full/new 0 100 1
}

@test "rename: onto a file replaces it" {
	was=$(ino file)
	expect ok rename file other
	expect ENOENT stat file
	same "$(ino other)" "$was"
	expect ok check other 0 100 1
	expect ok put file 200
	expect ok rename other full/inside
	same "$(ino full/inside)" "$was"
}

@test "rename: onto one of several links keeps the others" {
	expect ok put a 50
	expect ok link a b
	expect ok rename file a
	same "$(stat -c %h b)" 1
	expect ok check b 0 50 1
}

@test "rename: between two names of one file does nothing" {
	expect ok link file twin
	expect ok rename file twin
	expect ok stat file
	expect ok stat twin
	same "$(stat -c %h file)" 2
	expect ok rename file file
	expect ok stat file
	expect ok rename dir dir
	expect ok stat dir
}

@test "rename: a folder onto an empty folder" {
	was=$(ino full)
	expect ok rename full empty
	same "$(ino empty)" "$was"
	expect ok stat empty/inside
	expect ENOENT stat full
	same "$(stat -c %h .)" 4
}

@test "rename: what is refused" {
	expect ENOTEMPTY rename dir full
	expect EISDIR rename file dir
	expect ENOTDIR rename dir file
	expect EISDIR rename soft dir
	expect ENOTDIR rename dir soft
	expect ENOENT rename none x
	expect ENOENT rename file none/x
	expect ENOTDIR rename file other/x
	expect ENOTDIR rename file/x y
	mkdir full/sub
	expect EINVAL rename full full/sub/x
	expect EINVAL rename full full/x
	expect EINVAL rename dir dir/x
	expect EBUSY rename full/.. x
	expect EBUSY rename . x
	expect ok check file 0 100 1
	expect ok stat full/inside
	same "$(ls | xargs)" "dir empty file full other soft"
}

@test "rename: a folder's .. follows it" {
	mkdir -p dir/a/b
	expect ok rename dir/a full/a
	cd full/a/b
	same "$(cd ../.. && pwd -P)" "$M/full"
	same "$(ino ../..)" "$(ino "$M/full")"
	cd "$M"
	same "$(stat -c %h dir)" 2
	same "$(stat -c %h full)" 3
}

@test "rename: a symlink itself, not its target" {
	expect ok rename soft moved
	same "$(readlink moved)" file
	expect ok stat file
	expect ok rename file soft2
	expect ENOENT stat moved
}

@test "rename: changes the ctime of the file and both folders' mtime" {
	a=$(stat -c %z file)
	b=$(stat -c %y dir)
	c=$(stat -c %y .)
	sleep 0.05
	expect ok rename file dir/file
	[ "$a" != "$(stat -c %z dir/file)" ]
	[ "$b" != "$(stat -c %y dir)" ]
	[ "$c" != "$(stat -c %y .)" ]
}

@test "rename: deep trees move whole" {
	mkdir -p dir/1/2/3/4/5
	echo x >dir/1/2/3/4/5/f
	expect ok rename dir/1 empty/1
	same "$(cat empty/1/2/3/4/5/f)" x
	expect ok rename empty/1/2/3 full/3
	same "$(cat full/3/4/5/f)" x
}

@test "rename: racing threads keep one of the names" {
	for i in $(seq 40); do
		echo "$i" >r
		(mv r s 2>/dev/null || true) 3>&- &
		one=$!
		(mv r t 2>/dev/null || true) 3>&- &
		wait $one $!
		same "$(cat s t 2>/dev/null)" "$i"
		rm -f s t
	done
}

@test "rename: every kind onto every other with every flag, as on tmpfs" {
	root_only
	mkdir "$T/tmpfs"
	mount -t tmpfs none "$T/tmpfs"
	on_teardown "umount $T/tmpfs"
	mkdir here "$T/tmpfs/here"
	"$PYTHON" "$BATS_TEST_DIRNAME/rename_table.py" here >"$T/got"
	"$PYTHON" "$BATS_TEST_DIRNAME/rename_table.py" "$T/tmpfs/here" >"$T/want"
	between 3000 "$(wc -l <"$T/want")" 5000
	diff "$T/got" "$T/want" | head -n 20
	cmp "$T/got" "$T/want"
}

@test "rename: a whiteout is left behind" {
	was=$(ino file)
	expect ok rename2 file dir/file 4
	same "$(ino dir/file)" "$was"
	same "$(stat -c '%F %a %t,%T %h %u' file)" "character special file 0 0,0 1 $(id -u)"
	expect EEXIST rename2 file other 5
	expect EINVAL rename2 file other 6
	expect ok rename2 full dir/new 5
	same "$(stat -c '%F' full)" "character special file"
	expect ok stat dir/new/inside
	same "$(stat -c %h .)" 4
	same "$(ls | xargs)" "dir empty file full other soft"
	expect ok unlink file
	expect ok rename2 other full 4
	expect ok check full 0 0 1
	same "$(stat -c '%F' other)" "character special file"
}

@test "rename: a whiteout counts as a file" {
	zsfs_only
	# The root, what setup() made, and one more.
	echo 9 >.zsctl/nr_inodes
	expect ok rename2 file new 4
	expect ENOSPC rename2 new newer 4
	expect ok stat new
	expect ENOENT stat newer
	expect ok rename new newer
	echo 0 >.zsctl/nr_inodes
	expect ok rename2 newer newest 4
}

@test "rename: an ordinary user leaves a whiteout that is his own" {
	root_only
	chmod 777 .
	fsop -u 65534:65533 create mine 600
	same "$(fsop -u 65534:65533 rename2 mine moved 4)" ok
	same "$(stat -c '%u:%g %F' mine)" "65534:65533 character special file"
}
