#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Who may include what. pool/ knows only libc, codec/ only libc and the
# compression libraries, fs/ both by their public headers. The rooms of fs/ are
# a tower: each includes what is below it; fs/ctl stands beside it. Headers that end in _i.h stay in
# their folder. No two files need each other. Says every #include that breaks
# that.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
rc=0

# From the ground up.
TOWER='base state content tree volume control serve survive start'
PUBLIC='arena|zsmalloc|undo|inject|lock_rank|zcomp'

complain() {
	echo "$*"
	rc=1
}

# The quoted includes of a folder: FILE:NAME
includes() {
	grep -HoE '^#include "[^"]+"' "$1"/*.[ch] | sed -E 's/#include "([^"]+)"/\1/'
}

# check FOLDER ALLOWED: quoted includes are of the folder or match ALLOWED
check() {
	local folder=$1 allowed=$2 file name

	while IFS=: read -r file name; do
		[ -e "$folder/$name" ] && continue
		[[ $name =~ ^($allowed)$ ]] && continue
		complain "$file may not include \"$name\""
	done < <(includes "$folder")
}

# Angle brackets: no library but those of the layer.
libraries() {
	local folder=$1 banned=$2

	if grep -nE "^#include <($banned)" "$folder"/*.[ch]; then
		complain "$folder/ may not use that library"
	fi
}

# circles FOLDER: a file's .c, .h and _i.h are one; zsfs.h only says what there
# is, without a .c of its own
circles() {
	local found

	found=$(includes "$1" | awk -F: -v have=" $(cd "$1" && echo *.h) " '{
			sub(".*/", "", $1); sub(/(_i)?\.[ch]$/, "", $1)
			sub(/(_i)?\.h$/, "", $2)
			if ($2 != $1 && $2 != "zsfs" &&
			    index(have, " " $2 ".h ")) print $1, $2
		}' | tsort 2>&1 >/dev/null |
		sed -nE 's/^tsort: ([^:]+)$/\1/p' | paste -sd' ')
	[ -z "$found" ] || complain "$1: these need each other: $found"
}

check pool 'none'
check codec 'none'
libraries pool 'fuse|lz4|zstd|xxhash|linux/fuse'
libraries codec 'fuse|linux/fuse'
circles pool
circles codec

below=''
for room in $TOWER; do
	check "fs/$room" "($PUBLIC)\.h${below:+|($below)/[a-z_]+\.h}"
	libraries "fs/$room" 'lz4|zstd'
	circles "fs/$room"
	below+="${below:+|}$room"
done
# A program of its own, which knows mounts only from outside.
check fs/ctl 'none'
libraries fs/ctl 'fuse|linux/fuse|lz4|zstd|xxhash'
circles fs/ctl

if grep -nE '^#include "[a-z]+/[a-z_]+_i\.h"' fs/*/*.[ch]; then
	complain "_i.h is for its own folder"
fi
for folder in fs/*/; do
	[[ " $TOWER ctl " == *" $(basename "$folder") "* ]] ||
		complain "$folder has no place in the tower"
done
compgen -G 'fs/*.[ch]' >/dev/null && complain "files in fs/ itself have no room"
exit $rc
