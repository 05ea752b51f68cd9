#!/usr/bin/env bats
# Goal: kill -9 of client and server, 20 times in every phase, loses nothing
# that was acknowledged.  HITS= changes the number.

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

@test "kill -9 in every phase" {
	python3 "$BATS_TEST_DIRNAME/kills.py" "$SHASH" "$folder" \
	    "${HITS:-$(one_in 20)}" "$seed" >kills.out 2>&1 ||
	    { cat kills.out; false; }
	long_reached "$((9 * ${HITS:-$(one_in 20)}))" kills.out kills
	tail -n 1 kills.out
}
