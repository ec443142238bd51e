#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Requests that reach the daemon, counted: the price of each operation.
load helpers

setup() {
	zsfs_setup
	zsfs_only
	zsfs_mount
	mkdir "$M/d"
	# Have the kernel learn first what is not implemented (OPEN, FLUSH...).
	expect ok put "$M/first" 10
	expect ok cat "$M/first"
	ls "$M/d"
	expect ok unlink "$M/first"
}

teardown() { zsfs_teardown; }

# Lines "opcode count".
requests() {
	jq -r '.requests | to_entries[] | "\(.key) \(.value)"' "$M/.zsstats/stats.json"
}

# count COMMAND...: what it costs is in $T/cost, without FORGETs, which come
# whenever the kernel likes, and what reading the statistics costs itself.
count() {
	requests >"$T/r0"
	requests >"$T/r1"
	"$@"
	requests >"$T/r2"
	cat "$T/r0" "$T/r1" "$T/r2" | awk '
		{ n[$1] = n[$1] " " $2 }
		END { for (op in n) {
			split(n[op], c, " ")
			cost = (c[3] - c[2]) - (c[2] - c[1])
			if (cost && op !~ /forget|interrupt/) print op, cost } }' >"$T/cost"
	echo "cost of $*:" && cat "$T/cost"
}

# cost OPCODE LOW HIGH: borders for one; the rest must be zero (see only).
cost() {
	local n

	n=$(awk -v op="$1" '$1 == op { print $2 }' "$T/cost")
	between "$2" "${n:-0}" "$3"
}

# only OPCODES...: nothing else was asked more than a few times.
only() {
	local op n

	while read -r op n; do
		[[ " $* " == *" $op "* ]] || [ "$n" -le 3 ] ||
			{ echo "$n times $op"; return 1; }
	done <"$T/cost"
}

# 200 operations; a few requests more are forgiven, one each is not.
N=200
SLACK=6

# Before the first write since the kernel got a file's attributes it asks for its
# capabilities: a file's S_NOSEC goes with each answer that has attributes.
@test "requests: create, write, close is LOOKUP, CREATE, GETXATTR, WRITE" {
	not_cached "the requests are others"
	count expect ok -n $N put "$M/d/f%d" 4096
	cost lookup $N $((N + SLACK))
	cost create $N $N
	cost getxattr $N $N
	cost write $N $N
	cost getattr 0 $((N + SLACK))
	only lookup create getxattr write getattr
}

@test "requests: rename is RENAME and at most two LOOKUP and two GETATTR" {
	not_cached "the requests are others"
	expect ok -n $N put "$M/d/f%d" 10
	count expect ok -n $N rename "$M/d/f%d" "$M/d/g%d"
	same "$(awk '$1 ~ /^rename2?$/ { n += $2 } END { print n }' "$T/cost")" $N
	cost lookup 0 $((2 * N + SLACK))
	cost getattr 0 $((2 * N + SLACK))
	only rename rename2 lookup getattr
}

@test "requests: unlink is UNLINK and at most one LOOKUP and one GETATTR" {
	not_cached "the requests are others"
	expect ok -n $N put "$M/d/f%d" 10
	count expect ok -n $N unlink "$M/d/f%d"
	cost unlink $N $N
	cost lookup 0 $((N + SLACK))
	cost getattr 0 $((N + SLACK))
	only unlink lookup getattr
}

@test "requests: a file without a name is one TMPFILE, and nothing to close it" {
	not_cached "the requests are others"
	count expect ok -n $N tmpfile "$M/d"
	cost tmpfile $N $N
	cost getattr 0 $((N + SLACK))
	only tmpfile getattr
}

@test "requests: mkdir and rmdir" {
	count expect ok -n $N mkdir "$M/d/s%d" 755
	cost mkdir $N $N
	cost lookup 0 $((N + SLACK))
	cost getattr 0 $((N + SLACK))
	only mkdir lookup getattr
	count expect ok -n $N rmdir "$M/d/s%d"
	cost rmdir $N $N
	cost lookup 0 $((N + SLACK))
	cost getattr 0 $((N + SLACK))
	only rmdir lookup getattr
}

@test "requests: write(2) of 1 MiB is one WRITE" {
	expect ok create "$M/f" 644
	count expect 1048576 write "$M/f" w 0 1048576 1
	cost write 1 1
	cost getxattr 0 1
	only write
	count expect 1048576 write "$M/f" w 0 1048576 2
	cost write 1 1
	all_have writeback || cost getxattr 0 0
	only write
}

@test "requests: a thousand small writes are a thousand WRITEs and one GETXATTR" {
	not_cached "the requests are others"
	expect ok create "$M/f" 644
	count expect 100 -n 1000 write "$M/f" w 0 100 1
	cost write 1000 1000
	cost getxattr 0 1
	only write getattr
	cost getattr 0 $SLACK
}

@test "requests: stdio has a buffer of 8 KiB, not one of a block" {
	# What count() says, once it has counted, goes to the file, too.
	count seq 20000 >"$M/f"
	cost write 1 16
}

