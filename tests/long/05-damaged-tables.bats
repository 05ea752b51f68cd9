#!/usr/bin/env bats
# Goal: a client's stat cache, and an index under its server, are damaged in
# full numbers.  ROUNDS= and COUNT= change those.

load long

setup()
{
	long_begin
	long_build test_cli_cache
	long_clock
}

teardown()
{
	scenario_end
}

@test "a stat cache whose bytes, pages and files are spoilt" {
	local i rounds=${ROUNDS:-$(one_in 30)}
	# A store of few snapshots each time: with many it is slow.
	for ((i = 0; i < rounds; i++)); do
		SEED=$((seed + i)) COUNT=20 long_run test_cli_cache ||
		    { echo "SEED=$((seed + i))"; false; }
	done
	long_say "$rounds times 40 damages of a stat cache"
}

@test "an index that is spoilt under its server" {
	local trials=${COUNT:-$(one_in 400)}
	TEST_TMP=$folder "$BATS_TEST_DIRNAME/../fault/spoil_index.py" \
	    "$SHASH" "$trials" "$seed" >log 2>&1 || { tail -50 log; false; }
	long_reached "$trials" log trials
}
