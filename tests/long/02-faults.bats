#!/usr/bin/env bats
# Goal: 25-faults.bats at every place: once, for ever, in part, interrupted.

load ../lib/scenario

setup()
{
	scenario_begin
	fault=$BATS_TEST_DIRNAME/../fault
	"${CC:-cc}" -std=c17 -D_GNU_SOURCE -O1 -g -fno-builtin -shared -fPIC \
	    -o faults.so "$fault/faults.c" -ldl
}

teardown()
{
	scenario_end
}

@test "every call of every command fails in every way" {
	TEST_TMP=$folder "$fault/sweep.py" --how once --how forever \
	    --how short --how eintr "$SHASH" faults.so >sweep.out ||
	    { cat sweep.out; false; }
	sed 's/^/# /' sweep.out >&3
}
