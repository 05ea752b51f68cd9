#!/usr/bin/env bats
# Goal: a server finds damage by itself; what a client still has comes back
# with its next backup, changed or not, and what nobody has is named; and
# nothing that looks for damage ever deletes, or touches a healthy store.

load ../lib/scenario

setup()
{
	scenario_begin
}

teardown()
{
	scenario_stop 2>/dev/null || true
	scenario_end
}

# two_snapshots: of ./work, labelled desk, and ./other; the first has a file
# that is nowhere any more
two_snapshots()
{
	mkdir -p work/sub other
	head -c 3000000 /dev/urandom >work/large
	head -c 700000 /dev/urandom >work/sub/gone
	seq 1 20000 >work/sub/numbers
	head -c 300000 /dev/urandom >other/file
	scenario_serve store
	scenario_register work --label desk
	shash backup --dir work 2>/dev/null
	[ "${1:-}" = kept ] || rm work/sub/gone
	shash backup --dir work 2>/dev/null
	scenario_register other --label shelf
	shash backup --dir other 2>/dev/null
}

# packs N: the packs of contents (N 1) or of trees (N 2), from this mount
packs()
{
	local pack
	for pack in store/vaults/*/packs/*/*.pack; do
		[ "$(od -An -tu1 -j4 -N1 "$pack" | tr -d ' ')" -ne "$1" ] ||
		    echo "$pack"
	done
}

# spoil FILE: flip a bit every 3,000 bytes, but none in its footer
spoil()
{
	python3 - "$1" <<-'END'
	import os, sys
	with open(sys.argv[1], "r+b") as f:
	    for at in range(60, os.path.getsize(sys.argv[1]) - 9000, 3000):
	        b = os.pread(f.fileno(), 1, at)[0]
	        os.pwrite(f.fileno(), bytes([b ^ 4]), at)
	END
}

# The largest pack of contents is of the first backup.
first_pack()
{
	packs 1 | xargs ls -S | head -1
}

read_through()
{
	grep -q 'scrub: .* is read through' store.log
}

# scrub_now: start the server where it was; wait until it has read all
scrub_now()
{
	: >store.log
	scenario_serve_at store "$port" --scrub_now
	scenario_wait read_through
}

# logged REGEX: the server's log has a line of the scrub that matches
logged()
{
	grep -Eq "scrub: .*$1" store.log
}

# state: every file of the vaults but what a look may add
state()
{
	find store/vaults -type f ! -name 'damage.*' ! -name 'generation.*' \
	    -print0 | sort -z | xargs -0 sha256sum
}

