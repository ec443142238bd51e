#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Debian's hardening=+all leaves out two ways of hardening that its compiler has.
#
# Expected: a package built with DEB_BUILD_MAINT_OPTIONS=hardening=+all has every
#   protection that Debian's compiler offers on the machine, so that a project turns
#   its own flags off in debian/rules (-Dhardening=false), as packagers like it.
# What happens: on Debian 12 "all" has neither -fstack-clash-protection nor
#   -fcf-protection, and FORTIFY_SOURCE=2 where the compiler has 3; gcc 12 takes all
#   three, and other distributions have them by default. (dpkg 1.22 added the first two,
#   by the names stackclash and branch.) Who asks for these names in dpkg 1.21 gets a
#   warning, and no flag.
# Why it matters: a package is then less protected than what its own README's two
#   commands build, and the build says nothing. A program that decompresses what others
#   wrote had 4 functions with an end-branch mark in place of 979, and no probes of its
#   stack. zsfs keeps its own flags in the package, and its build looks.
#
# Versions: dpkg-dev and libdpkg-perl 1.21.23, gcc 12.2.0
# Output seen:
#   +all, asked of the compiler, lacks: -fstack-clash-protection -fcf-protection
#   FORTIFY_SOURCE: 2
set -u
command -v perl gcc >/dev/null || { echo "skipped: no perl or gcc"; exit 0; }
[ "$(uname -m)" = x86_64 ] || { echo "skipped: another processor"; exit 0; }
T=$(mktemp -d)
trap 'cd /; rm -rf "$T"' EXIT
cd "$T" || exit 0
apt-get -qq download dpkg-dev=1.21.23 libdpkg-perl=1.21.23 2>/dev/null ||
	{ echo "skipped: the packages are not to be had"; exit 0; }
for deb in ./*.deb; do dpkg -x "$deb" root; done

flags() {
	env -i PATH="$PATH" DEB_BUILD_MAINT_OPTIONS="hardening=+all" \
		PERL5LIB="$T/root/usr/share/perl5" \
		DEB_VENDOR=Debian root/usr/bin/dpkg-buildflags --get "$1" 2>/dev/null
}

all=$(flags CFLAGS)
[[ $all == *-fstack-protector-strong* ]] || { echo "skipped: it does not run"; exit 0; }
lacks=
for flag in -fstack-clash-protection -fcf-protection; do
	echo 'int main(void) { return 0; }' | gcc -Werror "$flag" -x c -o x - 2>/dev/null &&
		[[ $all != *$flag* ]] && lacks+=" $flag"
done
fortify=$(flags CPPFLAGS)
echo "+all, asked of the compiler, lacks:$lacks"
echo "FORTIFY_SOURCE: ${fortify##*FORTIFY_SOURCE=}"
[ "$lacks" = " -fstack-clash-protection -fcf-protection" ]
