# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
#
# What settles (part "settled" of bench.sh): RAM beside zram and btrfs, and the
# timed work on settled data.
#
#   $OUT/facts.tsv       as of counts.sh; the system "settled" is zsfs after
#                        .zsctl/settle
# Used by bench.sh only.

SETTLED="settle seqread_settled randread_settled"
SETTLED_SETS="text programs tree libraries"

# Names on stdin, ended by NUL, sorted, go into $1.tar, $DATA bytes at most.
pack_set()
{
	LC_ALL=C sort -z | tar -C / --null -T - -cf - 2>/dev/null |
		head -c "$DATA" >"$DATA_DIR/$1.tar" || true
}

# The kernel's sources as distributions pack them, or nothing.
kernel_source()
{
	local tar

	for tar in /usr/src/linux-source-*.tar.xz; do
		[[ ! -r $tar ]] || { echo "$tar" && return; }
	done
}

# xz is ended when there is enough.
pack_text()
{
	local tar

	tar=$(kernel_source)
	if [[ $tar ]]; then
		xz -dc "$tar" 2>/dev/null | head -c "$DATA" \
			>"$DATA_DIR/text.tar" || true
		return
	fi
	note "text is of /usr: there is no /usr/src/linux-source-*.tar.xz"
	find /usr/include /usr/src /usr/lib/python3* /usr/share -type f \
		-regex '.*\.\([chSy]\|hh\|hpp\|py\|pl\|sh\|txt\|rst\)' \
		-readable -print0 2>/dev/null | pack_set text
}

prepare_sets()
{
	local lib

	lib=/usr/lib/$(uname -m)-linux-gnu
	[[ -d $lib ]] || lib=/usr/lib
	pack_text
	small_files /usr/bin "$lib" -maxdepth 1 | pack_set programs
	mkdir "$DATA_DIR/libraries"
	small_files "$lib" -maxdepth 1 -name '*.so*' |
		tar -C / --null -T - -cf - 2>/dev/null |
		tar -C "$DATA_DIR/libraries" -xf -
}

# put_set SET DIR: prints its plain bytes.
put_set()
{
	case $1 in
	text | programs)
		cp "$DATA_DIR/$1.tar" "$2/"
		stat -c %s "$DATA_DIR/$1.tar"
		;;
	tree)
		tar -C "$2" -xf "$DATA_DIR/tree.tar"
		echo "$NR_TREE_BYTES"
		;;
	libraries)
		cp -r "$DATA_DIR/libraries" "$2/"
		du -sb "$DATA_DIR/libraries" | cut -f1
		;;
	esac
}

# ---- RAM ----

# The part's own process may end anywhere: it takes all down then.
count_settled_set()
{
	local set=$1 sys bytes

	for sys in $SYSTEMS; do
		[[ $sys != tmpfs ]] || continue
		"up_$sys"
		bytes=$(put_set "$set" "$WORK/$sys")
		take_ram "$sys" "$set" "$bytes"
		if [[ $sys == zsfs ]]; then
			echo 1 >"$WORK/zsfs/.zsctl/settle"
			take_ram zsfs "$set" "$bytes" settled
		fi
		"down_$sys"
	done
}

count_settled()
{
	local set

	for set in $SETTLED_SETS; do
		count_settled_set "$set"
	done
	count_latency
}

# How long the mount takes to answer while it settles, all CPUs busy with that.
count_latency()
{
	local usec

	has_system zsfs || return 0
	up_zsfs
	put_set text "$WORK/zsfs" >/dev/null
	echo 1 >"$WORK/zsfs/.zsctl/settle" &
	usec=$("$FSBENCH" latency --msecs 1000 "$WORK/zsfs" |
		sed -n 's/.*"p999_usec": \([0-9]*\).*/\1/p')
	wait $!
	fact zsfs settle_p999_usec "$usec"
	down_zsfs
}

# ---- timed ----

settle_now()
{
	[[ ! -e $1/.zsctl/settle ]] || echo 1 >"$1/.zsctl/settle"
}

do_settle()
{
	local start bytes

	rm -f "$1/text.tar"
	bytes=$(put_set text "$1") || return 1
	start=$EPOCHREALTIME
	settle_now "$1" && print_figure "$start" 1 "$bytes"
}

# On what has nothing that settles the same without.
do_seqread_settled()
{
	[[ -e $1/text.tar ]] || put_set text "$1" >/dev/null
	settle_now "$1" && "$FSBENCH" seqread --cold "$1/text.tar"
}

do_randread_settled()
{
	[[ -e $1/text.tar ]] || put_set text "$1" >/dev/null
	settle_now "$1" &&
		"$FSBENCH" randread --msecs "$RANDOM_MSECS" "$1/text.tar"
}
