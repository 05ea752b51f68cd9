#!/usr/bin/env bats
# Goal: a disk image of 8 GiB comes back identical, holes as holes.
# Needs 30 GB of disk below TEST_TMP or /tmp.

load ../lib/scenario

setup()
{
	scenario_begin
}

teardown()
{
	scenario_end
}

@test "an 8 GiB image of an ext4 file system" {
	mkdir work
	truncate -s 8G work/disk.img
	mkfs.ext4 -q -d /usr/lib work/disk.img
	scenario_serve store
	scenario_register work 2>register.err
	key=$(shash backup --dir work)
	shash restore --dir work --dest copy
	cmp work/disk.img copy/disk.img
	[ "$(shash scan --dir copy)" = "$key" ]
	# No hole was filled; a block or two more are the file system's affair.
	source_kib=$(du -k work/disk.img | cut -f 1)
	copy_kib=$(du -k copy/disk.img | cut -f 1)
	echo "source $source_kib KiB, copy $copy_kib KiB"
	[ "$copy_kib" -le $((source_kib + source_kib / 50 + 64)) ]
	# One changed block costs about a chunk, not an image.
	before=$(du -sk --apparent-size store | cut -f 1)
	printf changed | dd of=work/disk.img bs=1 seek=4G conv=notrunc
	shash backup --dir work
	after=$(du -sk --apparent-size store | cut -f 1)
	echo "the change added $((after - before)) KiB"
	[ $((after - before)) -lt 4096 ]
	fsck.ext4 -fn copy/disk.img
}
