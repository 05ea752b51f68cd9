#!/usr/bin/env bats
# Goal: as tests/cli/27-full-disk-sizes.bats, for 256 sizes of the disk.

load ../lib/scenario

setup()
{
	scenario_begin
	scenario_root
}

teardown()
{
	scenario_end
}

@test "disks of 256 sizes" {
	run unshare --mount bash "$tests_lib/full_disk.sh" 200 36 256 3>&-
	echo "$output"
	[ "$status" -eq 0 ]
	echo "# ${lines[-1]}" >&3
}

@test "disks on which 24 to 151 files can be made" {
	run unshare --mount bash "$tests_lib/full_disk.sh" 24 1 128 inodes 3>&-
	echo "$output"
	[ "$status" -eq 0 ]
	echo "# ${lines[-1]}" >&3
}
