#!/usr/bin/env bats
# Goal: in one process, every place fails in every way: each error of the file
# system, half of what was to be moved, want of memory, a library's no; once
# and for ever.  PART=I/N runs a piece of each test; BUILD= says where the
# programs are, FAILING_COMMAND= one command alone.

load long

setup()
{
	long_begin
	lower='test_base_failing test_backend_failing test_object_failing
	    test_seal_failing test_proto_members test_server_answers'
	# shellcheck disable=SC2086 # they are several
	long_build $lower test_store_failing test_cli_failing
	long_clock
}

teardown()
{
	scenario_end
}

# every_way LEAST PROGRAM...: run them; so many faults fire
every_way()
{
	local least name
	least=$(one_in "$1")
	shift
	: >all
	for name; do
		FAILING_WAYS=1 FAILING_SEED=$seed \
		    FAILING_PART=${PART:-1/${ONE_IN:-1}} long_run "$name"
		grep '^# ' log >>all
	done
	[ -z "${PART:-}${FAILING_COMMAND#-server}" ] || least=1
	long_reached "$least" all 'faults fired'
}

@test "the lower layers" {
	# shellcheck disable=SC2086 # they are several
	every_way 2000 $lower
}

@test "every operation of a vault" {
	every_way 3500 test_store_failing
}

@test "every command" {
	export FAILING_COMMAND=${FAILING_COMMAND:--server}
	every_way 36000 test_cli_failing
}

# Each fault takes as long as 15 of the others.
@test "a server with its client" {
	[ "${ONE_IN:-1}" -eq 1 ] || PART=${PART:-1/${ONE_IN}0}
	FAILING_COMMAND=server every_way 5000 test_cli_failing
}
