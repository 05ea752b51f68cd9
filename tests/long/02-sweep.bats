#!/usr/bin/env bats
# Goal: power cuts (100,000 of them in 27,500 histories) and 100,000 schedules.
# COUNT= and SEED= change the number and the draw; BUILD= says where the
# programs are.

load ../lib/scenario

setup()
{
	scenario_begin
	programs=$BATS_TEST_DIRNAME/../../${BUILD:-build}/tests/unit
	make -s -C "$BATS_TEST_DIRNAME/../.." \
	    "${BUILD:-build}/tests/unit/test_store_sweep_crash" \
	    "${BUILD:-build}/tests/unit/test_store_sweep_turns" \
	    "${BUILD:-build}/tests/unit/test_server_disk" \
	    "${BUILD:-build}/tests/unit/test_cli_disk"
}

teardown()
{
	scenario_end
}

@test "power cuts and kills at random steps of random histories" {
	SEED=${SEED:-$RANDOM} COUNT=${COUNT:-27500} \
	    "$programs/test_store_sweep_crash" >log 2>err ||
	    { cat log; tail -50 err; false; }
	grep states log | sed 's/^/# /' >&3
}

@test "schedules of two clients, a sweep, a prune and a scrub" {
	SEED=${SEED:-$RANDOM} COUNT=${COUNT:-100000} \
	    "$programs/test_store_sweep_turns" >log 2>err ||
	    { cat log; tail -50 err; false; }
	grep schedules log | sed 's/^/# /' >&3
}

@test "power cuts of a whole store, file by file" {
	SEED=${SEED:-$RANDOM} COUNT=${COUNT:-5000} \
	    "$programs/test_server_disk" >log 2>err ||
	    { cat log; tail -50 err; false; }
	grep states log | sed 's/^/# /' >&3
}

@test "power cuts, kills and interrupts of clients" {
	SEED=${SEED:-$RANDOM} COUNT=${COUNT:-3000} \
	    "$programs/test_cli_disk" >log 2>err ||
	    { cat log; tail -50 err; false; }
	grep -E 'states|that died' log | sed 's/^/# /' >&3
}
