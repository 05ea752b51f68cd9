#!/usr/bin/env bats
# Goal: as tests/cli/27-full-disk-sizes.bats, for 256 sizes of the disk.

load long

setup()
{
	long_begin
	scenario_root
	long_clock
}

teardown()
{
	scenario_end
}

# sizes COUNT FROM TO [OPTION]: so many from, and below, so much
sizes()
{
	local count
	count=$(one_in "$1")
	unshare --mount bash "$tests_lib/full_disk.sh" "$2" \
	    $((($3 - $2) / count)) "$count" "${@:4}" >disks.out 2>&1 3>&- ||
	    { cat disks.out; false; }
	long_reached "$count" disks.out rounds
}

@test "disks of 256 sizes" {
	sizes 256 200 9416
}

@test "disks on which 24 to 151 files can be made" {
	sizes 128 24 152 inodes
}
