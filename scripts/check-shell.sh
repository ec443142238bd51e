#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Nothing is found by shellcheck in our scripts. Functions of helpers.bash take words
# apart on purpose, and are called from files that it does not see. And nowhere, in
# bats files and the scripts in them neither, is a claim made with "!", which cannot
# fail: neither bats nor "set -e" looks at it.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
rc=0

shellcheck -S warning -x scripts/*.sh scripts/completion/*.bash \
	scripts/monitoring/zsfs-textfile .ci/run findings/*.sh \
	tests/bench/*.sh ||
	rc=1
shellcheck -S warning scripts/debian/*.{postinst,prerm} || rc=1
shellcheck -S warning -s bash -e SC2034,SC2046,SC2048,SC2120,SC2154 \
	tests/bats/helpers.bash || rc=1

# Lines that begin with "!", and commands after a quote, ";", "do" and the like. Good
# are those with "||", and the last of a function, which is what that returns.
awk '
	function look() {
		if (held !~ /\|\|/) {
			print at ": \"!\" fails nothing here; write \"fails COMMAND\" in tests, or \"! COMMAND || exit 1\":\n" held
			bad = 1
		}
		held = ""
	}
	FNR == 1 { joined = 0 }
	joined { line = line "\n" $0 }
	!joined { line = $0; from = FILENAME ":" FNR }
	{ joined = /(\\|\|\||&&|\|)$/ && !/^[ \t]*#/ }
	joined { next }
	held && FNR > 1 && /^}/ { held = "" }
	held { look() }
	line ~ /^[ \t]*#/ { next }
	line ~ /(^[ \t]*|;[ \t]*|["\047]|[ \t](then|else|do)[ \t]+)! / {
		held = line
		at = from
	}
	END { if (held) look(); exit bad }
' tests/bats/*.ba[ts]* tests/bench/*.sh scripts/*.sh scripts/monitoring/zsfs-textfile \
	scripts/debian/*.{postinst,prerm} findings/*.sh .ci/run || rc=1
exit $rc
