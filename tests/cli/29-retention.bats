#!/usr/bin/env bats
# Goal: what the owner's policy does not keep is retired, waits, comes back or
# goes, and says so; no clock and no client makes anything go earlier.

load ../lib/scenario

setup()
{
	local asan
	scenario_begin
	mkdir work shim
	store=$folder/store
	# Clocks that each process of shash reads from a file.
	"${CC:-cc}" -std=c17 -D_GNU_SOURCE -shared -fPIC -o clock.so \
	    "$BATS_TEST_DIRNAME/../fault/clock.c" -ldl
	export CLOCKS=$folder/clocks
	# It is noon for them: no midnight falls into a test.
	wall=$((43200 - $(date +%s) % 86400)) boot=0
	clocks
	# Of shash alone; a sanitizer's library comes first.
	asan=$(ldd "$SHASH" | awk '/libasan/ { print $3 }')
	cat >shim/shash <<-END
	#!/bin/sh
	LD_PRELOAD="$asan $PWD/clock.so" exec "$SHASH" "\$@"
	END
	chmod +x shim/shash
	PATH=$PWD/shim:$PATH
}

teardown()
{
	scenario_end
}

# clocks: make what $wall and $boot say true, at once for everybody
clocks()
{
	echo "$wall $boot" >clocks.new
	mv clocks.new clocks
}

# pass DAYS: time goes by, on all clocks
pass()
{
	wall=$((wall + $1 * 86400))
	boot=$((boot + $1 * 86400))
	clocks
}

# make N: another N snapshots, with a day after each
make()
{
	local i
	for ((i = 0; i < $1; i++)); do
		date +%N >work/file
		shash backup -q --dir work >/dev/null
		pass 1
	done
}

# keep OPTION...: the policy of the store
keep()
{
	shash keep -q --store_dir "$store" "$@" >/dev/null
}

# fates OPTION...: prune; "FATE NUMBER..." for each fate that occurs
fates()
{
	shash prune -q --store_dir "$store" "$@" --json >pruned
	"$tests_lib/jsonl.py" pruned >/dev/null
	jq -r '"\(.fate) \(.seq)"' pruned |
	    awk '{ a[$1] = a[$1] " " $2 } END { for (f in a) print f a[f] }' |
	    sort
}

# live: the numbers that a client sees, in one line
live()
{
	shash snapshots -q --dir work --json |
	    jq -r 'select(.type == "snapshot").seq' | tr '\n' ' '
}

local_store()
{
	shash register --dir work --url "file://$store" 2>/dev/null
}

@test "by default all is kept; the policy is set, shown and reset" {
	local_store
	make 3
	shash keep --store_dir "$store" >out
	[[ $(cat out) == *everything* ]]
	[ "$(fates)" = 'keep 1 2 3' ]
	keep --last 2 --daily 3 --within 10d --floor 0d
	shash keep --store_dir "$store" >out
	grep -q 'last 2, daily 3, within 10 d' out
	shash register --dir shim --url "file://$store" --label second \
	    2>/dev/null
	keep --mount second --forever
	shash keep --store_dir "$store" --json >out
	[ "$("$tests_lib/jsonl.py" out | tr '\n' ' ')" = 'keep keep ' ]
	[ "$(jq -r 'select(.label == "second").everything' out)" = true ]
	[ "$(jq -r 'select(.label == null).daily' out)" = 3 ]
	keep --mount second --reset
	[ "$(shash keep --store_dir "$store" -q | wc -l)" -eq 1 ]
	# A floor or a grace alone leaves the counts as they are.
	keep --grace 21d
	[ "$(shash keep --store_dir "$store" --json |
	    jq -r '"\(.grace_days) \(.daily)"')" = '21 3' ]
	for wrong in '--grace 3d' '--floor 12h' '--last 0' '--reset' \
	    '--forever --last 1' '--mount second --floor 3d' \
	    '--mount second' '--last x' '--last -1' '--last 1000001' \
	    '--within 36501d' '--floor 36501d'; do
		# shellcheck disable=SC2086
		exits 2 shash keep --store_dir "$store" $wrong
	done
	exits 14 shash keep --store_dir "$store" --mount nobody --last 1
	exits 10 shash keep --store_dir work --last 1
	exits 10 shash prune --store_dir work
	# What was set can be read.
	keep --within 36500d
	[ "$(fates)" = 'keep 1 2 3' ]
}

