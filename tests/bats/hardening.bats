#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# scripts/check-hardening.sh finds each thing that a build may lack.
load helpers

# Another build, $B, made of links to what there is.
setup() {
	zsfs_setup
	need readelf objcopy gcc
	BUILD=$(dirname "$(dirname "$(readlink -f "$ZSFS")")")
	B=$T/build
	[ -e "$BUILD/compile_commands.json" ] || skip "needs the folder of the build"
	CHECK=$TOP/scripts/check-hardening.sh
	ZSFS=$BUILD/fs/zsfs bash "$CHECK" || skip "the build is not hardened itself"
	mkdir "$B"
	cp -as "$BUILD"/{fs,pool,codec} "$B"
	cp --remove-destination "$BUILD/fs/zsfs" "$B/fs"
	cp "$BUILD/compile_commands.json" "$B"
}

teardown() { zsfs_teardown; }

# says WORD...: the check fails, and for this reason
says() {
	local word

	fails env ZSFS="$B/fs/zsfs" bash "$CHECK"
	for word; do
		grep -qF -- "$word" "$T/fails.out" || { cat "$T/fails.out"; return 1; }
	done
}

# commands SED: another compile_commands.json
commands() {
	sed -E "$1" "$BUILD/compile_commands.json" >"$B/compile_commands.json"
	fails cmp "$BUILD/compile_commands.json" "$B/compile_commands.json"
}

@test "hardening: what is as it should be passes" {
	ZSFS=$B/fs/zsfs bash "$CHECK" >"$T/out"
	same "$(cat "$T/out")" ""
}

@test "hardening: a flag that is missing or taken back is found" {
	for flag in -fstack-protector-strong -fstack-clash-protection -fcf-protection \
		-mbranch-protection=standard; do
		grep -qF -- "$flag" "$BUILD/compile_commands.json" || continue
		commands "s/ $flag / /"
		says "compiled without $flag"
	done
	commands 's/ -fstack-protector-strong / &-fno-stack-protector /'
	says 'without -fstack-protector-strong'
	commands 's/ -fstack-protector-strong / -fstack-protector /'
	says 'without -fstack-protector-strong'
	commands 's/ -fstack-clash-protection / &-fno-stack-clash-protection /'
	says 'without -fstack-clash-protection'
	commands 's/ -D_FORTIFY_SOURCE=[0-9]+ / /'
	says 'without -D_FORTIFY_SOURCE'
	commands 's/ -D_FORTIFY_SOURCE=[0-9]+ / -D_FORTIFY_SOURCE=1 /'
	says 'without -D_FORTIFY_SOURCE'
	commands 's/ -O[1-3] / -O0 /'
	says 'without -O'
}

@test "hardening: a folder that is compiled otherwise is found" {
	for folder in pool codec fs; do
		commands "/ -o $folder\/lib/s/ -fstack-protector-strong / /"
		says 'without -fstack-protector-strong' "$folder/"
	done
}

@test "hardening: an object of pool and codec without the processor's marks is found" {
	for folder in pool codec; do
		object=$(find "$B/$folder" -path '*.a.p/*.o' | head -n 1)
		readelf -nW "$object" | grep -qE '(x86|AArch64) feature: .*(IBT|BTI)' ||
			skip "this machine has no such marks"
		objcopy --remove-section .note.gnu.property "$BUILD/${object#"$B/"}" "$T/o"
		mv "$T/o" "$object"
		says "$folder/" 'compiled without '
		ln -sf "$BUILD/${object#"$B/"}" "$object"
	done
}
