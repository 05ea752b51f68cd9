#!/usr/bin/env bats
# Goal: what tries the tests says so when a bug is missed, a patch is stale, a
# test is gone; and all patches are for the source as it is.

setup()
{
	unset RESULTS
	top=$BATS_TEST_DIRNAME/../..
	patches=$(mktemp -d)
	run=$top/tests/sabotage/run
}

teardown()
{
	rm -rf "$patches"
}

@test "every patch applies, seeds one bug in src/, and names its test" {
	[ "$(find "$top/tests/sabotage/patches" -name '*.patch' |
	    wc -l)" -ge 30 ]
	for patch in "$top"/tests/sabotage/patches/*.patch; do
		(cd "$top" && patch -p0 -F0 --dry-run -s) <"$patch"
		! grep '^+++ ' "$patch" | grep -v '^+++ src/' || false
		grep -q '^Bug: .' "$patch"
		grep -q '^Breaks: .' "$patch"
		grep '^Caught-by: ' "$patch" | while read -r _ name; do
			name=${name%%: *}
			[ -e "$top/tests/$name" ] || [ -e "$top/tests/$name.c" ]
		done
		grep -q '^Caught-by: ' "$patch"
	done
}

# seed NUMBER OLD NEW [TEST]: a patch of a line of src/base/hex.c
seed()
{
	sed "s/$2/$3/" "$top/src/base/hex.c" >"$patches/new"
	{
		printf 'Bug: one\nBreaks: P0\n'
		[ -z "${4:-}" ] || echo "Caught-by: $4"
		echo
		diff -U2 --label src/base/hex.c --label src/base/hex.c \
		    "$top/src/base/hex.c" "$patches/new" || true
	} >"$patches/$1-seeded.patch"
}

@test "caught, missed, stale, without a test, without its test" {
	seed 01 '0123456789abcdef' '0123456789abcdfe' unit/test_base_hex
	seed 02 '#include "base\/hex.h"' '#include "base\/hex.h" \/\* x \*\/' \
	    unit/test_base_hex
	seed 03 '0123456789abcdef' '0123456789abcdfe'
	seed 04 '0123456789abcdef' '0123456789abcdfe' unit/test_base_no
	seed 05 '0123456789abcdef' '0123456789abcdfe' \
	    'cli/01-five-lines.bats: no such name'
	seed 06 '0123456789abcdef' '0123456789abcdfe' unit/test_base_hex
	sed -i 's/^-.*0123.*/-gone/' "$patches/06-seeded.patch"
	rc=0
	PATCHES=$patches timeout 900 "$run" 1 2 3 4 5 6 >"$patches/out" 2>&1 ||
	    rc=$?
	cat "$patches/out"
	[ "$rc" -eq 1 ]
	grep -Eq '^01-seeded +caught ' "$patches/out"
	grep -Eq '^02-seeded +MISSED ' "$patches/out"
	grep -Eq '^03-seeded +NO TEST ' "$patches/out"
	grep -Eq '^04-seeded +BUILD ' "$patches/out"
	grep -Eq '^05-seeded +NO TEST ' "$patches/out"
	grep -Eq '^06-seeded +APPLY ' "$patches/out"
	grep -q '^6 bugs, 5 not caught' "$patches/out"
}
