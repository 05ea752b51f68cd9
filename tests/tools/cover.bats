#!/usr/bin/env bats
# The table of coverage is right about lines, branches, exclusions and floor.

setup()
{
	repo=$BATS_TEST_DIRNAME/../..
	tree=$(mktemp -d)
	mkdir -p "$tree"/{src/base,src/cli,tests/unit}
	cp -r "$repo/Makefile" "$repo/tools" "$tree"
	cd "$tree"
	unset BUILD MAKEFLAGS MAKELEVEL CC CFLAGS SHASH RESULTS CI COVER
	source "$BATS_TEST_DIRNAME/no_blake3.bash"
	no_blake3 "$tree/blake3"
	cat >src/base/twig.c <<'END'
#include <assert.h>
#include <stdio.h>
int twig_bend(int n);
int
twig_bend(int n)
{
	assert(n >= 0 &&
	    n < 100);
	if (n > 50)
		n = 50;
	if (n == 7) {
		n = 8;
		n++;

		n--;
	}
	/* uncovered: nobody
	 * asks for nine; it says */
	if (n == 9) {
		puts("}");
		n = 10;
	} else {
		n += 0;
	}
	return n;
}
END
	cat >src/cli/main.c <<'END'
int twig_bend(int n);
int
main(int argc, char **argv)
{
	return twig_bend(argv[0][0] == 'X' ? 0 : argc) == 3 ? 0 : 1;
}
END
	cat >tests/unit/test_base_twig.c <<'END'
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>
int twig_bend(int n);
static void
test_bend(void **state)
{
	(void)state;
	assert_int_equal(twig_bend(60), 50);
	/* Another process, which does not end well. */
	assert_int_not_equal(system("$SHASH a b c"), 0);
}
int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bend)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
END
	floor 50 50
}

teardown()
{
	cd /
	rm -rf "$tree"
}

floor()
{
	printf '# words\nlines %s\nbranches %s\n' "$1" "$2" \
	    >tests/coverage.floor
}

# has NAME REGEX: the row of NAME in the table matches
has()
{
	echo "$output" | grep -E "^$1 " | grep -Eq -e "$2"
}

@test "the table counts lines and branches of all processes" {
	run make cover
	echo "$output"
	# Alone, the exclusion is more than one percent of so small a tree.
	[ "$status" -ne 0 ]
	[[ $output == *'more than 1.0 % of the lines are excluded'* ]]
	# 9 lines with code, of which those from 12 to 15 are missed; of four
	# ways out of two conditions one is, and the program took one of them.
	has src/base/twig.c ' 9 +3 +4 +1 +69%   12-15$'
	has src/cli/main.c ' 2 +0 +2 +1 +75%'
	has TOTAL ' 11 +3 +6 +2 '
	[[ $output == *'excluded: src/base/twig.c:19-24: nobody asks for'* ]]
}

@test "what another user executes counts, too" {
	[ "$EUID" -eq 0 ] || skip 'needs root'
	chmod 755 "$tree"
	sed -i '/uncovered/,/it says/d' src/base/twig.c
	sed -i 's/\$SHASH a/setpriv --reuid 65534 --clear-groups &/' \
	    tests/unit/test_base_twig.c
	run make cover
	echo "$output"
	[ "$status" -eq 0 ]
	has src/cli/main.c ' 2 +0 +2 +1 +75%'
}

@test "counts start anew with each run" {
	sed -i '/uncovered/,/it says/d' src/base/twig.c
	make cover >first
	sed -i 's/twig_bend(60), 50/twig_bend(7), 8/' \
	    tests/unit/test_base_twig.c
	run make cover
	echo "$output"
	[ "$status" -eq 0 ]
	grep -E '^src/base/twig.c .*   12-15, 18-19$' first
	has src/base/twig.c ' 13 +3 .*   10, 18-19$'
}

@test "a floor that is not reached fails" {
	sed -i '/uncovered/,/it says/d' src/base/twig.c
	floor 60 50
	run make cover
	[ "$status" -eq 0 ]
	floor 99 50
	run make cover
	echo "$output"
	[ "$status" -ne 0 ]
	[[ $output == *'is below the floor of 99 %'* ]]
	floor 60 99
	run make cover
	[ "$status" -ne 0 ]
	[[ $output == *'branches: '*' is below the floor of 99 %'* ]]
}

@test "a test that fails fails the run" {
	sed -i '/uncovered/,/it says/d' src/base/twig.c
	sed -i 's/, 50)/, 51)/' tests/unit/test_base_twig.c
	run make cover
	[ "$status" -ne 0 ]
	[[ $output == *'1 failed'* ]]
	[[ $output == *TOTAL* ]]
}

@test "the counts of a build without counters are refused" {
	make -s
	run tools/cover build
	[ "$status" -ne 0 ]
	[[ $output == *'COVER=1'* ]]
}

@test "one source with marks" {
	make -s COVER=1 BUILD=build/c
	run build/c/shash a b
	run tools/cover --detail src/base/twig.c build/c
	[ "$status" -eq 0 ]
	[[ $output == *'-   12 		n = 8;'* ]]
	[[ $output == *'?   11 	if (n == 7) {'* ]]
}