@test "a running server finds damage, the next backup heals it" {
	two_snapshots kept
	scenario_stop
	spoil "$(first_pack)"
	state >before
	# It is not waited for: a restore may be the first one to meet it.
	scrub_now
	logged '/packs/../[0-9a-f]{64}.pack: the record at [0-9]+ is damaged'
	logged 'desk \([0-9a-f]{32}\): 2 snapshots, up to @2, lack something'
	! grep -q 'scrub: shelf' store.log || false
	find store/vaults -name 'damage.*' | grep -q .
	# No pack went, none was rewritten.
	state | diff before -
	facts_before=$(stat -c '%n %z %y %i' work work/large work/sub \
	    work/sub/*)
	shash backup --dir work 2>/dev/null
	[ "$facts_before" = "$(stat -c '%n %z %y %i' work work/large work/sub \
	    work/sub/*)" ]
	# All of it was sent again.
	size=$(stat -c %s "$(first_pack)")
	sent=$(($(scenario_store_bytes store) - $(awk '{ print $2 }' before |
	    xargs cat | wc -c)))
	[ "$sent" -gt $((size * 9 / 10)) ]
	for n in 1 2 3; do
		shash restore --dir work --udk @$n --dest copy.$n 2>/dev/null
	done
	scenario_same work copy.3
	cmp work/sub/gone copy.1/sub/gone
	shash verify --store_dir store
	scenario_stop
	# A second round says nothing any more.
	scrub_now
	logged 'read through: [0-9]+ packs, 0 findings'
	! grep -q 'lack' store.log || false
}

@test "what cannot be healed is named: directory, snapshot, path" {
	two_snapshots
	scenario_stop
	spoil "$(first_pack)"
	scrub_now
	shash backup --dir work 2>/dev/null
	scenario_stop
	scrub_now
	# The first snapshot alone had the file that is gone.
	logged 'desk \([0-9a-f]{32}\): 1 snapshot, up to @1, lacks something'
	exits 13 shash verify --store_dir store
	grep -Eq '/snapshots/[0-9a-f]{32}/0000000001.snap: needs' out
	! grep -Eq '/snapshots/[0-9a-f]{32}/000000000[23].snap' out || false
	exits 13 shash restore --dir work --udk @1 --dest first
	says 'sub/gone'
	! grep -q 'sub/numbers' err || false
	cmp work/sub/numbers first/sub/numbers
	for n in 2 3; do
		shash restore --dir work --udk @$n --dest "copy.$n" 2>/dev/null
		scenario_same work "copy.$n"
	done
}

@test "a snapshot whose file is damaged is named by the scrub" {
	two_snapshots
	scenario_stop
	snapshot=$(find store -name 0000000001.snap | xargs ls -S | head -1)
	truncate -s -1 "$snapshot"
	scrub_now
	grep -q "scrub: ${snapshot#store/}: is damaged" store.log
	grep -Eq 'read through: [0-9]+ packs, 1 findings' store.log
}

@test "verify, reindex, sweep and scrub leave a healthy store as it is" {
	two_snapshots
	scenario_stop
	# Stamps of arrival (format.md 9.3) come by themselves.
	all()
	{
		find store/vaults -type f ! -path '*/times/*' -print0 |
		    sort -z | xargs -0 sha256sum
	}
	all >before
	shash verify --store_dir store
	shash sweep --store_dir store
	scrub_now
	shash verify --store_dir store
	scenario_stop
	all | diff before -
	# A new index knows nothing of what may be lost: clients ask anew.
	shash reindex --store_dir store
	all | diff before - | grep '^[<>]' >changes || true
	[ "$(wc -l <changes)" -eq 1 ]
	grep -q '^> .*/state/generation.0000000002$' changes
}

@test "no repair deletes: damage of every kind, then verify, reindex, scrub" {
	two_snapshots
	scenario_stop
	spoil "$(first_pack)"
	spoil "$(packs 2 | xargs ls -S | head -1)"
	truncate -s -1 "$(packs 1 | xargs ls -S | tail -1)"
	truncate -s -1 "$(find store -name 0000000002.snap)"
	rm -r store/index
	state >before
	exits 13 shash verify --store_dir store
	shash reindex --store_dir store
	exits 13 shash verify --store_dir store
	exits 13 shash sweep --store_dir store
	scrub_now
	scenario_stop
	diff <(grep -v /times/ before) <(state | grep -v /times/)
}

@test "an older copy of the store in its place: the client says so" {
	mkdir work
	echo one >work/file
	shash register --dir work --url "file://$folder/store" \
	    --recovery-file recovery 2>/dev/null
	shash backup --dir work 2>/dev/null
	cp -a store older
	exits 0 shash snapshots --dir work
	! grep -q 'does not show' err || false
	echo two >work/file
	shash backup --dir work 2>/dev/null
	mv store newer
	mv older store
	exits 0 shash snapshots --dir work
	says 'does not show snapshot number 2 .* rolled back to an older copy'
	# The next backup makes it whole, and then nothing is missing.
	exits 0 shash backup --dir work
	says 'does not show snapshot number 2'
	exits 0 shash snapshots --dir work
	! grep -q 'does not show' err || false
	shash restore --dir work --dest copy 2>/dev/null
	scenario_same work copy
}
