#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Files of pool/, codec/ and fs/ stay under 600 lines, functions under 80 (main
# and option parsing 120).
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
rc=0

for file in {pool,codec,fs/*}/*.[ch]; do
	lines=$(wc -l <"$file")
	[ "$lines" -le 600 ] || { echo "$file: $lines lines"; rc=1; }
done

long=$(awk 'FNR == 1 { start = 0 }
	/^\{/ { start = FNR }
	/^\}/ {
		most = FILENAME ~ /main|option/ ? 120 : 80
		if (start && FNR - start > most)
			print FILENAME ":" start ": " FNR - start " lines"
		start = 0
	}' {pool,codec,fs/*}/*.c)
[ -z "$long" ] || { echo "$long"; rc=1; }
exit $rc
