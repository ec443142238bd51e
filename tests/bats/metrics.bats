#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# .zsstats/metrics: parsers take it, and it says what stats.json says.
load helpers

setup() {
	zsfs_setup
	zsfs_only
	zsfs_mount
}

teardown() { zsfs_teardown; }

metrics() { cat "$M/.zsstats/metrics"; }

# value NAME[LABELS]: of one sample, or nothing
value() { metrics | awk -v name="$1" '$1 == name { print $2 }'; }

# agree SAMPLE JQ: the same number in stats.json
agree() { same "$1 $(value "$1" | jq '. + 0')" "$1 $(json "$2")"; }

fill() {
	text_file "$M/text" 1000000
	random_file "$M/random" 500000
	head -c 400000 /dev/zero >"$M/zeros"
	cat "$M"/* >/dev/null
}

# What OpenMetrics says that no parser here may see: each family is described,
# its samples follow, and its end is marked.
look_at_text() {
	metrics | awk '
		ended { print "after the end: " $0 }
		/^# EOF$/ { ended = 1; next }
		/^# TYPE / {
			if (seen[$3]++) print "twice: " $3
			name = $3; type = $4
			end = type == "counter" ? "_total" : type == "info" ? "_info" : ""
			next
		}
		/^# UNIT / { if ($3 != name || name !~ "_" $4 "$") print; next }
		/^# HELP / { if ($3 != name || NF < 5) print; next }
		{ sample = $1; sub(/[{].*/, "", sample) }
		sample != name end || NF != 2 || sample !~ /^zsfs_[a-z_]+$/ { print }
		samples[$1]++ { print "twice: " $1 }
		END { if (!ended) print "no end" }'
}

@test "metrics: the text is as it has to be" {
	fill
	same "$(look_at_text)" ""
	same "$(metrics | tail -n 1)" "# EOF"
	between 40 "$(metrics | grep -c '^# TYPE')" 200
	between 0 "$(metrics | wc -c)" 32000
	value "zsfs_build_info{version=\"$(json .version)\",layout=\"$(json .layout)\"}" |
		grep -qx 1
}

@test "metrics: Prometheus's parser takes them" {
	need promtool
	fill
	# This way to its parser wants times.
	metrics | sed '/^#/!s/$/ 1700000000/' >"$T/text"
	promtool tsdb create-blocks-from openmetrics "$T/text" "$T/db"
	mkdir -p "$T/db/wal"
	promtool tsdb dump "$T/db" >"$T/dump"
	same "$(wc -l <"$T/dump")" "$(metrics | grep -vc '^#')"
	echo 'zsfs_wrong{' >>"$T/text"
	fails promtool tsdb create-blocks-from openmetrics "$T/text" "$T/db2"
}

@test "metrics: the OpenMetrics parser for Python takes them" {
	"$PYTHON" -c 'import prometheus_client.openmetrics' 2>/dev/null ||
		skip "needs python3-prometheus-client"
	fill
	metrics | "$PYTHON" -c '
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
all = list(text_string_to_metric_families(sys.stdin.read()))
assert len(all) >= 40, len(all)
for f in all:
    assert f.documentation and f.type in ("gauge", "counter", "info"), f
'
}

