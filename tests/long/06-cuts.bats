#!/usr/bin/env bats
# Goal: as tests/cli/34-cuts.bats, at 2,000 bytes.  COUNT= and SEED= change the
# number and the draw.

load ../lib/scenario

setup()
{
	scenario_begin
}

teardown()
{
	scenario_end
}

@test "register, backup and restore, disturbed at any byte" {
	local seed=${SEED:-$RANDOM}
	echo "# SEED=$seed" >&3
	mkdir rounds
	"$tests_lib/cuts.py" "$SHASH" "$folder/rounds" "${COUNT:-2000}" \
	    "$seed" >cuts.out 2>&1 || { tail -20 cuts.out; false; }
	sed 's/^/# /' cuts.out >&3
}