@test "an id is of one directory, whatever others are called" {
	local id
	local_store
	make 2
	id=$(basename "$store"/vaults/*/snapshots/*)
	# Who registers may call himself as he likes.
	shash register --dir shim --url "file://$store" --label "$id" \
	    2>/dev/null
	keep --mount "$id" --forever
	[ "$(ls "$store/keep")" = "$id.json" ]
	keep --mount "$id" --reset
	# The record is gone, the history is not.
	rm "$store/mounts/$id.json"
	shash keep --store_dir "$store" --mount "$id" --last 5 >out
	grep -q "^${id:0:8} .*last 5" out
	[ -e "$store/keep/$id.json" ]
	# Of nobody at all.
	exits 14 shash keep --store_dir "$store" \
	    --mount 00000000000000000000000000000000 --last 1
	exits 14 shash unprune --store_dir "$store" \
	    --mount 00000000000000000000000000000000
	[ "$(ls "$store/keep")" = "$id.json" ]
}

@test "retired, waiting, brought back, removed; all of it said" {
	local_store
	make 6
	keep --last 2 --floor 0d
	[ "$(fates --dry_run)" = $'keep 5 6\nretire 1 2 3 4' ]
	[ "$(live)" = '1 2 3 4 5 6 ' ]
	[ "$(fates)" = $'keep 5 6\nretire 1 2 3 4' ]
	[ "$(live)" = '5 6 ' ]
	# The client knows why, and warns of nothing.
	shash snapshots --dir work >out 2>err
	[ "$(cat err)" = "4 more snapshots were retired by the store's policy" ]
	shash snapshots -q --dir work --json >out 2>err
	[ ! -s err ]
	[ "$("$tests_lib/jsonl.py" out | sort | uniq -c | tr -s ' \n' ' ')" = \
	    ' 4 retired 2 snapshot ' ]
	exits 14 shash restore --dir work --udk @2 --dest gone
	says 'policy retired'
	says unprune
	shash restore -q --dir work --udk @5 --dest five
	shash backup -q --dir work >/dev/null 2>err
	[ ! -s err ]
	exits 0 shash verify --store_dir "$store"
	shash status --store_dir "$store" --json >out
	[ "$(jq -r 'select(.type == "store") | "\(.snapshots) \(.retired)"' \
	    out)" = '3 4' ]
	# Back, and it restores.
	exits 14 shash unprune --store_dir "$store" --mount "$(hostname)" @5
	exits 2 shash unprune --store_dir "$store" @3
	shash unprune -q --store_dir "$store" --mount "$(hostname)" @3 >out
	[[ $(cat out) == *'@3 '*back* ]]
	[ "$(live)" = '3 5 6 7 ' ]
	shash restore -q --dir work --udk @3 --dest three
	keep --forever
	shash unprune -q --store_dir "$store" >out
	[ "$(wc -l <out)" -eq 3 ]
	[ "$(live)" = '1 2 3 4 5 6 7 ' ]
	shash snapshots --dir work >/dev/null 2>err
	[ ! -s err ]
	# And gone, when the grace is over: 14 days, not earlier.
	keep --last 2 --floor 0d
	fates
	pass 13
	[ "$(fates)" = $'keep 6 7\nwait 1 2 3 4 5' ]
	pass 1
	[ "$(fates)" = $'keep 6 7\nremove 1 2 3 4 5' ]
	[ "$(fates)" = 'keep 6 7' ]
	[ "$(find "$store" -name '*.snap' | wc -l)" -eq 2 ]
	[ "$(find "$store" -name '*.tomb' | wc -l)" -eq 5 ]
	exits 0 shash verify --store_dir "$store"
	[ "$(live)" = '6 7 ' ]
	shash snapshots --dir work 2>err >/dev/null
	[ "$(cat err)" = "5 more snapshots were retired by the store's policy" ]
}

@test "what is lost without a tombstone is not called retired" {
	local_store
	make 6
	keep --last 2 --floor 0d
	fates --now
	rm "$(find "$store" -name '*3.tomb')"
	shash snapshots --dir work 2>err >/dev/null
	grep -q 'snapshots before it are not listed' err
	exits 13 shash verify --store_dir "$store"
	# A tombstone of another store's hand counts for nothing either.
	tomb=$(find "$store" -name '*4.tomb')
	cp "$tomb" kept
	scenario_flip "$tomb" 130
	exits 13 shash verify --store_dir "$store"
	grep -q "4.tomb" out
}

@test "beside a running server, with a backup under way" {
	scenario_serve store
	scenario_register work
	make 5
	keep --last 2 --floor 0d
	mkfifo work/slow
	head -c 3M /dev/urandom >work/large
	shash backup -q --dir work >backup.out 2>backup.err &
	backup=$!
	[ "$(fates | grep -c retire)" -eq 1 ]
	wait "$backup"
	exits 0 shash snapshots --dir work
	[ "$(grep -c '^@' out)" -ge 2 ]
	[ "$(grep -c 'not listed' err)" -eq 0 ]
	exits 14 shash restore --dir work --udk @1 --dest gone
	says 'policy retired'
	shash unprune -q --store_dir "$store" --mount "$(hostname)" @1 >out
	[[ $(live) == '1 '* ]]
	shash restore -q --dir work --udk @1 --dest one
	fates --now
	[ "$(find "$store" -name '*.tomb' | wc -l)" -ge 3 ]
	shash verify -q --store_dir "$store"
}

@test "a server prunes by itself" {
	scenario_serve store
	scenario_register work
	make 5
	keep --last 2 --floor 0d
	[ "$(find "$store" -name '*.tomb' | wc -l)" -eq 0 ]
	# It looks at its clock every five seconds.
	for ((i = 0; i < 600; i++)); do
		boot=$((boot + 600)) && clocks
		[ "$(find "$store" -name '*.tomb' | wc -l)" -lt 3 ] || break
		sleep 0.1
	done
	[ "$(live)" = '4 5 ' ]
	scenario_wait grep -q 'prune: 2 kept, 3 retired' store.log
}

@test "a flood of snapshots pushes out none of the good ones" {
	local_store
	make 20
	keep --daily 5 --floor 7d
	fates --dry_run >before
	# With the directory's stolen key, all day long.
	for ((i = 0; i < 60; i++)); do
		date +%N >work/file
		shash backup -q --dir work >/dev/null
	done
	fates --dry_run >after
	# The same of the first 20 but for the newest two, which are others now.
	numbers()
	{
		sed -n 's/^keep //p' "$1" | tr ' ' '\n' | awk '$1 <= 18'
	}
	diff <(numbers before) <(numbers after)
	[ "$(numbers after | wc -l)" -ge 9 ]
	# When the flood is older than the floor, it counts as one day.
	pass 8
	fates --dry_run >later
	[ "$(numbers later | wc -l)" -ge 2 ]
	[ "$(sed -n 's/^keep //p' later | wc -w)" -le 8 ]
}

@test "ten years forward or back, or frozen: no effect" {
	local_store
	make 5
	keep --last 1 --floor 30d
	shash prune -q --store_dir "$store" --dry_run >/dev/null
	for jump in 315360000 -315360000; do
		wall=$((wall + jump)) && clocks
		[ "$(fates)" = 'keep 1 2 3 4 5' ]
		wall=$((wall - jump)) && clocks
		[ "$(fates)" = 'keep 1 2 3 4 5' ]
	done
	# Snapshots made under a wrong clock are as young as the others.
	wall=$((wall - 315360000)) && clocks
	make 1
	wall=$((wall + 315360000)) && clocks
	[ "$(fates)" = 'keep 1 2 3 4 5 6' ]
	wall=$((wall + 315360000)) && clocks
	make 1
	wall=$((wall - 315360000)) && clocks
	[ "$(fates)" = 'keep 1 2 3 4 5 6 7' ]
	# A frozen wall clock: the machine's own goes on.
	boot=$((boot + 40 * 86400)) && clocks
	[ "$(fates)" = $'keep 6 7\nretire 1 2 3 4 5' ]
	# The grace does not follow the wall clock either.
	wall=$((wall + 315360000)) && clocks
	[ "$(fates)" = $'keep 6 7\nwait 1 2 3 4 5' ]
	wall=$((wall - 630720000)) && clocks
	[ "$(fates)" = $'keep 6 7\nwait 1 2 3 4 5' ]
	boot=$((boot + 14 * 86400)) && clocks
	[ "$(fates)" = $'keep 6 7\nremove 1 2 3 4 5' ]
}

@test "a policy that is damaged keeps all, and says so" {
	local_store
	make 4
	keep --last 1 --floor 0d
	sed -i 's/"last": 1/"last": 0/' "$store/keep/default.json"
	exits 13 shash prune --store_dir "$store" --now
	says 'keep/default.json'
	[ "$(find "$store" -name '*.snap' | wc -l)" -eq 4 ]
	# Who only verifies hears of it too, of a directory's own as well.
	own=$(basename "$store"/mounts/*.json)
	cp "$store/keep/default.json" "$store/keep/$own"
	exits 13 shash verify --store_dir "$store"
	[ "$(grep -c '^keep/.* is damaged' "$folder/out")" -eq 2 ]
	grep -q "^keep/$own: " "$folder/out"
	rm "$store/keep/$own"
	exits 13 shash verify --store_dir "$store"
	[ "$(grep -c '^keep/' "$folder/out")" -eq 1 ]
	keep --last 1 --floor 0d
	[ "$(fates)" = $'keep 3 4\nretire 1 2' ]
}

@test "a damaged policy is no obstacle to another, and is set anew" {
	local_store
	make 4
	own=$(basename "$store"/mounts/*.json)
	label=$(jq -r .label "$store/mounts/$own")
	for harm in 'sed -i s/"floor_days"/"bloor_days"/' 'truncate -s 0' \
	    'truncate -s +70000'; do
		keep --last 3 --floor 0d
		rm -f "$store/keep/$own"
		$harm "$store/keep/default.json"
		# A directory's own has nothing to do with it.
		exits 0 shash keep --store_dir "$store" --mount "$label" \
		    --last 2
		says 'keep/default.json.*nothing is retired'
		grep -q "^$label *last 2" out
		exits 0 shash keep --store_dir "$store" --mount "$label" --reset
		# Who looks hears of it; who wants a part of it must say all.
		exits 13 shash keep --store_dir "$store"
		says 'keep/default.json'
		exits 13 shash keep --store_dir "$store" --floor 3d
		says 'counts too'
		exits 0 shash keep --store_dir "$store" --last 1 --grace 9d
		says 'set anew'
		exits 0 shash keep --store_dir "$store" --json
		[ "$(jq -c '[.last, .floor_days, .grace_days]' out)" = \
		    '[1,30,9]' ]
		exits 0 shash verify --store_dir "$store"
	done
	# The other way round, and a folder in its place.
	keep --last 3 --floor 0d
	shash keep --store_dir "$store" --mount "$label" --last 2
	rm "$store/keep/$own"
	mkdir "$store/keep/$own"
	# It keeps what is its own, and no more, whoever comes first.
	for i in 1 2 3 4; do
		mkdir "more$i"
		shash register -q --dir "more$i" --url "file://$store" \
		    --label "more$i" 2>/dev/null
		for n in 1 2 3 4; do
			echo "$n" >"more$i/file"
			shash backup -q --dir "more$i" >/dev/null
		done
	done
	exits 13 shash prune --store_dir "$store" --now
	says "keep/$own"
	[ "$(find "$store" -name '*.snap' | wc -l)" -eq 16 ]
	[ "$(find "$store"/vaults/*/snapshots/"${own%.json}" -type f |
	    wc -l)" -eq 4 ]
	exits 0 shash keep --store_dir "$store" --forever
	says "keep/$own.*nothing is retired"
	exits 0 shash keep --store_dir "$store" --mount "$label" --last 2
	exits 0 shash verify --store_dir "$store"
}
