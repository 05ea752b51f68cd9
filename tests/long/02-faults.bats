#!/usr/bin/env bats
# Goal: 25-faults.bats at every place: once, for ever, in part, and with each
# error that a file system has.  SEED= repeats the order, FAULTS_PART=I/N runs a
# piece, CLOCK=+10y, -10y or frozen shifts the wall clock.

load ../lib/scenario

setup()
{
	scenario_begin
	fault=$BATS_TEST_DIRNAME/../fault
	"${CC:-cc}" -std=c17 -D_GNU_SOURCE -O1 -g -fno-builtin -shared -fPIC \
	    -o faults.so "$fault/faults.c" -ldl
	"${CC:-cc}" -std=c17 -D_GNU_SOURCE -O2 -shared -fPIC -o clock.so \
	    "$fault/clock.c" -ldl
}

teardown()
{
	scenario_end
}

@test "every call of every command fails in every way" {
	TEST_TMP=${TEST_TMP:-$folder} "$fault/sweep.py" --how all \
	    --part "${FAULTS_PART:-1/1}" --seed "${SEED:-$RANDOM}" \
	    "$SHASH" faults.so clock.so >sweep.out ||
	    { cat sweep.out; false; }
	sed 's/^/# /' sweep.out >&3
}
