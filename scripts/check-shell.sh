#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Nothing is found by shellcheck in our scripts. Functions of helpers.bash take words
# apart on purpose, and are called from files that it does not see.
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
exit $rc
