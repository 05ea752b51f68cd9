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
	source "$BATS_TEST_DIRNAME/no_blake3.bash"
	no_blake3 "$tree/blake3"
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
	export TMPDIR=$tree/tmp
	mkdir tmp
}

teardown()
{
	if [ -n "$watch" ]; then
		kill "$watch" 2>/dev/null || true
		wait "$watch" || true
	fi
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

# comes N LINE: the N-th line that is LINE is there, within minutes
comes()
{
	local i
	for ((i = 0; i < 3600; i++)); do
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

# Ctrl-C; nothing of it runs or lies about afterwards
ends()
{
	kill -INT "$watch"
	wait "$watch"
	watch=
	[ "$(tail -n 1 out)" = 'Good bye.' ]
	[ -z "$(pgrep -f "inotifywait.*$tree" || true)" ]
	# shellcheck disable=SC2010 # links of processes
	! ls -l /proc/[0-9]*/exe 2>/dev/null | grep -F "$tree" || false
	! grep -lz "^TMPDIR=$TMPDIR/hsw" /proc/[0-9]*/environ 2>/dev/null ||
	    false
	[ -z "$(ls tmp)" ]
}

ok="{'gcc': ok, 'clang': ok}"
bad="{'gcc': FAILED, 'clang': FAILED}"

@test "a save is tested with both compilers" {
	command -v inotifywait
	begin
	comes 1 watching
	comes 1 "$ok"
	grep -E '^Name +Stmts +Miss Branch BrPart +Cover +Missing$' out
	grep -E '^src/base/twig.c +1 +0 +0 +0 +100%$' out
	grep -E '^TOTAL +2 +1 +0 +0 +50%$' out
	# What the change touches comes first, and ends the run when it fails.
	save 's/return 1/return 2/' src/base/twig.c
	comes 2 watching
	comes 1 "$bad"
	grep -x '== gcc: tests/unit/test_base_twig.c' out
	[ "$(grep -c ^TOTAL out)" -eq 1 ]
	save 's/return 2/return 3 - 2/' src/base/twig.c
	comes 3 watching
	comes 2 "$ok"
	[ "$(grep -cx '== clang: all' out)" -eq 2 ]
	[ "$(grep -c ^TOTAL out)" -eq 2 ]
	# A header is the module's too, a test is itself.
	save 's/$/ /' src/base/twig.h
	comes 4 watching
	save 's/$/ /' tests/unit/test_base_twig.c
	comes 5 watching
	comes 4 "$ok"
	[ "$(grep -cx '== gcc: tests/unit/test_base_twig.c' out)" -eq 4 ]
	ends
}

@test "one compiler alone is broken; files come and go" {
	begin
	comes 1 watching
	printf '#ifdef __clang__\n#error twig\n#endif\n' >src/base/bud.c
	comes 2 watching
	comes 1 "{'gcc': ok, 'clang': FAILED}"
	[ "$(grep -c ^TOTAL out)" -eq 2 ]
	# The rest is tried with the one that what was touched is good for.
	save '1i #ifndef __clang__\n#error twig\n#endif' src/base/twig.c
	rm src/base/bud.c
	comes 3 watching
	comes 1 "{'gcc': FAILED, 'clang': ok}"
	[ "$(grep -c ^TOTAL out)" -eq 2 ]
	save 1,3d src/base/twig.c
	comes 4 watching
	comes 2 "$ok"
	# A name that goes elsewhere is gone here.
	mv tests/unit/test_base_twig.c tests/unit/twig.txt
	comes 5 watching
	comes 3 "$ok"
	grep -x '0 passed, 0 failed' out
	ends
}

@test "without inotifywait the files' times are looked at" {
	sed -i 's/which("inotifywait")/which("no-such-program")/' tools/watch
	begin
	comes 1 watching
	save 's/return 1/return 2/' src/base/twig.c
	comes 2 watching
	comes 1 "$bad"
	rm src/base/twig.c tests/unit/test_base_twig.c
	comes 3 watching
	comes 2 "$ok"
	ends
}

@test "a save while tests run begins anew; Ctrl-C then ends those, too" {
	sed -i 's/^	(void)state/	sleep(twig_count() == 7 ? 100 : 0);\n&/;
	    1i #include <unistd.h>' tests/unit/test_base_twig.c
	begin
	comes 1 watching
	save 's/return 1/return 7/' src/base/twig.c
	comes 1 '== gcc: tests/unit/test_base_twig.c'
	sleep 3
	# Two in quick succession are one.
	save 's/return 7/return 3/' src/base/twig.c
	save 's/return 3/return 1/' src/base/twig.c
	comes 2 watching
	comes 2 "$ok"
	! grep FAILED out || false
	save 's/return 1/return 7/' src/base/twig.c
	comes 3 '== gcc: tests/unit/test_base_twig.c'
	runs()
	{
		# shellcheck disable=SC2010
		ls -l /proc/[0-9]*/exe 2>/dev/null |
		    grep -F "$tree/build/cover/tests/unit/test_base_twig"
	}
	for i in {1..1200}; do
		! runs || break
		sleep 0.1
	done
	runs
	ends
}

@test "what a change touches" {
	mkdir -p tests/{cli,fuzz,tools,vectors,lib} tests/fuzz/corpus
	cat >first.py <<-'END'
	import importlib.machinery, importlib.util, sys
	loader = importlib.machinery.SourceFileLoader("watch", "tools/watch")
	spec = importlib.util.spec_from_loader("watch", loader)
	watch = importlib.util.module_from_spec(spec)
	loader.exec_module(watch)
	tests = watch.touched(sys.argv[1:])
	print(*tests, *[watch.program("B", t) for t in tests
	                if "fuzz" in t])
	END
	# touches FILE TEST...
	touches()
	{
		run python3 -B first.py "$1"
		echo "$1: $output"
		[ "$output" = "${*:2}" ]
	}
	unit=tests/unit/test_base_twig
	touches src/base/twig.h $unit.c
	touch ${unit}_more.c
	touches src/base/twig.c $unit.c ${unit}_more.c
	printf '#include "base/bud.h"\n#include "lib/sap.h"\n' >>$unit.c
	touches src/base/bud.c $unit.c
	touches tests/lib/sap.c $unit.c
	printf 'shash bud_leaf\nshash stem\n' >tests/cli/01-a.bats
	printf 'shash bud\nshash bud\nsap.py' >tests/cli/02-b.bats
	printf 'shash bud\n' >tests/cli/03-c.bats
	touches src/cli/cmd_bud.c tests/cli/02-b.bats tests/cli/03-c.bats
	touches tests/lib/sap.py tests/cli/02-b.bats
	touches tests/cli/01-a.bats tests/cli/01-a.bats
	touch tests/tools/cover.bats
	touches tools/cover tests/tools/cover.bats
	touches tools/prefixes ''
	touch tests/fuzz/fuzz_bud.c tests/fuzz/corpus/bud.hex
	touches tests/fuzz/fuzz_bud.c tests/fuzz/fuzz_bud.c \
	    B/tests/fuzz/replay_bud
	touches tests/fuzz/corpus/bud.hex tests/fuzz/corpus/bud.hex \
	    B/tests/fuzz/replay_bud
	touch tests/vectors/test_vectors_document.c
	touches docs/format.md tests/vectors/test_vectors_document.c
	touches src/base/gone.c ''
}
