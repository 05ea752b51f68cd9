#!/usr/bin/env bats
# Goal: kill -9 of client and server, 20 times in every phase, loses nothing
# that was acknowledged.  HITS= and SEED= change the number and the draw.

load ../lib/scenario

setup()
{
	scenario_begin
}

teardown()
{
	scenario_end
}

@test "kill -9 in every phase" {
	local seed=${SEED:-$RANDOM}
	echo "# SEED=$seed" >&3
	python3 "$BATS_TEST_DIRNAME/kills.py" "$SHASH" "$folder" \
	    "${HITS:-20}" "$seed" >kills.out 2>&1 || { cat kills.out; false; }
	sed 's/^/# /' kills.out >&3
}
