#!/usr/bin/env bats
# make watch: a save is tested with both compilers; Ctrl-C ends it cleanly.

setup()
{
	repo=$BATS_TEST_DIRNAME/../..
	tree=$(mktemp -d)
	mkdir -p "$tree"/{src/base,src/cli,tests/unit}
	cp -r "$repo/Makefile" "$repo/tools" "$tree"
	cd "$tree"
	unset BUILD MAKEFLAGS MAKELEVEL CC CFLAGS SHASH RESULTS CI COVER
	printf 'int twig_count(void);\n' >src/base/twig.h
	printf '#include "base/twig.h"\nint twig_count(void) { return 1; }\n' \
	    >src/base/twig.c
	printf 'int main(void) { return 0; }\n' >src/cli/main.c
	cat >tests/unit/test_base_twig.c <<'END'
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "base/twig.h"
static void
test_count(void **state)
{
	(void)state;
	assert_int_equal(twig_count(), 1);
}
int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_count)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
END
	watch=
}

teardown()
{
	[ -z "$watch" ] || kill "$watch" 2>/dev/null || true
	cd /
	rm -rf "$tree"
}

# Started with SIGINT as a terminal leaves it, which & alone does not.
begin()
{
	python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
os.execv("tools/watch", ["tools/watch"])' >out 2>&1 3>&- &
	watch=$!
}

# comes N LINE: the N-th line that is LINE is there, within two minutes
comes()
{
	local i
	for ((i = 0; i < 1200; i++)); do
		[ "$(grep -cxF -e "$2" out)" -lt "$1" ] || return 0
		sleep 0.1
	done
	cat out
	return 1
}

# A save, as an editor does it: another file takes the name.
save()
{
	sed "$1" "$2" >"$2~"
	mv "$2~" "$2"
}

story()
{
	begin
	comes 1 watching
	comes 1 "{'gcc': ok, 'clang': ok}"
	grep -E '^src/base/twig.c +1 +0 ' out
	# What the change touches comes first, and ends the run when it fails.
	save 's/return 1/return 2/' src/base/twig.c
	comes 2 watching
	comes 1 "{'gcc': FAILED, 'clang': FAILED}"
	grep -x '== gcc: tests/unit/test_base_twig.c' out
	save 's/return 2/return 3 - 2/' src/base/twig.c
	comes 3 watching
	comes 2 "{'gcc': ok, 'clang': ok}"
	[ "$(grep -cx '== clang: all' out)" -eq 2 ]
	kill -INT "$watch"
	wait "$watch"
	watch=
	[ "$(tail -n 1 out)" = 'Good bye.' ]
	[ -z "$(pgrep -f "inotifywait.*$tree" || true)" ]
}

@test "a save is tested with both compilers" {
	command -v inotifywait
	story
}

@test "without inotifywait the files' times are looked at" {
	sed -i 's/which("inotifywait")/which("no-such-program")/' tools/watch
	story
}

@test "a save while tests run begins anew" {
	sed -i 's/^	(void)state/	sleep(twig_count() == 7 ? 100 : 0);\n&/;
	    1i #include <unistd.h>' tests/unit/test_base_twig.c
	begin
	comes 1 watching
	save 's/return 1/return 7/' src/base/twig.c
	comes 1 '== gcc: tests/unit/test_base_twig.c'
	sleep 3
	save 's/return 7/return 1/' src/base/twig.c
	comes 2 watching
	comes 2 "{'gcc': ok, 'clang': ok}"
	! grep FAILED out
}
