#!/usr/bin/env bats
# Goal: kill -9 before each call of each command, and of the server, that
# changes something: what was acknowledged is there, what was interrupted goes
# on.  SEED= repeats a run, CLOCK=+10y, -10y or frozen shifts the wall clock.

load ../lib/scenario

setup()
{
	scenario_begin
	fault=$BATS_TEST_DIRNAME/../fault
	"${CC:-cc}" -std=c17 -D_GNU_SOURCE -O2 -o killat "$fault/killat.c"
	"${CC:-cc}" -std=c17 -D_GNU_SOURCE -O2 -shared -fPIC -o clock.so \
	    "$fault/clock.c" -ldl
}

teardown()
{
	scenario_end
}

@test "kill -9 before each call that changes something" {
	local seed=${SEED:-$RANDOM}
	echo "# SEED=$seed CLOCK=${CLOCK:-}" >&3
	TEST_TMP=${TEST_TMP:-$folder} "$fault/killpoints.py" --seed "$seed" \
	    "$SHASH" killat clock.so >kills.out 2>&1 ||
	    { cat kills.out; false; }
	sed 's/^/# /' kills.out >&3
	# Fewer would not be each of them.
	[ "$(sed -n '$s/ kills.*//p' kills.out)" -ge 1000 ]
}
