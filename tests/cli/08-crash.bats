#!/usr/bin/env bats
# Goal: whoever dies in the middle of a backup, the next one succeeds, what
# was acknowledged restores, and the store is whole.

load ../lib/scenario

MIB=1048576

setup()
{
	scenario_begin
	mkdir -p work/small
	echo first >work/file
	scenario_serve store
}

teardown()
{
	[ -z "${client:-}" ] || kill -9 "$client" 2>/dev/null || true
	scenario_end
}

# grow: work gets 22 MiB that the store does not have
grow()
{
	local i
	for i in 1 2 3; do
		head -c $((6 * MIB)) /dev/urandom >"work/large-$i"
	done
	for i in {1..800}; do
		head -c 5000 /dev/urandom >"work/small/$i"
	done
}

# begin N: register through a proxy, back up the small directory, then start
# another backup of it grown; returns when N bytes went up, and the client
# hangs.  Sets $client and $acknowledged.
begin()
{
	scenario_proxy wire
	first=$proxy
	shash register --dir work --url "$proxy_url" \
	    --invitation "$(shash invite --store_dir store)"
	acknowledged=$(shash backup --dir work)
	grow
	hold "$1"
	shash backup --dir work >client.out 2>client.err 3>&- &
	client=$!
	scenario_wait test -e wire.reached
}

# hold N: the proxy stops after N more bytes
hold()
{
	echo $(($(stat -c %s wire.up) + $1)) >wire.hold
	kill -USR2 "$proxy"
	scenario_wait test ! -e wire.hold
}

# release: the proxy goes on
release()
{
	kill -USR1 "$proxy"
	rm -f wire.reached
}

# whole: the next backup succeeds, both snapshots restore, the store verifies
whole()
{
	key=$(shash backup --dir work)
	[ "$key" = "$("$tests_lib/address.py" work)" ]
	shash restore --dir work --dest copy
	scenario_same work copy
	shash restore --dir work --udk "$acknowledged" --dest old
	[ "$(find old -type f | wc -l)" -eq 1 ]
	[ "$(cat old/file)" = first ]
	scenario_stop
	shash verify --store_dir store
}

# stored N: N bytes of the store are written
stored()
{
	[ "$(scenario_store_bytes store)" -gt "$1" ]
}

@test "the client is killed: what it sent is not sent again" {
	begin $((18 * MIB))
	# A slow server still works on what the client believes to be sent.
	scenario_wait stored $((8 * MIB))
	stored=$(scenario_store_bytes store)
	# With the old proxy goes what it held back: a new one counts cleanly.
	kill -9 "$client" "$proxy"
	wait "$client" || true
	scenario_proxy again
	moved "$proxy_url"
	whole
	up=$(stat -c %s again.up)
	echo "stored: $stored, sent again: $up"
	# 22 MiB and some for the protocol in all.  The upload of 4 MiB that was
	# written last may not have been admitted yet.
	[ "$up" -lt $((23 * MIB - (stored - 4 * MIB))) ]
	bytes=$(scenario_store_bytes store)
	echo "store: $bytes"
	[ "$bytes" -lt $((24 * MIB)) ]
}

@test "the client is killed early, late and repeatedly" {
	begin 100000
	for n in 3000000 6000000 5000000; do
		kill -9 "$client"
		wait "$client" || true
		release
		hold "$n"
		shash backup --dir work >client.out 2>client.err 3>&- &
		client=$!
		scenario_wait test -e wire.reached
	done
	kill -9 "$client"
	wait "$client" || true
	release
	whole
	[ "$(scenario_store_bytes store)" -lt $((26 * MIB)) ]
}

@test "the server is killed" {
	begin $((12 * MIB))
	kill -9 "$server"
	wait "$server" || true
	server=
	release
	rc=0
	timeout 100 tail --pid="$client" -f /dev/null
	wait "$client" || rc=$?
	client=
	echo "client: $rc"
	cat client.err
	[ "$rc" -eq 11 ]
	[ ! -s client.out ]
	scenario_serve_at store "$port"
	whole
}

@test "the server is stopped during a backup" {
	begin $((12 * MIB))
	start=$SECONDS
	kill "$server"
	wait "$server"
	server=
	# It does not wait for a peer as long as it waits for a silent one.
	[ $((SECONDS - start)) -lt 50 ]
	release
	rc=0
	wait "$client" || rc=$?
	client=
	[ "$rc" -eq 11 ]
	scenario_serve_at store "$port"
	whole
}

