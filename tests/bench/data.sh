# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
#
# The data bench.sh works with: files of this machine, gathered in RAM.
#
#   $DATA_DIR/data      a third libraries, a third programs, a third text
#   $DATA_DIR/tree.tar  a source tree
#   $DATA_DIR/small.tar files of that tree below 10 kB
#   $DATA_DIR/make.tar  the sources of zsfs, with a makefile
# and what settled.sh says.
# Used by bench.sh only.

# Names on stdin, ended by NUL, sorted: their content, $1 bytes at most. head
# ends first, and the others fail then: that is no error.
join_files()
{
	LC_ALL=C sort -z | xargs -0 cat 2>/dev/null | head -c "$1" || true
}

# A library of the size of LLVM's would be most of the data: leave it out.
small_files()
{
	find "$@" -type f -size -16384k -readable -print0 2>/dev/null || true
}

data_parts()
{
	local third=$(($1 / 3)) lib

	lib=/usr/lib/$(uname -m)-linux-gnu
	[[ -d $lib ]] || lib=/usr/lib
	small_files "$lib" -maxdepth 1 -name '*.so*' | join_files $third
	small_files /usr/bin -maxdepth 1 | join_files $third
	small_files /usr/include /usr/share | join_files $third
}

# A machine with few files gives them several times.
make_data()
{
	local file=$1 want=$2 have=0 now

	: >"$file"
	while ((have < want)); do
		data_parts "$want" >>"$file"
		now=$(stat -c %s "$file")
		((now > have)) || die "no files found to make data of"
		have=$now
	done
	truncate -s $((want / 4096 * 4096)) "$file"
}

tree_files()
{
	small_files /usr/include /usr/src /usr/lib/python3* /usr/share |
		LC_ALL=C sort -z | head -z -n "$TREE_FILES" || true
}

# git compresses what it stores: with large files that is most of its time.
prepare_small()
{
	local list=$DATA_DIR/small

	xargs -0 stat --printf '%s %n\0' <"$DATA_DIR/list" 2>/dev/null |
		sed -zEn 's/^[0-9]{1,4} //p' | head -z -n "$SMALL_FILES" \
		>"$list" || true
	NR_SMALL=$(tr -cd '\0' <"$list" | wc -c)
	tar -C / --null -T "$list" -cf "$DATA_DIR/small.tar" 2>/dev/null ||
		die "the small files cannot be packed"
}

# A makefile that needs neither meson nor what it would find out. zsctl, which
# has libraries of its own, is left out.
print_makefile()
{
	cat <<END
CFLAGS = -O0 -D_GNU_SOURCE -DNDEBUG -DZS_DEBUG_LEVEL=0 \\
	-DZS_ARENA_SANITIZED=0 -DZSFS_VERSION='"bench"' \\
	-Ipool -Icodec -Ifs $(pkg-config --cflags fuse3)
OBJECTS = $(list_sources | sed 's/c$/o/' | tr '\n' ' ')

all.a: \$(OBJECTS)
	ar rcs \$@ \$^
END
}

list_sources()
{
	(cd "$TOP" && find $SOURCES -name '*.c' ! -path 'fs/ctl/*' |
		LC_ALL=C sort)
}

prepare_sources()
{
	mkdir "$DATA_DIR/make"
	(cd "$TOP" && find pool codec fs -name '*.[ch]' -print0) |
		tar -C "$TOP" --null -T - -cf - |
		tar -C "$DATA_DIR/make" -xf -
	print_makefile >"$DATA_DIR/make/Makefile"
	tar -C "$DATA_DIR/make" -cf "$DATA_DIR/make.tar" .
	NR_SOURCES=$(list_sources | wc -l)
}

prepare_tree()
{
	tree_files >"$DATA_DIR/list"
	NR_TREE=$(tr -cd '\0' <"$DATA_DIR/list" | wc -c)
	((NR_TREE >= TREE_FILES)) ||
		note "the source tree has no more than $NR_TREE files"
	tar -C / --null -T "$DATA_DIR/list" -cf "$DATA_DIR/tree.tar" \
		2>/dev/null || die "the source tree cannot be packed"
	NR_TREE_BYTES=$(xargs -0 stat -c %s <"$DATA_DIR/list" |
		awk '{ n += $1 } END { printf "%.0f", n }')
}

prepare_data()
{
	DATA_DIR=$WORK/data
	mount_ram "$DATA_DIR"
	note "preparing $((DATA >> 20)) MiB of data"
	make_data "$DATA_DIR/data" "$DATA"
	prepare_tree
	prepare_small
	prepare_sources
	! wants settled || prepare_sets
}
