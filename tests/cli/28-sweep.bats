#!/usr/bin/env bats
# Goal: what no snapshot needs gives its space back, whatever else goes on, and
# nothing else goes.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir work
	head -c 3000000 /dev/urandom >work/stays
	seq 1 20000 >work/numbers
}

teardown()
{
	scenario_end
}

# A store on this disk with three snapshots; 6 MB are in the second one alone.
local_store()
{
	shash register --dir work --url "file://$folder/store"
	shash backup --dir work
	head -c 6000000 /dev/urandom >work/big
	key=$(shash backup --dir work)
	cp -a work second
	rm -r second/.shamo work/big
	shash backup --dir work
}

# lose SEQ: a snapshot's file goes, and nobody says why
lose()
{
	rm "$(find store/vaults -name "*$1.snap")"
}

pack_bytes()
{
	find store/vaults -name '*.pack' -printf '%s\n' |
	    awk '{ n += $1 } END { print n + 0 }'
}

@test "nothing is deleted that a snapshot needs, nor when nobody knows" {
	local_store
	before=$(pack_bytes)
	exits 0 shash sweep --store_dir store
	[ "$(cat out)" = 'freed 0 packs, 0 B' ]
	lose 2
	exits 13 shash sweep --store_dir store
	says 'nothing is deleted; the first is snapshots/.*2.snap'
	[ "$(pack_bytes)" -eq "$before" ]
	exits 0 shash sweep --store_dir store --dry_run --give_up_lost
	grep -q '^would free [1-9]' out
	[ "$(pack_bytes)" -eq "$before" ]
}

@test "space comes back; what remains restores the same" {
	local_store
	before=$(pack_bytes)
	lose 2
	exits 0 shash sweep --store_dir store --give_up_lost --json
	grep -q '"type":"sweep".*"waiting_packs":0' out
	[ $((before - $(pack_bytes))) -gt 5900000 ]
	for at in 1 3; do
		exits 0 shash restore --dir work --udk "@$at" --dest "r$at"
		cmp work/stays "r$at/stays"
	done
	scenario_same work r3
	exits 0 shash backup --dir work
	# What was deleted is uploaded again.
	cp second/big work/big
	exits 0 shash backup --dir work
	exits 0 shash restore --dir work --dest r4
	scenario_same work r4
}

@test "beside a server: a session that is open is waited for" {
	scenario_serve store
	scenario_register work
	shash backup --dir work
	head -c 6000000 /dev/urandom >work/big
	shash backup --dir work
	rm work/big
	shash backup --dir work
	lose 2
	before=$(pack_bytes)
	# A backup that does not come on keeps its session.
	scenario_proxy wire --hold 2000000
	mkdir held
	head -c 5000000 /dev/urandom >held/data
	shash register --dir held --url "$proxy_url" \
	    --invitation "$(shash invite --store_dir store)"
	shash backup --dir held 2>held.err &
	backup=$!
	scenario_wait test -e wire.reached
	exits 0 shash sweep --store_dir store --give_up_lost
	grep -q '^freed 0 packs' out
	grep -q 'will go when 1 session has ended' out
	[ "$(pack_bytes)" -ge "$before" ]
	exits 0 shash restore --dir work --dest copy
	scenario_same work copy
	kill -USR1 "$proxy"
	wait "$backup"
	# The server goes on by itself.
	scenario_wait space_is_back
	exits 0 shash restore --dir held --dest copy2
	scenario_same held copy2
	exits 0 shash restore --dir work --dest copy3
	scenario_same work copy3
}

@test "what was healed and is no longer needed goes with its damage" {
	shash register --dir work --url "file://$folder/store"
	# In an index made anew the packs have any order; each of them once
	# decided, half of the time, that the damaged one stayed for ever.
	for i in 1 2 3 4 5 6; do
		head -c 200000 /dev/urandom >work/stays
		find store/vaults -name '*.pack' -size +100k | sort >before
		shash backup --dir work
		pack=$(find store/vaults -name '*.pack' -size +100k | sort |
		    comm -13 before -)
		scenario_flip "$pack" "$(scenario_middle "$pack")"
		exits 13 shash verify --store_dir store
		shash backup --dir work
		exits 0 shash verify --store_dir store
	done
	shash reindex --store_dir store
	for i in 1 2 3; do
		echo "$i" >work/stays
		shash backup --dir work
	done
	prune_to 2
	exits 0 shash sweep --store_dir store
	exits 0 shash verify --store_dir store
	exits 0 shash restore --dir work --dest copy
	scenario_same work copy
	[ "$(pack_bytes)" -lt 200000 ]
}

# prune_to N: keep the newest N snapshots and remove the others for good
prune_to()
{
	shash keep --store_dir store --last "$1" --floor 0
	shash prune --store_dir store --now
}

@test "pruned snapshots give their space back, beside a server by itself" {
	scenario_serve store
	scenario_register work
	shash backup --dir work
	head -c 6000000 /dev/urandom >work/big
	shash backup --dir work
	rm work/big
	for i in 1 2 3; do
		echo "$i" >work/count
		shash backup --dir work
	done
	before=$(pack_bytes)
	prune_to 1
	before=$((before - 5900000))
	scenario_wait space_is_back
	exits 0 shash restore --dir work --dest copy
	scenario_same work copy
	scenario_stop
	exits 0 shash verify --store_dir store
}

@test "killed at any change of the store, a sweep loses nothing" {
	command -v strace >/dev/null
	local_store
	for i in 1 2 3 4 5 6; do
		seq "$i" 3000 >"work/small$i"
		shash backup --dir work
	done
	prune_to 3
	cp -a store full
	for call in unlink renameat2 fdatasync; do
		for at in 1 2 3 4; do
			rm -r store
			cp -a full store
			code=0
			ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o trace \
			    -e "trace=$call" \
			    -e "inject=$call:signal=KILL:when=$at" \
			    shash sweep --store_dir store >/dev/null 2>&1 ||
			    code=$?
			echo "$call $at: $code" >>killed
			exits 0 shash sweep --store_dir store
			exits 0 shash verify --store_dir store
			rm -rf copy
			exits 0 shash restore --dir work --dest copy
			scenario_same work copy
		done
	done
	# Kills that never came prove nothing.
	[ "$(grep -c ': 137' killed)" -ge 6 ] || { cat killed; false; }
}

space_is_back()
{
	[ "$(pack_bytes)" -lt "$before" ]
}
