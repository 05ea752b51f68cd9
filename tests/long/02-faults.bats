#!/usr/bin/env bats
# Goal: 25-faults.bats at every place: once, for ever, in part, and with each
# error that a file system has.  FAULTS_PART=I/N runs a piece.  07-failing.bats
# does most of it at a tenth of the price: with ONE_IN= this is a sample.

load long

setup()
{
	long_begin
	long_library
	fault=$BATS_TEST_DIRNAME/../fault
	"${CC:-cc}" -std=c17 -D_GNU_SOURCE -O1 -g -fno-builtin -shared -fPIC \
	    -o faults.so "$fault/faults.c" -ldl
}

teardown()
{
	scenario_end
}

@test "every call of every command fails in every way" {
	local some=() least=6000
	if [ "${ONE_IN:-1}" -gt 1 ]; then
		# Of each of 20 commands.
		some=(--points "$(one_in 100)")
		least=$(one_in 1800)
	fi
	[ -z "${FAULTS_PART:-}" ] || least=1
	TEST_TMP=${TEST_TMP:-$folder} "$fault/sweep.py" --how all \
	    "${some[@]}" --part "${FAULTS_PART:-1/1}" --seed "$seed" \
	    "$SHASH" faults.so "$clock" >sweep.out ||
	    { cat sweep.out; false; }
	sed '$d; s/^/# /' sweep.out >&3
	tail -n 1 sweep.out >all.out
	long_reached "$least" all.out 'faults fired'
}
