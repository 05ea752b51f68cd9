#!/usr/bin/env bats
# Goal: a connection that is cut, held or repeated at any byte of any command
# costs a repetition at most.  CUTS_SEED= repeats a draw.

load ../lib/scenario

setup()
{
	scenario_begin
}

teardown()
{
	scenario_end
}

@test "register, backup and restore, disturbed at 100 bytes" {
	local seed=${CUTS_SEED:-1}
	echo "# CUTS_SEED=$seed" >&3
	mkdir rounds
	"$tests_lib/cuts.py" "$SHASH" "$folder/rounds" 100 "$seed" \
	    >cuts.out 2>&1 || { tail -20 cuts.out; false; }
	sed 's/^/# /' cuts.out >&3
}
