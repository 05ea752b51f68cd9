#!/usr/bin/env bats
# Goal: power cuts (100,000 of them in 28,000 histories) and 100,000 schedules.
# COUNT= changes the number; BUILD= says where the programs are.

load long

setup()
{
	long_begin
	long_build test_store_sweep_crash test_store_sweep_turns \
	    test_server_disk test_cli_disk test_store_replays
	long_clock
	export SEED=$seed
}

teardown()
{
	scenario_end
}

# drawn PROGRAM HISTORIES LEAST WHAT: with so many histories, which come to at
# least so much
drawn()
{
	local least
	least=$(one_in "$3")
	[ -z "${COUNT:-}" ] || least=1
	COUNT=${COUNT:-$(one_in "$2")} long_run "$1"
	grep '^# CLOCK' log >&3 || true
	long_reached "$least" log "$4"
}

@test "power cuts and kills at random steps of random histories" {
	drawn test_store_sweep_crash 28000 100000 states
}

@test "schedules of two clients, a sweep, a prune and a scrub" {
	drawn test_store_sweep_turns 100000 100000 schedules
}

@test "power cuts of a whole store, file by file" {
	drawn test_server_disk 5000 20000 states
}

@test "power cuts, kills and interrupts of clients" {
	drawn test_cli_disk 3000 9000 states
	long_reached 30 log 'registrations that died'
}

@test "the moments at which others lost backups" {
	long_run test_store_replays
	long_say "$(grep -c '^\[       OK' log) replays"
}

# From one seed comes one history, whatever the wall clock says.
@test "no wall clock changes a history" {
	local name count clock
	while read -r name count; do
		CLOCK='' COUNT=$(one_in "$count") long_run "$name"
		grep from log >right
		for clock in +10y -10y frozen; do
			CLOCK=$clock COUNT=$(one_in "$count") long_run "$name"
			grep from log >off
			diff right off
			long_say "$name: $(grep '^# CLOCK' log)"
		done
	done <<-'END'
	test_store_sweep_crash 1000
	test_store_sweep_turns 1000
	test_server_disk 300
	END
}
