#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Every .c and .h is what clang-format makes of it. Each version of that formats
# a little differently, so it is one version; without it this is skipped (77).
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

command -v clang-format-14 >/dev/null || {
	echo "clang-format-14 is not installed: formats are not checked"
	exit 77
}
find fs pool codec tests -name '*.[ch]' -print0 |
	xargs -0 clang-format-14 --dry-run -Werror 2>&1 |
	grep -E ': error: ' | sed 's/ \[-W.*//' | sort -u | head -20
# Of all that ran before head, only what xargs says counts.
[ "${PIPESTATUS[1]}" = 0 ]
