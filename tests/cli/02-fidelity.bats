#!/usr/bin/env bats
# Goal: whatever a directory holds comes back, under the key that b3sum and
# docs/format.md alone lead to.

load ../lib/scenario

setup()
{
	scenario_begin
	"$tests_lib/tree.py" work
	scenario_serve store
	scenario_register work 2>register.err
}

teardown()
{
	scenario_end
}

# extents FILE: how many stretches of data there are
extents()
{
	python3 - "$1" <<-'END'
	import os, sys
	f = os.open(sys.argv[1], os.O_RDONLY)
	at, n, end = 0, 0, os.fstat(f).st_size
	while at < end:
	    try:
	        at = os.lseek(f, at, os.SEEK_DATA)
	    except OSError:
	        break
	    hole = os.lseek(f, at, os.SEEK_HOLE)
	    print(at, hole)
	    at = hole
	END
}

@test "everything comes back as it was" {
	scenario_root
	[ "$(find work -type f | wc -l)" -gt 400 ]
	expected=$("$tests_lib/address.py" work)
	exits 0 shash backup --dir work
	[ "$(cat out)" = "$expected" ]
	[ "$(shash scan --dir work)" = "$expected" ]
	exits 0 shash restore --dir work --dest copy
	[ "$(wc -l <err)" -eq 1 ]
	scenario_same work copy
	[ "$(shash scan --dir copy)" = "$expected" ]
	[ "$("$tests_lib/address.py" copy)" = "$expected" ]
	[ "$(shash backup --dir work)" = "$expected" ]
	scenario_stop
	shash verify --store_dir store
}

@test "attributes and access lists, by their own tools" {
	scenario_root
	shash backup --dir work
	shash restore --dir work --dest copy
	for tree in work copy; do
		(cd "$tree" && getfattr -R -P -h -d -m - -e hex xattrs &&
		    getfacl -R -P -n -p xattrs) >"$tree.facts"
	done
	grep -q 'trusted.link' work.facts
	grep -q 'security.capability' work.facts
	grep -q 'user:12345:rw-' work.facts
	cmp work.facts copy.facts
}

@test "holes stay holes and zeros that take space stay that" {
	shash backup --dir work || [ $? -eq 3 ]
	shash restore --dir work --dest copy holes 'only a hole' \
	    'small hole' 'allocated zeros'
	for file in holes 'only a hole' 'small hole' 'allocated zeros'; do
		cmp "work/$file" "copy/$file"
		diff <(extents "work/$file") <(extents "copy/$file")
	done
	[ "$(stat -c %b copy/'only a hole')" -eq 0 ]
	[ "$(du -k copy/'allocated zeros' | cut -f 1)" -ge 2048 ]
	filefrag copy/'allocated zeros'
}

# places FILE: which bytes of it have a place on the disk, by filefrag, which
# sees what SEEK_DATA passes over: reserved and never written
places()
{
	filefrag -v -b1024 "$1" | tr -d ':.' | awk '
		$1 !~ /^[0-9]+$/ { next }
		$2 != end { if (NR > 1 && end) print from, end; from = $2 }
		{ end = $3 + 1 }
		END { print from, end }'
}

@test "space that was reserved and never written is not given back" {
	dd if=/dev/zero of=work/reserved bs=1M count=1 status=none
	fallocate -l 1M work/behind || skip 'no fallocate here'
	sync work/behind
	[ -n "$(filefrag -v work/behind | grep unwritten)" ]
	truncate -s 6M work/between work/edges
	# Not side by side on the disk: several extents, one stretch of data.
	fallocate -o 3M -l 256K work/between
	fallocate -o 2M -l 1M work/between
	head -c 300000 /dev/urandom |
	    dd of=work/between bs=1M seek=1 conv=notrunc status=none
	fallocate -l 1M work/edges
	fallocate -o 5M -l 1M work/edges
	# A small file with a hole in front of what is reserved.
	truncate -s 65536 work/tiny
	fallocate -o 32768 -l 32768 work/tiny
	sync
	shash backup --dir work || [ $? -eq 3 ]
	shash restore --dir work --dest copy reserved behind between edges tiny
	sync
	for file in reserved behind between edges tiny; do
		cmp "work/$file" "copy/$file"
		diff <(places "work/$file") <(places "copy/$file")
	done
}

@test "scan as another user, and of the copy" {
	shash backup --dir work || [ $? -eq 3 ]
	mkdir readable
	rsync -a --no-D --exclude=/.shamo --exclude=/modes work/ readable/
	chmod -R a+rX readable
	key=$(shash scan --dir readable)
	[ "$key" = "$("$tests_lib/address.py" readable)" ]
	[ "$(scenario_nobody shash scan --dir readable)" = "$key" ]
	cp -a readable other
	[ "$(shash scan --dir other)" = "$key" ]
}

@test "a user restores what users may, says the rest in a line" {
	scenario_root
	shash backup --dir work
	scenario_nobody true
	cp -a config/. nobody/
	cp -a work/.shamo nobody/state
	chown -R 65534 nobody
	exits 0 scenario_nobody shash restore --dir work \
	    --state_dir nobody/state --dest nobody/copy
	[ "$(grep -Eci 'owner|privilege' err)" -eq 1 ]
	[ "$(wc -l <err)" -le 2 ]
	rsync -rlHni --specials --checksum --delete --times --modify-window=-1 \
	    --exclude=/.shamo --exclude=/devices work/ nobody/copy/ >differs
	cat differs
	[ ! -s differs ]
	# What belongs to somebody else must not run as that one's double.
	[ ! -u nobody/copy/owners/setuid ]
	[ "$(find nobody/copy -not -user 65534 | wc -l)" -eq 0 ]
	[ "$(getfattr -n user.comment --only-values nobody/copy/xattrs)" = \
	    'said of a directory' ]
}

@test "a user's own backup comes back to that user" {
	scenario_nobody true
	rsync -aHXA --no-D --filter='-x! user.*' --exclude=/.shamo \
	    --exclude=/owners --exclude=/devices work/ nobody/work/
	[ "$EUID" -ne 0 ] || chown -hR 65534:65534 nobody/work
	invitation=$(shash invite --store_dir store)
	scenario_nobody shash register --dir nobody/work --url "$url" \
	    --invitation "$invitation" --label mine
	exits 3 scenario_nobody shash backup --dir nobody/work
	says 'modes/0'
	[ "$(grep -c modes/ err)" -eq 1 ]
	chmod 600 nobody/work/modes/0
	exits 0 scenario_nobody shash backup --dir nobody/work
	[ "$(cat out)" = "$("$tests_lib/address.py" nobody/work)" ]
	exits 0 scenario_nobody shash restore --dir nobody/work \
	    --dest nobody/copy
	scenario_same nobody/work nobody/copy
}

@test "an empty directory is a snapshot too" {
	mkdir nothing
	scenario_register nothing
	exits 0 shash backup --dir nothing
	[ "$(cat out)" = "$("$tests_lib/address.py" nothing)" ]
	exits 0 shash restore --dir nothing --dest copy
	[ -z "$(ls -A copy)" ]
	scenario_same nothing copy
}

@test "directories of many entries" {
	mkdir many
	python3 - <<-'END'
	for i in range(12000):
	    with open(f"many/a file with number {i}", "w") as f:
	        if i % 3:
	            f.write(f"{i}\n" * (i % 50))
	END
	scenario_register many
	exits 0 shash backup --dir many
	[ "$(cat out)" = "$("$tests_lib/address.py" many)" ]
	exits 0 shash restore --dir many --dest copy
	scenario_same many copy
}
