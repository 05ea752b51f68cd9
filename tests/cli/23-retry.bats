#!/usr/bin/env bats
# Goal: a server that is away for a while costs time, and nothing else.

load ../lib/scenario

setup()
{
	scenario_begin
	unset SHASH_RETRY
	MIB=1048576
	mkdir work
	echo first >work/file
	client=
	scenario_serve store
}

teardown()
{
	[ -z "${client:-}" ] || kill -9 "$client" 2>/dev/null || true
	scenario_end
}

# away: the server is killed
away()
{
	kill -9 "$server"
	wait "$server" || true
	server=
}

# behind_proxy: a directory of 20 MiB whose requests pass a proxy
behind_proxy()
{
	scenario_proxy wire
	shash register --dir work --url "$proxy_url" \
	    --invitation "$(shash invite --store_dir store)" 2>/dev/null
	shash backup --dir work 2>/dev/null
	head -c $((20 * MIB)) /dev/urandom >work/large
}

# held BYTES: the proxy forwards no more than so many from now on
held()
{
	rm -f wire.reached
	echo $(($(stat -c %s wire.up) + $1)) >wire.hold
	kill -USR2 "$proxy"
	scenario_wait test ! -e wire.hold
}

# ended CODE: the client in the background has
ended()
{
	local rc=0
	timeout 120 tail --pid="$client" -f /dev/null
	wait "$client" || rc=$?
	client=
	[ "$rc" -eq "$1" ] || { echo "exit code $rc"; cat err; return 1; }
}

# cut_off COMMAND...: the server goes away while COMMAND, in the background,
# waits for a proxy that holds what it has
cut_off()
{
	"$@" >out 2>err 3>&- &
	client=$!
	scenario_wait test -e wire.reached
	away
	kill -USR1 "$proxy"
}

@test "away at the start" {
	scenario_register work 2>/dev/null
	away
	exits 11 shash backup --dir work --retry 0
	run grep 'again' err
	[ "$status" -eq 1 ]
	exits 11 shash backup --dir work --retry 1s
	says 'trying again for 1 second$'
	says 'gave up after 1 second: .*127.0.0.1'
	[ "$(wc -l <err)" -eq 2 ]
	shash backup --dir work >out 2>err 3>&- &
	client=$!
	scenario_wait grep -q 'again for 5 minutes' err
	scenario_serve_at store "$port"
	ended 0
	[ "$(cat out)" = "$("$tests_lib/address.py" work)" ]
}

@test "away in the middle of a backup" {
	behind_proxy
	held $((8 * MIB))
	cut_off shash backup --dir work
	scenario_wait grep -q 'trying again' err
	scenario_serve_at store "$port"
	ended 0
	says 'logging in again'
	[ "$(cat out)" = "$("$tests_lib/address.py" work)" ]
	shash restore --dir work --dest copy
	scenario_same work copy
}

@test "away at the commit" {
	behind_proxy
	# Old enough for all that follow to send the same.
	sleep 2.2
	shash backup --dir work 2>/dev/null
	# What an unchanged backup sends before it commits is known from one.
	up=$(stat -c %s wire.up)
	shash backup --dir work 2>/dev/null
	before=$(tail -c +$((up + 1)) wire.up |
	    grep -abo 'POST /v1/commit' | head -n 1 | cut -d : -f 1)
	[ "$before" -gt 0 ]
	held $((before + 100))
	cut_off shash backup --dir work
	scenario_wait grep -q 'trying again' err
	scenario_serve_at store "$port"
	ended 0
	[ "$(shash snapshots --dir work | wc -l)" -eq 4 ]
}

@test "away for too long, in the middle: the next backup goes on" {
	behind_proxy
	held $((12 * MIB))
	cut_off shash backup --dir work --retry 1s
	ended 11
	[ ! -s out ]
	scenario_serve_at store "$port"
	up=$(stat -c %s wire.up)
	shash backup --dir work 2>err
	up=$(($(stat -c %s wire.up) - up))
	echo "sent afterwards: $up"
	[ "$up" -lt $((21 * MIB)) ]
	shash restore --dir work --dest copy
	scenario_same work copy
}

@test "away in the middle of a restore" {
	behind_proxy
	shash backup --dir work 2>/dev/null
	kill "$proxy"
	wait "$proxy" || true
	rm -f wire.*
	# A new proxy, since requests of a restore are short: it stops after
	# the first of them, before what they ask for came.
	scenario_proxy wire --hold 1200
	sed -i "s|http://[^\"]*|$proxy_url|" work/.shamo/config.json
	cut_off shash restore --dir work --dest copy
	scenario_wait grep -q 'trying again' err
	scenario_serve_at store "$port"
	ended 0
	scenario_same work copy
}

@test "waiting ends with an interrupt" {
	scenario_register work 2>/dev/null
	away
	shash backup --dir work >out 2>err 3>&- &
	client=$!
	scenario_wait grep -q 'trying again' err
	kill -INT "$client"
	ended 130
	[ "$(tail -n 1 err)" = 'shash: interrupted' ]
}

@test "somebody else's server is not waited for" {
	python3 -c '
import http.server, sys
s = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
open("other.port", "w").write(str(s.server_port))
s.serve_forever()' 2>/dev/null 3>&- &
	client=$!
	scenario_wait test -s other.port
	scenario_register work 2>/dev/null
	sed -i "s|http://[^\"]*|http://127.0.0.1:$(cat other.port)/|" \
	    work/.shamo/config.json
	exits 11 shash backup --dir work
	says 'not a hashstore server'
	[ "$(wc -l <err)" -eq 1 ]
}

@test "durations" {
	for t in 5 x 5x -1s '' 1.5h; do
		exits 2 shash backup --dir work --retry "$t"
		says "^shash: --retry: '$t' is no duration: .*5m, 2h"
	done
	SHASH_RETRY=never exits 2 shash backup --dir work
	says 'SHASH_RETRY'
}
