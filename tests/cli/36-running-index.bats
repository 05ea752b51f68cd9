#!/usr/bin/env bats
# Goal: an index that the disk spoils while a server has it open costs a
# restart at most.  SPOIL_SEED= repeats a draw.

load ../lib/scenario

setup()
{
	scenario_begin
	spoil=$BATS_TEST_DIRNAME/../fault/spoil_index.py
}

teardown()
{
	scenario_end
}

@test "bytes, pages and files of an index, under its server" {
	local seed=${SPOIL_SEED:-1}
	echo "# SPOIL_SEED=$seed" >&3
	TEST_TMP=$folder "$spoil" "$SHASH" 10 "$seed" >out 2>&1 ||
	    { tail -20 out; false; }
	sed 's/^/# /' out >&3
}

@test "a pack that is lost meanwhile is noticed" {
	TEST_TMP=$folder run "$spoil" "$SHASH" 1 1 --lose
	[ "$status" -ne 0 ]
	[[ $output == *"lost: "* ]]
}
