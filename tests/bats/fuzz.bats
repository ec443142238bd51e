#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# scripts/fuzz.sh, with a target that finds nothing and dies of files with "bad".
load helpers

setup() {
	zsfs_setup
	mkdir -p "$T/bin" "$T/build-fuzz/tests/fuzz" "$T/learned/found"
	touch "$T/build-fuzz/build.ninja"
	# Nothing is built or installed.
	for name in ninja meson; do
		printf '#!/bin/sh\n' >"$T/bin/$name"
	done
	printf '#!/bin/sh\necho install ok installed\n' >"$T/bin/dpkg-query"
	cat >"$T/build-fuzz/tests/fuzz/fuzz_zcomp_parse" <<-'END'
		#!/bin/sh
		case $* in
		*-max_total_time*) echo "stat::number_of_executed_units: 5" ;;
		*) for file; do :; done; grep bad "$file" && exit 77 ;;
		esac
		exit 0
	END
	chmod +x "$T/bin"/* "$T/build-fuzz/tests/fuzz"/*
}

teardown() { zsfs_teardown; }

fuzz() {
	PATH=$T/bin:$PATH ZSFS_BUILD=$T/build timeout 60 "$TOP/scripts/fuzz.sh" \
		--hours 0.0003 --jobs 1 --work "$T/learned" --target zcomp_parse 3>&- 4>&-
}

@test "fuzz: what is mended is told and forgotten, and the rest stays" {
	for n in {1..12}; do
		echo mended >"$T/learned/found/zcomp_parse-crash-$n"
	done
	echo bad >"$T/learned/found/zcomp_parse-crash-a"
	echo mended >"$T/learned/found/request-crash-b"
	fails fuzz
	same "$(ls "$T/learned/found" | xargs)" "request-crash-b zcomp_parse-crash-a"
	same "$(grep -c 'passes now, and is deleted: ' "$T/fails.out")" 12
	grep -qx '2 found' "$T/fails.out"
	rm "$T/learned/found"/*
	fuzz >"$T/out" 2>&1
	grep -qx '0 found' "$T/out"
}
