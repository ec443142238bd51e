#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The programs have what the option "hardening" of meson.build promises. The first
# one is $ZSFS, or the one in build/; zsctl lies beside it, if it was built.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export LC_ALL=C
rc=0

lacks() {
	echo "$1: $2"
	rc=1
}

# has FILE WHAT PATTERN READELF_OPTION...: a line of what readelf says
has() {
	grep -qE -- "$3" <<<"$(readelf -W "${@:4}" "$1" 2>/dev/null)" || lacks "$1" "$2"
}

# has_not: the same the other way round
has_not() {
	! grep -qE -- "$3" <<<"$(readelf -W "${@:4}" "$1" 2>/dev/null)" || lacks "$1" "$2"
}

check_program() {
	has "$1" "no PIE: its addresses can be guessed" '^ +Type: +DYN ' -h
	has "$1" "no PIE: it is a library" '^ +INTERP ' -l
	has "$1" "no -z relro" '^ +GNU_RELRO ' -l
	has "$1" "no -z now: its table of functions can be written" \
		'\(BIND_NOW\)|\(FLAGS(_1)?\).*NOW' -d
	has_not "$1" "its code is changed when it is loaded" 'TEXTREL' -d
	has_not "$1" "it looks for libraries in folders of its own" \
		'\((RPATH|RUNPATH)\)' -d
	has "$1" "it does not say that its stack is no code" '^ +GNU_STACK ' -l
	has_not "$1" "its stack can be executed" '^ +GNU_STACK .* RWE ' -l
	has_not "$1" "a part of it can be written and executed" '^ +LOAD .* RWE ' -l
	has "$1" "no stack protector" ' __stack_chk_fail(@|$)' --dyn-syms
	has "$1" "no FORTIFY" ' __[a-z]+_chk(@|$)' --dyn-syms
}

# marks FILE: which of the processor's protections of the flow of control all of
# it permits; of an archive, a line for each object.
marks() {
	readelf -nW "$1" 2>/dev/null |
		sed -nE 's/.*(x86|AArch64) feature: //p' | tr -d ' '
}

# Startup files come from the C library. What these lack a program cannot have.
start_files_have() {
	local file path

	for file in Scrt1.o crti.o crtbeginS.o; do
		path=$("${CC:-gcc}" -print-file-name=$file)
		grep -q "$1" <<<"$(marks "$path")" || return
	done
}

# check_flow PROGRAM MARK...
check_flow() {
	local mark

	for mark in "${@:2}"; do
		! start_files_have "$mark" || grep -q "$mark" <<<"$(marks "$1")" ||
			lacks "$1" "an object in it lacks $mark"
	done
}

# check_objects FOLDER MARK...: our own ones, wherever the program is
check_objects() {
	local object mark objects

	mapfile -t objects < <(find "$1" -path '*_core.a.p/*.o')
	for object in ${objects[@]+"${objects[@]}"}; do
		for mark in "${@:2}"; do
			grep -q "$mark" <<<"$(marks "$object")" ||
				lacks "$object" "compiled without $mark"
		done
	done
}

ZSFS=${ZSFS:-build/fs/zsfs}
command -v readelf >/dev/null || { echo "no readelf: install binutils"; exit 77; }
[ -x "$ZSFS" ] || { echo "$ZSFS: no program: build it, or name it by ZSFS="; exit 1; }
case $(readelf -h "$ZSFS") in
*X86-64*) marks=(IBT SHSTK) ;;
*AArch64*) marks=(BTI PAC) ;;
*) marks=() ;;
esac
for program in "$ZSFS" "$(dirname "$ZSFS")/zsctl"; do
	[ -e "$program" ] || continue
	check_program "$program"
	check_flow "$program" ${marks[@]+"${marks[@]}"}
done
check_objects "$(dirname "$ZSFS")" ${marks[@]+"${marks[@]}"}
exit $rc
