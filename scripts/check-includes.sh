#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The layers: pool/ knows only libc, codec/ only libc and the compression
# libraries, fs/ both by their public headers. Says every #include that breaks
# that.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
rc=0

# check FOLDER ALLOWED: quoted includes are of the folder or match ALLOWED
check() {
	local folder=$1 allowed=$2 file name

	while IFS=: read -r file name; do
		[ -e "$folder/$name" ] && continue
		[ -e "fs/$name" ] && [[ $folder == fs/* ]] && continue
		[[ $name =~ ^($allowed)$ ]] && continue
		echo "$file may not include \"$name\""
		rc=1
	done < <(grep -HoE '^#include "[^"]+"' "$folder"/*.[ch] |
		sed -E 's/#include "([^"]+)"/\1/')
}

# Angle brackets: no library but those of the layer.
libraries() {
	local folder=$1 banned=$2

	if grep -nE "^#include <($banned)" "$folder"/*.[ch]; then
		echo "$folder/ may not use that library"
		rc=1
	fi
}

check pool 'none'
check codec 'none'
for room in fs/*/; do
	check "${room%/}" 'arena\.h|zsmalloc\.h|undo\.h|inject\.h|zcomp\.h'
	libraries "${room%/}" 'lz4|zstd'
done
libraries pool 'fuse|lz4|zstd|xxhash|linux/fuse'
libraries codec 'fuse|linux/fuse'
exit $rc
