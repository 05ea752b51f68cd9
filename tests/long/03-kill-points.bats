#!/usr/bin/env bats
# Goal: kill -9 before each call of each command, and of the server, that
# changes something: what was acknowledged is there, what was interrupted goes
# on.

load long

setup()
{
	long_begin
	long_library
	fault=$BATS_TEST_DIRNAME/../fault
	"${CC:-cc}" -std=c17 -D_GNU_SOURCE -O2 -o killat "$fault/killat.c"
}

teardown()
{
	scenario_end
}

@test "kill -9 before each call that changes something" {
	local some=()
	# Of each of 26 histories.
	[ "${ONE_IN:-1}" -eq 1 ] ||
	    some=(--points "$(($(one_in 1000) / 26 + 1))")
	TEST_TMP=${TEST_TMP:-$folder} "$fault/killpoints.py" --seed "$seed" \
	    "${some[@]}" "$SHASH" killat "$clock" >kills.out 2>&1 ||
	    { cat kills.out; false; }
	sed '$d; s/^/# /' kills.out >&3
	tail -n 1 kills.out >all.out
	# Fewer would not be each of them.
	long_reached "$(one_in 1000)" all.out kills
}
