#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# The soaks of scripts/ leave nothing behind when they are ended by a signal.
load helpers

setup() {
	root_only
	zsfs_setup
	zsfs_only
	need setsid jq pgrep
	PROGRAMS=$(dirname "$(dirname "$(realpath "$ZSFS")")")
	mkdir "$T/bin" "$T/tmp"
	# What is there is what is tried: nothing is built or installed.
	for name in ninja meson; do
		printf '#!/bin/sh\n' >"$T/bin/$name"
	done
	printf '#!/bin/sh\necho install ok installed\n' >"$T/bin/dpkg-query"
	chmod +x "$T/bin"/*
}

teardown() { zsfs_teardown; }

# soak SCRIPT ARGUMENTS...: in the background and a session of its own, $SOAK
soak() {
	PATH=$T/bin:$PATH TMPDIR=$T/tmp ZSFS_BUILD=$PROGRAMS \
		setsid env --default-signal=INT timeout --foreground 200 \
		"$TOP/scripts/$1" "${@:2}" >"$T/out" 2>&1 3>&- 4>&- &
	SOAK=$!
}

# stores NAME: the mount of the soak, or another folder that it makes, has that
stores() {
	local folder

	for folder in "$T"/tmp/zsfs-soak.*; do
		[ ! -e "$folder/$1" ] || return 0
	done
	return 1
}

# Of the soak's session, but for those that wait to be reaped by init.
lives() {
	ps -o stat=,pid=,args= -s "$SOAK" | grep -v '^Z'
}

# ended SIGNAL STATUS: the soak ends at the signal, and all of it
ended() {
	local status=0

	kill -s "$1" "$(pgrep -P "$SOAK")"
	wait "$SOAK" || status=$?
	same "$status" "$2" || { cat "$T/out"; return 1; }
	[ -z "$(mounts_below "$T/tmp")" ] || { mounts_below "$T/tmp"; return 1; }
	fails lives || { lives; return 1; }
	[ -z "$(ls "$T/tmp")" ] || { ls -R "$T/tmp" | head; return 1; }
}

@test "soaks: million.sh ends at a signal while it makes files" {
	for signal in TERM:143 INT:130 HUP:129 TERM:143; do
		soak million.sh -n 1000000 10
		poll 50 stores many
		sleep "0.$((RANDOM % 10))"
		ended ${signal/:/ }
	done
}

@test "soaks: million.sh ends at a signal while others list or remove" {
	soak million.sh -n 30000 0
	poll 50 grep -q 'find:' "$T/out"
	ended TERM 143
}

@test "soaks: soak-kill.sh ends at a signal" {
	need python3
	[ -x "$PROGRAMS/tests/kill/killclient" ] || skip "killclient is not built"
	for part in external takeover aborted; do
		soak soak-kill.sh "$part"
		poll 50 stores .
		sleep "1.$((RANDOM % 10))"
		ended TERM 143
	done
}

@test "soaks: soak-storm.sh ends at a signal" {
	[ -x "$PROGRAMS/tests/storm/storm" ] || skip "storm is not built"
	for part in tmpfs clients readers; do
		soak soak-storm.sh "$part"
		poll 50 stores storm
		sleep "0.$((RANDOM % 10))"
		ended TERM 143
	done
}
