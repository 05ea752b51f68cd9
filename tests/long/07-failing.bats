#!/usr/bin/env bats
# Goal: in one process, every place fails in every way: each error of the file
# system, half of what was to be moved, want of memory, a library's no; once
# and for ever.  PART=I/N runs a piece of each test; BUILD= says where the
# programs are, FAILING_COMMAND= one command alone.

load ../lib/scenario

setup()
{
	scenario_begin
	repo=$BATS_TEST_DIRNAME/../..
	programs=${BUILD:-build}/tests/unit
}

teardown()
{
	scenario_end
}

# every_way PROGRAM...: run them, and print how many faults fired
every_way()
{
	local name
	for name; do
		make -s -C "$repo" "$programs/$name"
		FAILING_WAYS=1 FAILING_PART=${PART:-1/1} \
		    "$repo/$programs/$name" >log 2>err ||
		    { tail -50 log; tail -50 err; return 1; }
		grep '^# ' log >&3
	done
}

@test "the lower layers" {
	every_way test_base_failing test_backend_failing test_object_failing \
	    test_seal_failing test_proto_members test_server_answers
}

@test "every operation of a vault" {
	every_way test_store_failing
}

@test "every command, and a server with its client" {
	every_way test_cli_failing
}
