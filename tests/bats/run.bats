#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# scripts/run.sh, as somebody uses it who has just got the sources.
load helpers

setup() {
	zsfs_setup
	zsfs_only
	need meson ninja gcc pkg-config
	SOURCES="$T/a checkout"
	RUN="$SOURCES/scripts/run.sh"
	export SOURCES RUN
	unset ZSFS_BUILD
	mkdir "$SOURCES"
	cp -r "$TOP"/{meson.build,meson_options.txt,fs,pool,codec,man,scripts} "$SOURCES"
}
teardown() { zsfs_teardown; }

# Unmount what run.sh mounted, and wait for its end.
unmount_run() {
	local keeper

	keeper=$(jq .survival.keeper "$1/.zsstats/stats.json")
	zsfs_umount "$1"
	ended() { ! kill -0 "$keeper" 2>/dev/null; }
	poll 10 ended
}

# says LINES WORDS... -- COMMAND...: succeeds and says no more lines than that.
says() {
	check_said succeeds "$@"
}

# The same for a command that must fail.
refuses() {
	check_said fails "$@"
}

succeeds() {
	"$@" >"$T/fails.out" 2>&1 || { cat "$T/fails.out"; return 1; }
}

check_said() {
	local how=$1 most=$2 words=()

	shift 2
	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	shift
	"$how" "$@" 3>&- 4>&-
	mv "$T/fails.out" "$T/out"
	has_words "${words[@]}"
	[ "$(wc -l <"$T/out")" -le "$most" ] || { cat "$T/out"; return 1; }
}

has_words() {
	local word

	for word; do
		grep -qF -- "$word" "$T/out" || { echo "no '$word' in:"; cat "$T/out"; return 1; }
	done
}

@test "run: builds what it needs and says a line a step, from anywhere" {
	cd "$T"
	says 2 "building in $SOURCES/build" 'unmount with: ' 'm\ n' -- \
		env -u HOME CDPATH=/ 'a checkout/scripts/run.sh' 'm n' -o size=1G
	same "$(cat "$T/m n/.zsctl/size")" 1073741824
	unmount_run "$T/m n"
	[ ! -e "$SOURCES/build/tests/unit" ]
	ln -s "$RUN" "$T/link"
	cd "$SOURCES/scripts"
	says 2 'unmount with: ' -- "$T/link" ../../m
	unmount_run "$M"
	says 2 'zsfs ' -- ./run.sh "$M" --version
	# A failure is told whole.
	echo '#error not like this' >>"$SOURCES/fs/start/main.c"
	refuses 1000 'not like this' 'the build failed' -- ./run.sh "$M"
	fails is_mounted "$M"
}

# The script again, as an ordinary user, with a build that takes no time.
as_user() {
	as_nobody "unset ZSFS; PATH=$T/bin:\$PATH; $1"
}

# meson and ninja that bring what is built already.
fake_build() {
	mkdir "$T/bin"
	printf '#!/bin/sh\nmkdir -p "$2" && touch "$2/build.ninja"\n' >"$T/bin/meson"
	printf '#!/bin/sh\nmkdir -p "$2/fs" && cp "%s" "$2/fs"\n' "$T/zsfs" >"$T/bin/ninja"
	chmod +x "$T/bin"/*
	cp "$ZSFS" "$T/zsfs"
}

@test "run: where the checkout may not be written to" {
	root_only
	fake_build
	chmod -R a+rX "$SOURCES"
	mkdir "$T/home"
	chown $NOBODY "$T/home"
	# A folder to build in that was named.
	as_user "HOME=/nonexistent ZSFS_BUILD=$T/home/named '$RUN' $M >$T/home/out 2>&1
		grep -q 'building in $T/home/named' $T/home/out
		fusermount3 -u $M"
	# No place at all.
	as_user "fails env HOME=/nonexistent '$RUN' $M
		grep ZSFS_BUILD $T/fails.out
		[ \$(wc -l <$T/fails.out) = 1 ]"
	# The owner's build, while it is what the sources say.
	mkdir -p "$SOURCES/build/fs"
	cp "$ZSFS" "$SOURCES/build/fs/zsfs"
	as_user "HOME=/nonexistent '$RUN' $M >$T/home/out 2>&1
		grep 'using what is built in $SOURCES/build' $T/home/out
		fusermount3 -u $M"
	touch "$SOURCES/fs/start/main.c"
	as_user "HOME=$T/home '$RUN' $M >$T/home/out 2>&1
		grep 'building in $T/home/.cache/zsfs$SOURCES/build' $T/home/out
		fusermount3 -u $M"
	rm -r "$SOURCES/build"
	# root, where the whole file system is read-only.
	says 2 "building in $T/cache" -- unshare -m bash -c '
		set -e
		mount --bind "$SOURCES" "$SOURCES"
		mount -o remount,bind,ro "$SOURCES"
		PATH=$T/bin:$PATH XDG_CACHE_HOME=$T/cache HOME=$T "$RUN" "$M"
		umount "$M"'
}

@test "run: what is wrong with the mountpoint is said before anything is built" {
	chmod -R a+rX "$SOURCES"
	zsfs_mount
	expect_log .
	poll 10 has_standby
	kill -9 $(json '.survival | .keeper, .worker, .standby')
	wait $DAEMON || true
	DAEMON=
	is_dead() { [[ $(LC_ALL=C stat -f "$M" 2>&1) == *"not connected"* ]]; }
	poll 10 is_dead
	refuses 1 'whose daemon has died' "umount -l $M" -- "$RUN" "$M"
	umount -l "$M"
	touch "$T/file"
	refuses 1 'not a directory' -- "$RUN" "$T/file"
	refuses 1 'ot a directory' -- "$RUN" "$T/file/x"
	ln -s loop "$T/loop"
	refuses 1 "$T/loop" -- "$RUN" "$T/loop"
	refuses 20 usage: -- "$RUN"
	refuses 20 usage: -- "$RUN" -o size=1G "$M"
	if [ "$(id -u)" = 0 ]; then
		for dir in "$T" /tmp "$T/none" /root/x; do
			as_user "fails '$RUN' $dir
				[ \$(wc -l <$T/fails.out) = 1 ]
				grep -F 'run.sh: ' $T/fails.out | grep -F $dir"
		done
		mkdir "$T/dev"
		refuses 1 /dev/fuse modprobe -- unshare -m bash -c '
			mount --bind "$T/dev" /dev
			exec "$RUN" "$M"'
	fi
	[ ! -e "$SOURCES/build" ]
}