@test "metrics: they agree with stats.json" {
	zsfs_umount
	wait_daemon
	zsfs_mount -o size=1G,mem_limit=64M,nr_inodes=100,settle=off
	fill
	# What settles or is freed in the background would change.
	quiet_now() {
		same "$(value zsfs_stored_bytes)" "$(json .content.orig_data_size)"
	}
	poll 10 quiet_now
	agree zsfs_stored_bytes .content.orig_data_size
	agree zsfs_compressed_bytes .content.compr_data_size
	agree zsfs_memory_used_bytes .memory.used
	agree zsfs_memory_used_max_bytes .memory.used_max
	agree zsfs_pool_bytes '.pool.pages_used * 4096'
	agree zsfs_inodes .content.inodes
	agree zsfs_mount_time_seconds .created
	agree 'zsfs_limit_bytes{limit="mem_limit"}' .limits.mem_limit
	agree 'zsfs_limit_bytes{limit="size"}' .limits.size
	agree 'zsfs_limit_left_bytes{limit="mem_limit"}' .memory.available
	agree 'zsfs_limit_left_bytes{limit="size"}' '.limits.size - .content.blocks * 4096'
	agree zsfs_limit_inodes .limits.nr_inodes
	for state in hot warm dense incompressible same_filled; do
		agree "zsfs_state_bytes{state=\"$state\"}" ".tiers.$state.bytes"
		agree "zsfs_state_memory_bytes{state=\"$state\"}" ".tiers.$state.ram"
	done
	agree zsfs_gaps_bytes .tiers.gaps
	agree zsfs_other_bytes .tiers.other
	agree zsfs_read_bytes_total '.content.blocks_read * 4096'
	agree zsfs_written_bytes_total '.content.blocks_written * 4096'
	agree zsfs_settled_bytes_total '.content.blocks_settled * 4096'
	agree zsfs_corrupt_blocks_total .content.corrupt_blocks
	agree zsfs_late_writes_lost_total .content.late_writes_lost
	agree 'zsfs_requests_total{operation="write"}' .requests.write
	agree 'zsfs_requests_total{operation="create"}' .requests.create
	same "$(metrics | grep -c '^zsfs_requests_total')" "$(json '.requests | length')"
	[ "$(value 'zsfs_state_bytes{state="warm"}')" -gt 900000 ]
	[ "$(value 'zsfs_state_bytes{state="incompressible"}')" -gt 400000 ]
}

@test "metrics: counters go up" {
	for name in read_bytes written_bytes freed_bytes settled_bytes; do
		same "$name $(value zsfs_${name}_total)" "$name 0"
	done
	lookups=$(value 'zsfs_requests_total{operation="lookup"}')
	fill
	drop_cache
	cat "$M/text" >/dev/null
	echo 1 >"$M/.zsctl/settle"
	rm "$M/random"
	[ "$(value zsfs_written_bytes_total)" -ge 1900000 ]
	[ "$(value 'zsfs_requests_total{operation="lookup"}')" -gt "$lookups" ]
	[ "$(value zsfs_settled_bytes_total)" -gt 900000 ]
	[ "$(value zsfs_settle_saved_bytes_total)" -gt 0 ]
	[ "$(value 'zsfs_state_bytes{state="dense"}')" -gt 900000 ]
	freed() { [ "$(value zsfs_freed_bytes_total)" -ge 500000 ]; }
	poll 5 freed
}

@test "metrics: what does not apply has no sample" {
	zsfs_umount
	wait_daemon
	zsfs_mount -o nosurvive,mem_limit=0,nr_inodes=0
	same "$(metrics | grep -E '^zsfs_(limit|standby|takeovers)')" ""
	same "$(value zsfs_survives)" 0
	same "$(look_at_text)" ""
}

@test "metrics: takeovers, deaths and the standby are seen" {
	[ "$(json .survive)" = true ] || skip "needs Linux 6.9"
	ready() { [ "$(value zsfs_standby_ready)" = 1 ]; }
	poll 10 ready
	text_file "$M/text" 1000000
	written=$(value zsfs_written_bytes_total)
	kill -9 "$(worker)"
	again() { [ "$(value zsfs_worker_deaths_total)" = 1 ]; }
	poll 10 again
	agree zsfs_takeovers_total .survival.takeovers
	agree zsfs_last_takeover_seconds '.survival.last_takeover_us / 1e6'
	same "$(value zsfs_survives)" 1
	# Counters go on, where others would begin anew.
	same "$(value zsfs_written_bytes_total)" "$written"
	poll 10 ready
}

