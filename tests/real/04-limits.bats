#!/usr/bin/env bats
# Goal: what is at the limit of a file system comes back: a million entries in
# one directory, a sparse file of 64 GiB.  Needs 10 GB of disk below TEST_TMP or
# /tmp.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir work
	scenario_serve store
	scenario_register work 2>register.err
}

teardown()
{
	scenario_end
}

@test "10^6 entries in one directory" {
	# Of every kind that is cheap, in no order.
	python3 - <<-'END'
	import os
	os.mkdir("work/many")
	os.chdir("work/many")
	for i in range(1000000):
	    name = "%06d" % (i * 617 % 1000000)
	    if i % 10 == 3:
	        os.symlink(name, name)
	    elif i % 1000 == 7:
	        os.mkdir(name)
	    else:
	        f = os.open(name, os.O_WRONLY | os.O_CREAT, 0o640)
	        if i % 10 == 5:
	            os.write(f, name.encode())
	        os.close(f)
	END
	exits 0 shash backup --dir work
	key=$(cat out)
	exits 0 shash restore --dir work --dest copy
	scenario_same work copy
	[ "$(shash scan --dir copy)" = "$key" ]
	# One path of it, by a glob.
	exits 0 shash restore --dir work --dest some 'many/12345[0-3]'
	[ "$(find some/many -mindepth 1 | wc -l)" -eq 4 ]
}

@test "a sparse file of 64 GiB" {
	truncate -s 64G work/sparse
	for at in 0 7 4095 30000 65535; do
		dd if=/dev/urandom of=work/sparse bs=1M count=1 seek="$at" \
		    conv=notrunc status=none
	done
	# And one whose end is a hole.
	truncate -s 64G work/end
	printf x | dd of=work/end bs=1 seek=3G conv=notrunc status=none
	exits 0 shash backup --dir work
	[ "$(cat out)" = "$(shash scan --dir work)" ]
	[ "$(scenario_store_bytes store)" -lt 8000000 ]
	exits 0 shash restore --dir work --dest copy
	cmp work/sparse copy/sparse
	cmp work/end copy/end
	sync copy/sparse copy/end
	for file in sparse end; do
		# shellcheck disable=SC2016 # awk's
		for tree in work copy; do
			filefrag -v -b1024 "$tree/$file" | tr ':.' '  ' |
			    awk '$1 ~ /^[0-9]+$/ { print $2, $3 }' >"$tree.at"
		done
		diff work.at copy.at
	done
}
