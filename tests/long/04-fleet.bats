#!/usr/bin/env bats
# Goal: four clients of two vaults back up and restore while prune and sweep
# are at work, and the server and they are killed, 150 times: no wrong byte, and
# nothing is lost.  KILLS= and SEED= change the number and the draw,
# CLOCK=+10y, -10y or frozen moves the wall clock to and fro.

load ../lib/scenario

setup()
{
	scenario_begin
	"${CC:-cc}" -std=c17 -D_GNU_SOURCE -O2 -shared -fPIC -o clock.so \
	    "$BATS_TEST_DIRNAME/../fault/clock.c" -ldl
}

teardown()
{
	scenario_end
}

@test "four clients, prune and sweep, killed at random" {
	local seed=${SEED:-$RANDOM}
	echo "# SEED=$seed CLOCK=${CLOCK:-}" >&3
	TEST_TMP=${TEST_TMP:-$folder} "$BATS_TEST_DIRNAME/fleet.py" "$SHASH" \
	    clock.so "${KILLS:-150}" "$seed" >fleet.out 2>&1 ||
	    { tail -n 20 fleet.out; false; }
	sed -n '/ killed in /,$s/^/# /p' fleet.out >&3
}
