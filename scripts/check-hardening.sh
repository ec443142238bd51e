#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The programs have what the option "hardening" of meson.build promises. The first
# one is $ZSFS, or the one in build/; zsctl lies beside it, if it was built. Of the
# build around it each object has it, too: what no symbol or mark tells, the flags
# of the compiler do (compile_commands.json).
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

# commands ROOT: how the objects that are installed in some form are compiled, a line
# each with the object first; those of tests are not.
commands() {
	awk '/^ *"command": "/ { sub(/^ *"command": "/, ""); command = $0 }
		/^ *"output": "/ {
			gsub(/^ *"output": "|",?$/, "")
			if ($0 ~ /^(fs|pool|codec)\//) print $0, command
		}' "$1/compile_commands.json"
}

# compiles ARGUMENT...: the compiler knows them, and takes what is on standard input.
compiles() {
	"${compiler[@]}" -Werror "$@" -x c -c - -o /dev/null 2>/dev/null
}

# The highest level of FORTIFY that compiler and C library know.
fortify_level() {
	local level

	for level in 3 2; do
		compiles -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$level <<-END && break
			#include <features.h>
			#if __USE_FORTIFY_LEVEL < $level
			#error
			#endif
		END
	done
	echo $level
}

# check_flags COMMANDS: of flags that contradict each other the last one counts.
check_flags() {
	local compiler flag missing nr object want=""

	read -ra compiler <<<"$(sed -nE '1s/^[^ ]+ (.*)/\1/; 1s/ -.*//p' <<<"$1")"
	compiles <<<"" || { lacks "${compiler[*]}" "does not compile"; return; }
	for flag in -fstack-protector-strong -fstack-clash-protection \
		-fcf-protection -mbranch-protection=standard; do
		! compiles $flag <<<"" || want+=" $flag"
	done
	missing=$(awk -v want="$want -D_FORTIFY_SOURCE=$(fortify_level) -O" '
		function family(flag) {
			sub(/^-Wp,/, "", flag)
			sub(/^-fno-/, "-f", flag)
			sub(/^-U/, "-D", flag)
			sub(/^-O.*/, "-O", flag)
			sub(/^-fstack-protector-.*/, "-fstack-protector", flag)
			sub(/=.*/, "", flag)
			return flag
		}
		function has(last, flag) {
			sub(/^-Wp,/, "", last)
			if (flag == "-O") return last != "" && last != "-O0"
			if (last ~ /^-D_FORTIFY_SOURCE=/)
				return substr(last, 19) + 0 >= substr(flag, 19) + 0
			sub(/^-fstack-protector-all$/, "-fstack-protector-strong", last)
			sub(/^-fcf-protection=full$/, "-fcf-protection", last)
			return last == flag
		}
		BEGIN { n = split(want, flags, " ") }
		{
			delete last
			for (k = 2; k <= NF; k++) last[family($k)] = $k
			for (k = 1; k <= n; k++)
				if (!has(last[family(flags[k])], flags[k]) && !nr[k]++)
					first[k] = $1
		}
		END {
			for (k = 1; k <= n; k++)
				if (nr[k]) print flags[k], nr[k], first[k]
		}' <<<"$1")
	[ -z "$missing" ] || while read -r flag nr object; do
		lacks "$object" "compiled without $flag, one of $nr"
	done <<<"$missing"
}

# check_objects ROOT COMMANDS MARK...: those that are built
check_objects() {
	local found lines mark nr object

	lines=$(while read -r object _; do
		[ ! -e "$1/$object" ] || echo "$object $(marks "$1/$object" | tr '\n' ' ')"
	done <<<"$2")
	[ -n "$lines" ] || lacks "$1" "no objects found"
	for mark in "${@:3}"; do
		found=$(grep -v "$mark" <<<"$lines") || continue
		nr=$(wc -l <<<"$found")
		lacks "${found%% *}" "compiled without $mark, one of $nr"
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
root=$(dirname "$(dirname "$(readlink -f "$ZSFS")")")
if [ -e "$root/compile_commands.json" ]; then
	commands=$(commands "$root")
	check_flags "$commands"
	check_objects "$root" "$commands" ${marks[@]+"${marks[@]}"}
else
	echo "$ZSFS: no build is around it, so no object and no flag was looked at"
fi
exit $rc
