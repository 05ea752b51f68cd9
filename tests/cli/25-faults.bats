#!/usr/bin/env bats
# Goal: whatever call fails, of memory, files, network or a library, success
# is success, a failure is said, nothing crashes and nothing is lost.
#
# FAULTS_POINTS says how many places of each command are tried (0: all), and
# FAULTS_SEED which; tests/fault/sweep.py says what holds at each.

load ../lib/scenario

setup()
{
	options=(-std=c17 -D_GNU_SOURCE -O1 -g -fno-builtin -shared -fPIC)

	scenario_begin
	fault=$BATS_TEST_DIRNAME/../fault
	points=4
	# A sanitizer has its own memory, and is slow.
	if nm "$SHASH" | grep -q __asan_init; then
		options+=(-DFAULTS_NO_MEMORY)
		points=2
	fi
	"${CC:-cc}" "${options[@]}" -o faults.so "$fault/faults.c" -ldl
}

teardown()
{
	scenario_end
}

# sweep COMMAND...: each fires at least one fault, or the sweep fails
sweep()
{
	local command options=(--points "${FAULTS_POINTS:-$points}"
		--seed "${FAULTS_SEED:-1}")
	for command; do
		TEST_TMP=$folder "$fault/sweep.py" "${options[@]}" \
		    --command "$command" "$SHASH" faults.so >sweep.out ||
		    { cat sweep.out; return 1; }
		tail -n 1 sweep.out | sed "s/^/# $command: /" >&3
	done
}

@test "a call fails in a backup" {
	sweep backup backup-same backup-http
}

@test "a call fails in a restore" {
	sweep restore restore-http restore-part restore-force
}

@test "a call fails in a registration" {
	sweep register register-http
}

@test "a call fails in a server" {
	sweep server
}

@test "a call fails in what only reads" {
	sweep scan snapshots status status-store key verify reindex
}

@test "a call fails in what keeps a store" {
	sweep invite keep prune unprune sweep
}

@test "a program that takes a failure for success is caught" {
	"${CC:-cc}" "${options[@]}" -DFAULTS_LIE -o liar.so \
	    "$fault/faults.c" -ldl
	TEST_TMP=$folder run "$fault/sweep.py" --points 60 --command backup \
	    --until 'success with , not ' --seed "${FAULTS_SEED:-1}" \
	    "$SHASH" liar.so
	echo "$output"
	[ "$status" -ne 0 ]
	[[ $output == *'success with , not '* ]]
}
