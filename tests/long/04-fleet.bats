#!/usr/bin/env bats
# Goal: four clients of two vaults back up and restore while prune and sweep
# are at work, and the server and they are killed, 150 times: no wrong byte, and
# nothing is lost.  KILLS= changes the number.

load long

setup()
{
	long_begin
	long_library
}

teardown()
{
	scenario_end
}

@test "four clients, prune and sweep, killed at random" {
	TEST_TMP=${TEST_TMP:-$folder} "$BATS_TEST_DIRNAME/fleet.py" "$SHASH" \
	    "$clock" "${KILLS:-$(one_in 150)}" "$seed" >fleet.out 2>&1 ||
	    { tail -n 20 fleet.out; false; }
	sed -n '/ killed in /,$s/^/# /p' fleet.out >&3
}
