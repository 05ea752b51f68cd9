#!/usr/bin/env bats
# Goal: as tests/cli/34-cuts.bats, at 2,000 bytes.  COUNT= changes the number.

load long

setup()
{
	long_begin
	long_clock
}

teardown()
{
	scenario_end
}

@test "register, backup and restore, disturbed at any byte" {
	local count=${COUNT:-$(one_in 2000)}
	mkdir rounds
	"$tests_lib/cuts.py" "$SHASH" "$folder/rounds" "$count" \
	    "$seed" >cuts.out 2>&1 || { tail -20 cuts.out; false; }
	long_reached "$count" cuts.out disturbances
}
