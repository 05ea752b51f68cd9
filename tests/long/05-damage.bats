#!/usr/bin/env bats
# Goal: every byte of three small stores flipped, and files of them damaged as
# a whole, in full numbers.  COUNT= changes the number of damaged files; FLIPS=
# draws so many bytes instead of all, and PARTS=, PART= take each PARTSth from
# PART on.  TMPDIR in memory spares the disk.

load long

setup()
{
	long_begin
	long_build test_cli_damage
	long_clock
	export SEED=$seed OUTCOMES=1
	# There are six times as many bytes as are to be flipped at least.
	flips=150000
	[ "${ONE_IN:-1}" -eq 1 ] || FLIPS=${FLIPS:-$(one_in "$flips")}
}

teardown()
{
	scenario_end
}

@test "every byte another one" {
	if [ -n "${FLIPS:-}" ]; then
		export COUNT=$FLIPS
		flips=$FLIPS
	else
		export PARTS=${PARTS:-1} PART=${PART:-0}
		flips=$((flips / PARTS))
	fi
	FILES=0 long_run test_cli_damage
	long_reached "$flips" log flips
	grep -E '^# [a-z]+: (verify|restore)' log
}

@test "files damaged as a whole" {
	local files=${COUNT:-$(one_in 20000)}
	COUNT=0 FILES=$files long_run test_cli_damage
	long_reached "$files" log 'damaged files'
}
