#!/usr/bin/env bats
# Goal: every byte of three small stores flipped, and files of them damaged as
# a whole, in full numbers; and a client's stat cache.  SEED= changes the
# draw, COUNT= the number of damaged files; FLIPS= draws so many bytes instead
# of all, and PARTS=, PART= take each PARTSth from PART on.  TMPDIR in memory
# spares the disk.

load ../lib/scenario

setup()
{
	scenario_begin
	programs=$BATS_TEST_DIRNAME/../../${BUILD:-build}/tests/unit
	make -s -C "$BATS_TEST_DIRNAME/../.." \
	    "${BUILD:-build}/tests/unit/test_cli_damage" \
	    "${BUILD:-build}/tests/unit/test_cli_cache"
}

teardown()
{
	scenario_end
}

@test "every byte another one, and files damaged as a whole" {
	export SEED=${SEED:-$RANDOM}
	echo "# SEED=$SEED" >&3
	if [ -n "${FLIPS:-}" ]; then
		export COUNT=$FLIPS FILES=${COUNT:-20000}
	else
		export PARTS=${PARTS:-1} PART=${PART:-0}
		export FILES=${COUNT:-20000}
	fi
	OUTCOMES=1 "$programs/test_cli_damage" >log 2>err ||
	    { tail -50 log; tail -50 err; false; }
	grep -E '^# ([0-9]|[a-z]+: (verify|restore))' log >&3
}

@test "a stat cache whose bytes, pages and files are spoilt" {
	local i from=${SEED:-$RANDOM}
	# A store of few snapshots each time: with many it is slow.
	for ((i = 0; i < ${ROUNDS:-30}; i++)); do
		SEED=$((from + i)) COUNT=20 "$programs/test_cli_cache" \
		    >log 2>err ||
		    { echo "SEED=$((from + i))"; tail -50 log err; false; }
	done
}

@test "an index that is spoilt under its server" {
	local seed=${SEED:-$RANDOM}
	echo "# SEED=$seed" >&3
	TEST_TMP=$folder "$BATS_TEST_DIRNAME/../fault/spoil_index.py" \
	    "$SHASH" "${COUNT:-400}" "$seed" >log 2>&1 ||
	    { tail -50 log; false; }
	tail -1 log | sed 's/^/# /' >&3
}