@test "metrics: they can be read when nothing can be written" {
	zsfs_umount
	wait_daemon
	expect_late_losses
	zsfs_mount -o mem_limit=16M
	head -c 40000000 /dev/urandom >"$M/f" 2>/dev/null || true
	same "$(look_at_text)" ""
	[ "$(value 'zsfs_limit_left_bytes{limit="mem_limit"}')" -lt 1000000 ]
}

# ---- scripts/monitoring ----

@test "metrics: what node_exporter gets, of mounts with any name" {
	fill
	mkdir "$T/out" "$T/a \"b\\c"
	"$ZSFS" "$T/a \"b\\c" 3>&- 4>&-
	touch "$T/out/zsfs-3.prom"
	"$TOP/scripts/monitoring/zsfs-textfile" "$T/out" "$M" "$T/a \"b\\c"
	same "$(ls -A "$T/out" | xargs)" "zsfs-1.prom zsfs-2.prom"
	grep -qxF "zsfs_written_bytes_total{mount=\"$M\"} $(value zsfs_written_bytes_total)" \
		"$T/out/zsfs-1.prom"
	grep -qF "zsfs_state_bytes{mount=\"$T/a \\\"b\\\\c\",state=\"hot\"} 0" \
		"$T/out/zsfs-2.prom"
	same "$(grep -vc '^#' "$T/out/zsfs-1.prom")" "$(metrics | grep -vc '^#')"
	need promtool
	for f in "$T/out"/*; do
		same "$(promtool check metrics <"$f" 2>&1)" ""
	done
}

@test "metrics: what node_exporter gets of all mounts" {
	root_only
	mkdir "$T/out" "$T/a \\b" "$T/b 1"
	"$ZSFS" "$T/a \\b" 3>&- 4>&-
	"$ZSFS" "$T/b 1" 3>&- 4>&-
	# Others' mounts are none of its business here.
	alone "'$TOP/scripts/monitoring/zsfs-textfile' '$T/out'"
	for mount in "$M" "$T/a \\\\b" "$T/b 1"; do
		same "$(cat "$T/out"/*.prom | grep -cF "zsfs_inodes{mount=\"$mount\"}")" 1
	done
}

@test "metrics: node_exporter gets those of hidestats only by name" {
	root_only
	mkdir "$T/out" "$T/hidden"
	"$ZSFS" -o hidestats "$T/hidden" 3>&- 4>&-
	textfile=$TOP/scripts/monitoring/zsfs-textfile
	# What was told of it goes, too.
	"$textfile" "$T/out" "$M" "$T/hidden"
	same "$(cat "$T/out"/*.prom | grep -cF "zsfs_inodes{mount=\"$T/hidden\"}")" 1
	alone "'$textfile' '$T/out'"
	same "$(cat "$T/out"/*.prom | grep -cF "zsfs_inodes{mount=\"$M\"}")" 1
	fails grep -F "$T/hidden" -r "$T/out"
	"$textfile" --help | grep -q hidestats
	fails "$textfile"
}

@test "metrics: rules and dashboard know metrics that there are" {
	cd "$TOP/scripts/monitoring"
	jq . zsfs-dashboard.json >/dev/null
	names=$(grep -ohE 'zsfs_[a-z_]+' zsfs.rules.yml zsfs-dashboard.json | sort -u)
	zsfs_umount
	wait_daemon
	zsfs_mount -o size=1G,mem_limit=64M,nr_inodes=100
	[ "$(json .survive)" = true ] ||
		names=$(grep -v zsfs_standby_ready <<<"$names")
	between 15 "$(wc -l <<<"$names")" 50
	same "$(comm -23 <(echo "$names") <(metrics | grep -oE '^zsfs_[a-z_]+' | sort -u))" ""
}

@test "metrics: rules are right, and their tests pass" {
	need promtool
	cd "$TOP/scripts/monitoring"
	promtool check rules zsfs.rules.yml
	promtool test rules zsfs.rules.test.yml
}