@test "requests: cached open, read, close and warm stat cost nothing" {
	not_cached "the requests are others"
	expect ok -n 50 put "$M/d/f%d" 5000
	expect ok -n 50 cat "$M/d/f%d"
	expect ok -n 50 stat "$M/d/f%d"
	count expect ok -n 50 cat "$M/d/f%d"
	only
	count expect ok -n 1000 cat "$M/d/f7"
	only
	count expect ok -n 50 stat "$M/d/f%d"
	only
	count expect ok -n 1000 stat "$M/d/f7"
	only
}

@test "requests: names that do not exist are asked for once" {
	expect ENOENT stat "$M/d/none"
	count bash -c 'for i in {1..300}; do [ ! -e "$1" ] || exit 1; done' - "$M/d/none"
	only
}

@test "requests: a second listing comes from the cache" {
	expect ok -n 500 put "$M/d/f%d" 10
	ls -l "$M/d" >/dev/null
	count ls -l "$M/d" >/dev/null
	only getxattr
}

@test "requests: reading 16 MiB needs few READs" {
	expect ok put "$M/f" 16777216
	expect ok drop "$M/f"
	count expect ok cat "$M/f"
	if [ "$(json .environment.read_ahead_kb)" -ge 1024 ]; then
		cost read 16 40
	else
		cost read 16 140
	fi
	only read
}

@test "requests: symlinks and fsync are cached or free" {
	not_cached "the requests are others"
	expect ok symlink target "$M/s"
	expect 6 readlink "$M/s"
	expect ok put "$M/f" 10
	expect ok fsync "$M/f"
	count expect 6 -n 300 readlink "$M/s"
	only
	count expect ok -n 300 fsync "$M/f"
	only
}

@test "requests: chmod and truncate are one SETATTR each" {
	expect ok put "$M/f" 10
	count expect ok -n $N chmod "$M/f" 600
	cost setattr $N $N
	cost getattr 0 $((N + SLACK))
	only setattr getattr
	count expect ok -n $N truncate "$M/f" 5
	cost setattr $N $N
	cost getxattr $N $N
	only setattr getattr getxattr
}

@test "requests: room for 256 MiB, holes and copies are one request each" {
	expect ok create "$M/f" 644
	count fallocate -l 256M "$M/f"
	cost fallocate 1 1
	only fallocate getattr
	count $PYTHON -c 'import os, sys; os.posix_fallocate(os.open(sys.argv[1], os.O_RDWR), 0, 1 << 28)' "$M/f"
	cost fallocate 1 1
	only fallocate getattr
	count fallocate -p -o 4096 -l 200M "$M/f"
	cost fallocate 1 1
	only fallocate getattr
	expect ok create "$M/g" 644
	count cp "$M/f" "$M/g"
	cost write 0 0
	cost read 0 1
}

# Names and inodes that the kernel knows, of all file systems: root's to drop.
drop_names() {
	[ -w /proc/sys/vm/drop_caches ] || skip "names cannot be dropped"
	echo 2 >/proc/sys/vm/drop_caches
}

@test "requests: find with -size and rm look up nothing that they have listed" {
	not_cached "the requests are others"
	expect ok -n 2000 create "$M/d/f%d" 644
	drop_names
	count find "$M/d" -size +100k
	cost lookup 0 $SLACK
	cost readdirplus 5 50
	only readdirplus lookup getattr
	drop_names
	count rm -r "$M/d"
	cost lookup 0 $SLACK
	cost unlink 2000 2000
	only readdirplus lookup getattr unlink
}

@test "requests: of a large directory who stats gets inodes, who lists gets names" {
	local n=9000

	expect ok -n $n create "$M/d/f%d" 644
	drop_names
	count ls -f "$M/d" >/dev/null
	cost lookup 0 $SLACK
	cost readdirplus 10 100
	only readdirplus lookup getattr
	count expect ok -n $n stat "$M/d/f%d"
	cost lookup $((n - 1000)) $((n + SLACK))
	drop_names
	count ls -l "$M/d" >/dev/null
	cost lookup 0 $((n / 50))
	only readdirplus lookup getattr getxattr
}

@test "requests: without extended attributes nothing asks for them" {
	not_cached "the requests are others"
	zsfs_umount
	zsfs_mount -o noxattr
	mkdir "$M/d"
	expect ok put "$M/d/first" 10
	ls -l "$M/d" >/dev/null
	count expect ok -n $N put "$M/d/f%d" 4096
	cost getxattr 0 0
	only lookup create write getattr
	count expect ok -n $N truncate "$M/d/f%d" 5
	only setattr getattr
	count ls -l "$M/d" >/dev/null
	cost getxattr 0 0
	fails "$PYTHON" -c 'import os, sys; os.setxattr(sys.argv[1], "user.a", b"x")' "$M/d/first"
	same "$(umask 027; touch "$M/d/u"; stat -c %a "$M/d/u")" 640
	same "$(json .xattr)" false
}
