#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Many small files come and go. scripts/million.sh does so with a million.
load helpers

setup() {
	zsfs_setup
	zsfs_only
}
teardown() { zsfs_teardown; }

# In pages of 4 KiB, where tables are given back in small steps.
@test "many: when 20,000 files have been removed their memory is back" {
	cp "$BATS_TEST_DIRNAME/many.py" "$T/many.py"
	as_nobody '
		$ZSFS -o mem_limit=512M $M
		'"$PYTHON"' $T/many.py $M 20000 4096
		fusermount3 -u $M'
}
