#!/usr/bin/env bats
# Goal: as tests/cli/20-second-implementation.bats, with 50 random stores.
# COUNT= changes the number.

load long

setup()
{
	long_begin
	scenario_root
	long_clock
}

teardown()
{
	scenario_end
}

@test "random stores, restored by docs/format.md alone" {
	local count=${COUNT:-$(one_in 50)}
	COUNT=$count SEED=$seed TEST_TMP=$folder bats --tap -f 'random stores' \
	    "$BATS_TEST_DIRNAME/../cli/20-second-implementation.bats" \
	    >log 2>&1 3>&- || { cat log; false; }
	[ "$(grep -c '^# seed' log)" -eq "$count" ]
	long_say "$count random stores, restored byte for byte"
}
