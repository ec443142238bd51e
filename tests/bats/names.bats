#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Names: every byte but '/' and NUL, up to 255 of them.
load helpers

setup() {
	zsfs_setup
	zsfs_mount
	N255=$(printf 'n%.0s' {1..255})
	N256=${N255}n
}

teardown() { zsfs_teardown; }

@test "names: 255 bytes work everywhere" {
	expect ok create "$M/$N255" 644
	expect ok stat "$M/$N255"
	expect ok rename "$M/$N255" "$M/short"
	expect ok rename "$M/short" "$M/$N255"
	expect ok link "$M/$N255" "$M/other"
	expect ok unlink "$M/$N255"
	expect ok mkdir "$M/$N255" 755
	expect ok rmdir "$M/$N255"
	expect ok symlink target "$M/$N255"
	same "$(ls "$M" | wc -L)" 255
}

@test "names: 256 bytes are ENAMETOOLONG everywhere" {
	expect ok create "$M/f" 644
	expect ENAMETOOLONG create "$M/$N256" 644
	expect ENAMETOOLONG mkdir "$M/$N256" 755
	expect ENAMETOOLONG symlink x "$M/$N256"
	expect ENAMETOOLONG mknod "$M/$N256" p 644 0 0
	expect ENAMETOOLONG link "$M/f" "$M/$N256"
	expect ENAMETOOLONG rename "$M/f" "$M/$N256"
	expect ENAMETOOLONG stat "$M/$N256"
	expect ENAMETOOLONG unlink "$M/$N256"
	expect ENAMETOOLONG rmdir "$M/$N256"
	same "$(ls "$M")" f
}

@test "names: lengths from 1 to 255, all found again" {
	for i in $(seq 1 255); do
		echo "$i" >"$M/${N255:0:$i}"
	done
	same "$(ls "$M" | wc -l)" 255
	for i in $(seq 1 255); do
		same "$(cat "$M/${N255:0:$i}")" "$i"
	done
}

@test "names: newlines, blanks, quotes, control and invalid UTF-8 bytes" {
	local odd=($'a\nb' $'\n' ' ' '  x ' '*' '?' '[a]' '\' '"' "'" '$HOME'
		$'\xff\xfe' $'\xc3' $'\xc3\x28' $'\xe2\x82\xac' $'\x01\x7f' '-rf'
		'...' '.hidden' '..x' '~' '#' $'e\xcc\x81' $'\xc3\xa9')

	for name in "${odd[@]}"; do
		printf '%s' "$name" >"$M/$name"
		mkdir "$M/d-$name"
	done
	same "$(ls -A "$M" -1 --quoting-style=escape | wc -l)" $((2 * ${#odd[@]}))
	for name in "${odd[@]}"; do
		same "$(cat "$M/$name"; echo .)" "$name."
		[ -d "$M/d-$name" ]
	done
	LC_ALL=C find "$M" -type f -printf '%f\0' | LC_ALL=C sort -z >"$T/got"
	printf '%s\0' "${odd[@]}" | LC_ALL=C sort -z >"$T/want"
	cmp "$T/want" "$T/got"
}

@test "names: every byte value" {
	LC_ALL=C
	"$PYTHON" - "$M" <<-'END'
		import os, sys
		top = os.fsencode(sys.argv[1])
		for i in range(1, 256):
		    if i == ord("/"):
		        continue
		    name = b"x" + bytes([i]) + b"y"
		    with open(os.path.join(top, name), "wb") as f:
		        f.write(bytes([i]))
		names = set(os.listdir(top))
		assert len(names) == 254, len(names)
		for name in names:
		    with open(os.path.join(top, name), "rb") as f:
		        assert f.read() == name[1:2], name
	END
}

@test "names: differ in case and in one last byte" {
	touch "$M/File" "$M/file" "$M/FILE" "$M/file1" "$M/file2"
	same "$(ls "$M" | wc -l)" 5
	rm "$M/file"
	same "$(ls "$M" | wc -l)" 4
	[ -e "$M/FILE" ]
	fails stat "$M/file"
}

@test "names: paths near PATH_MAX" {
	local dir=$M

	cd "$M"
	for _ in {1..15}; do
		mkdir "$N255"
		cd "$N255"
	done
	echo deep >file
	same "$(cat file)" deep
	cd "$T"
	same "$(find "$M" -type f | wc -l)" 1
	rm -rf "${M:?}/$N255"
	same "$(ls -A "$M")" ""
}

@test "names: symlink targets up to 4095 bytes" {
	local long

	long=$(printf 'p%.0s' {1..4094})
	expect ok symlink "$long" "$M/almost"
	expect 4094 readlink "$M/almost"
	same "$(readlink "$M/almost")" "$long"
	expect ok symlink x "$M/one"
	same "$(readlink "$M/one")" x
	expect ENOENT symlink "" "$M/none"
	expect ENAMETOOLONG symlink "${long}pp" "$M/more"
}

@test "names: nonexistent things are ENOENT, also twice" {
	for _ in 1 2; do
		expect ENOENT stat "$M/none"
		expect ENOENT unlink "$M/none"
		expect ENOENT rmdir "$M/none"
		expect ENOENT rename "$M/none" "$M/other"
		expect ENOENT link "$M/none" "$M/other"
		expect ENOENT create "$M/none/file" 644
		expect ENOENT mkdir "$M/none/dir" 755
	done
	expect ok create "$M/none" 644
	expect ok stat "$M/none"
	expect ENOTDIR stat "$M/none/x"
	expect ENOTDIR create "$M/none/x" 644
	expect EEXIST mkdir "$M/none" 755
	expect EEXIST create "$M/none" 644
	expect EEXIST symlink x "$M/none"
	expect EEXIST mknod "$M/none" p 644 0 0
}
