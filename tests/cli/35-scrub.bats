#!/usr/bin/env bats
# Goal: a server finds damage by itself; what a client still has comes back
# with its next backup, changed or not, and what nobody has is named; a pack
# whose frame alone is damaged is made good without anybody; and nothing that
# looks for damage ever deletes, or touches a healthy store.

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

# tear PACK [HOW]: damage its frame (K: the Kth way) and none of its records
tear()
{
	python3 - "$1" "${2:-0}" <<-'END'
	import os, struct, sys
	path, how = sys.argv[1], int(sys.argv[2])
	size = os.path.getsize(path)
	with open(path, "r+b") as f:
	    def flip(at):
	        b = os.pread(f.fileno(), 1, at)[0]
	        os.pwrite(f.fileno(), bytes([b ^ 8]), at)
	    footer = struct.unpack("<Q", os.pread(f.fileno(), 8, size - 16))[0]
	    [lambda: flip(size - 1), lambda: flip(footer + 60),
	     lambda: flip(30), lambda: flip(0), lambda: f.truncate(footer),
	     lambda: f.truncate(size + 100), lambda: f.truncate(size - 1),
	     lambda: os.pwrite(f.fileno(), bytes(size - footer), footer)
	    ][how % 8]()
	END
}

# unchanged: nothing that is in ./before went or became something else
unchanged()
{
	[ -z "$(comm -23 <(sort before) <(state | sort))" ]
}

moved='lies in other packs: a sweep removes it once no snapshot lacks anything'

@test "a running server finds damage, the next backup heals it" {
	two_snapshots kept
	scenario_stop
	spoil "$(first_pack)"
	state >before
	# No directory of the first two is in the third as it was.
	mkdir work/sub/new
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

@test "a pack goes while its server runs: verify tells, a backup heals" {
	two_snapshots kept
	mkdir work/sub/new
	rm "$(first_pack)"
	exits 13 shash verify --store_dir store
	grep -q 'is gone, the index knows it' out
	! grep -q 'objects, of which' out || false
	# Whom it concerns, at once.
	[ "$(grep -c 'needs objects that are not here' out)" -eq 2 ]
	shash backup --dir work 2>/dev/null
	shash verify --store_dir store
	for n in 1 2 3; do
		shash restore --dir work --udk @$n --dest copy.$n 2>/dev/null
	done
	scenario_same work copy.3
	cmp work/sub/gone copy.1/sub/gone
}

@test "a server that starts without a pack, or the newest snapshot, says so" {
	two_snapshots kept
	scenario_stop
	rm "$(first_pack)"
	scenario_serve_at store "$port"
	shash snapshots --dir work
	grep -q 'vault [0-9a-f]*: 1 pack is gone, .*back up its dir' store.log
	shash backup --dir work 2>/dev/null
	scenario_stop
	: >store.log
	rm "$(find store/vaults -name 0000000003.snap)"
	scenario_serve_at store "$port"
	shash snapshots --dir work
	grep -q 'the newest snapshots of a directory are gone' store.log
	! grep 'pack is gone' store.log || false
}

@test "a snapshot whose file is damaged is named by the scrub" {
	two_snapshots
	scenario_stop
	snapshot=$(find store -name 0000000001.snap | xargs ls -S | head -1)
	truncate -s -1 "$snapshot"
	scrub_now
	grep -q "scrub: ${snapshot#store/}: is damaged" store.log
	grep -Eq 'read through: [0-9]+ packs, 1 findings' store.log
	# What follows from it, and what to do.
	exits 13 shash verify --store_dir store
	[ "$(grep -c 'only shash sweep --give_up_lost frees space' out)" -eq 1 ]
	exits 13 shash sweep --store_dir store
	says 'put it back from a copy; --give_up_lost sweeps without'
	exits 0 shash status --store_dir store
	grep -q 'damaged, so no space is freed: run shash verify' out
}

@test "verify, reindex, sweep and scrub leave a healthy store as it is" {
	two_snapshots
	scenario_stop
	# Stamps of arrival (format.md 9.3) come by themselves.  A file that is
	# written anew with the same bytes is another one.
	all()
	{
		find store/vaults -type f ! -path '*/times/*' \
		    -printf '%p %i %T@ %m\n' | sort
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
	[ "$(wc -l <changes)" -eq 2 ]
	[ "$(grep -c '^> .*/state/generation.0000000002\( \|$\)' changes)" \
	    -eq 2 ]
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
	# What was whole of the packs with damaged frames was copied.
	grep -v /times/ before >packs
	mv packs before
	unchanged
}

@test "packs with damaged frames: contents move, a sweep removes the packs" {
	two_snapshots kept
	scenario_stop
	for turn in 0 1; do
		find store/vaults -name '*.pack' | sort >packs
		n=$((turn * 4))
		while read -r pack; do
			tear "$pack" $((n++))
		done <packs
		state >before
		# In the second turn the index knows only what is left.
		[ "$turn" = 0 ] || shash reindex --store_dir store
		[ "$turn" = 0 ] || state >before
		exits 13 shash verify --store_dir store
		[ "$(grep -c "$moved" out)" -eq "$(wc -l <packs)" ]
		[ "$(grep -c . out)" -eq "$(wc -l <packs)" ]
		unchanged
		# Once is enough.
		bytes=$(scenario_store_bytes store)
		exits 13 shash verify --store_dir store
		[ "$(scenario_store_bytes store)" = "$bytes" ]
		exits 0 shash sweep --store_dir store
		while read -r pack; do
			[ ! -e "$pack" ]
		done <packs
		exits 0 shash verify --store_dir store
	done
	find store/vaults -name 'damage.*' | (! grep .)
	scenario_serve_at store "$port"
	for n in 1 2; do
		shash restore --dir work --udk @$n --dest copy.$n 2>/dev/null
		scenario_same work copy.$n
	done
	shash restore --dir other --dest copy.other 2>/dev/null
	scenario_same other copy.other
}

@test "a running server mends a damaged frame, beside its clients" {
	two_snapshots kept
	scenario_stop
	pack=$(first_pack)
	tear "$pack" 1
	state >before
	scrub_now
	logged "/packs/../[0-9a-f]{64}.pack: .*$moved"
	! grep -q 'lack something' store.log || false
	unchanged
	shash backup --dir work 2>/dev/null
	shash sweep --store_dir store
	[ ! -e "$pack" ]
	shash verify --store_dir store
	shash restore --dir work --udk @1 --dest copy 2>/dev/null
	scenario_same work copy
}

@test "frame and records damaged: the pack stays until nothing is missed" {
	two_snapshots
	scenario_stop
	pack=$(first_pack)
	spoil "$pack"
	tear "$pack" 7
	state >before
	scrub_now
	logged "/packs/../[0-9a-f]{64}.pack: .*$moved"
	logged 'desk \([0-9a-f]{32}\): 2 snapshots, up to @2, lack something'
	shash sweep --store_dir store
	unchanged
	shash backup --dir work 2>/dev/null
	# The first snapshot alone had the file that is gone.
	shash sweep --store_dir store
	[ -e "$pack" ]
	exits 13 shash verify --store_dir store
	grep -q "$moved" out
	[ "$(grep -c 'snap: needs' out)" -eq 1 ]
	# Without it nobody misses anything.
	shash keep --store_dir store --last 2 --floor 0d
	shash prune --store_dir store --now
	shash sweep --store_dir store
	[ ! -e "$pack" ]
	exits 0 shash verify --store_dir store
	shash restore --dir work --dest copy 2>/dev/null
	scenario_same work copy
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