@test "the client is interrupted" {
	begin $((12 * MIB))
	kill -TERM "$client"
	scenario_wait scenario_signalled "$client"
	release
	rc=0
	wait "$client" || rc=$?
	client=
	[ "$rc" -eq 130 ]
	[ ! -s client.out ]
	whole
}

@test "two backups of one directory at once: the second says so" {
	begin $((12 * MIB))
	exits 1 shash backup --dir work
	says 'another backup|running'
	[ ! -s out ]
	release
	wait "$client"
	client=
	[ "$(cat client.out)" = "$("$tests_lib/address.py" work)" ]
	whole
}

@test "a copy of the directory, registered as the same: nothing is mixed" {
	begin $((12 * MIB))
	cp -a work other
	moved "$url" other
	echo other >other/file
	theirs=$(shash backup --dir other)
	release
	rc=0
	wait "$client" || rc=$?
	client=
	[ "$rc" -eq 1 ]
	[ ! -s client.out ]
	grep 'a copy' client.err
	shash restore --dir other --udk "$theirs" --dest theirs
	scenario_same other theirs
	# In turn they do no harm.
	shash backup --dir work
	[ "$(shash backup --dir other)" = "$theirs" ]
	whole
}

@test "two machines of one vault at once" {
	grow
	acknowledged=none
	scenario_register work
	mkdir other
	cp -a work/small work/large-1 other/
	head -c $((4 * MIB)) /dev/urandom >other/own
	scenario_register other --label other
	shash backup --dir work >one.out 2>one.err 3>&- &
	one=$!
	shash backup --dir other >two.out 2>two.err 3>&- &
	two=$!
	wait "$one"
	wait "$two"
	[ "$(cat one.out)" = "$("$tests_lib/address.py" work)" ]
	[ "$(cat two.out)" = "$("$tests_lib/address.py" other)" ]
	shash restore --dir work --dest copy1
	scenario_same work copy1
	shash restore --dir other --dest copy2
	scenario_same other copy2
	scenario_stop
	shash verify --store_dir store
}

@test "a connection that breaks again and again" {
	scenario_proxy wire
	shash register --dir work --url "$proxy_url" \
	    --invitation "$(shash invite --store_dir store)"
	acknowledged=$(shash backup --dir work)
	kill "$proxy"
	grow
	rc=0
	for n in 1000 20000 1500000 9000000; do
		rm -f wire.*
		scenario_proxy wire --cut "$n"
		moved "$proxy_url"
		timeout 100 shash backup --dir work >out 2>err || rc=$?
		[ "$rc" -eq 11 ]
		[ ! -s out ]
		kill "$proxy"
	done
	proxy=
	moved "$url"
	whole
}

# moved URL [DIR=work]: the directory's store is found there now
moved()
{
	python3 - "${2:-work}/.shamo/config.json" "$1" <<-'END'
	import json, sys
	with open(sys.argv[1]) as f:
	    config = json.load(f)
	config["url"] = sys.argv[2]
	with open(sys.argv[1], "w") as f:
	    json.dump(config, f)
	END
}

@test "the server dies at its start and while it is idle" {
	scenario_register work
	acknowledged=$(shash backup --dir work)
	for i in 1 2 3 4 5 6; do
		kill -9 "$server"
		wait "$server" || true
		server=
		shash start --store_dir store --port "$port" >log 2>&1 3>&- &
		server=$!
		sleep "0.0$i"
	done
	kill -9 "$server"
	wait "$server" || true
	server=
	scenario_serve_at store "$port"
	whole
}

@test "a restore that is killed can be done again" {
	scenario_proxy wire
	grow
	shash register --dir work --url "$proxy_url" \
	    --invitation "$(shash invite --store_dir store)"
	acknowledged=$(shash backup --dir work)
	# It waits for the large files when it is killed.
	hold 2400
	shash restore --dir work --dest copy 2>/dev/null 3>&- &
	client=$!
	scenario_wait test -e wire.reached
	scenario_wait test -e copy
	kill -9 "$client"
	wait "$client" || true
	client=
	release
	rm -rf copy
	shash restore --dir work --dest copy
	scenario_same work copy
}
