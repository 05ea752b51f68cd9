#!/usr/bin/env bats
# The runner of tests must never take a failure for a success.

setup()
{
	runner=$BATS_TEST_DIRNAME/../../tools/run-tests
	folder=$(mktemp -d)
	cd "$folder"
	export BUILD=$folder/build
	unset CI RESULTS
}

teardown()
{
	cd /
	rm -rf "$folder"
}

# program NAME EXIT LINE...: a stand-in for a cmocka program
program()
{
	local name=$1 rc=$2
	shift 2
	{
		echo '#!/bin/sh'
		printf "echo '%s'\n" "$@"
		echo "exit $rc"
	} >"$name"
	chmod +x "$name"
}

@test "passes are counted" {
	program good 0 '[       OK ] test_a' '[       OK ] test_b'
	printf '@test "one" { true; }\n' >good.bats
	run "$runner" ./good good.bats
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = '3 passed, 0 failed' ]
}

@test "counts are shown when they are asked for" {
	program counts 0 '# 5 histories' 'noise' '[       OK ] test_a'
	run "$runner" ./counts
	[[ $output != *'5 histories'* ]]
	SHOW_COUNTS=1 run "$runner" ./counts
	[ "${lines[0]}" = '# 5 histories' ]
	[[ ${lines[1]} == 'ok '* ]]
}

@test "a failed test fails the run and shows its log" {
	program bad 1 '[       OK ] test_a' '[  FAILED  ] test_b' \
	    '[  PASSED  ] 1 test(s).' '[  FAILED  ] 1 test(s), listed below:' \
	    '[  FAILED  ] test_b'
	run "$runner" ./bad
	[ "$status" -ne 0 ]
	[[ $output == *'FAILED  ] test_b'* ]]
	[ "${lines[-1]}" = '1 passed, 1 failed' ]
}

@test "a crash after good tests is a failure" {
	program crash 134 '[       OK ] test_a'
	run "$runner" ./crash
	[ "$status" -ne 0 ]
	[ "${lines[-1]}" = '1 passed, 1 failed' ]
}

@test "a program that ran no test is a failure" {
	program empty 0 'nothing'
	run "$runner" ./empty
	[ "$status" -ne 0 ]
	[ "${lines[-1]}" = '0 passed, 1 failed' ]
}

@test "a scenario that cannot be read is a failure" {
	printf '@test "one" {\n' >broken.bats
	run "$runner" broken.bats
	[ "$status" -ne 0 ]
}

@test "a time limit ends a program that hangs" {
	printf '#!/bin/sh\nexec sleep 60\n' >hang
	chmod +x hang
	TEST_SECONDS_MAX=1 run "$runner" ./hang
	[ "$status" -ne 0 ]
	[[ $output == *'(time limit)'* ]]
}

@test "a skipped test passes at the desk and fails in CI" {
	printf '@test "one" { true; }\n@test "two" { skip "why"; }\n' >s.bats
	run "$runner" s.bats
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = '1 passed, 0 failed, 1 skipped' ]
	CI=true run "$runner" s.bats
	[ "$status" -ne 0 ]
}

@test "no tests at all: nothing passed" {
	run "$runner"
	[ "$status" -eq 0 ]
	[ "$output" = '0 passed, 0 failed' ]
}
