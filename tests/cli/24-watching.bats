#!/usr/bin/env bats
# Goal: on a terminal a line at its foot says how far a long command is, and
# elsewhere nobody sees anything of it unless asking.

load ../lib/scenario

setup()
{
	scenario_begin
	MIB=1048576
	mkdir work
	echo first >work/file
	client=
}

teardown()
{
	[ -z "${client:-}" ] || kill -9 "$client" 2>/dev/null || true
	scenario_end
}

# stuck: a second backup, of 12 MiB more, would end when `go_on` is called
stuck()
{
	scenario_serve store
	scenario_proxy wire
	shash register --dir work --url "$proxy_url" \
	    --invitation "$(shash invite --store_dir store)" 2>/dev/null
	head -c $((24 * MIB)) /dev/urandom >work/large
	shash backup --dir work 2>/dev/null
	head -c $((12 * MIB)) /dev/urandom >work/large
	echo $(($(stat -c %s wire.up) + 5 * MIB)) >wire.hold
	kill -USR2 "$proxy"
	scenario_wait test ! -e wire.hold
}

go_on()
{
	kill -USR1 "$proxy"
	wait "$client"
	client=
}

# drawn N: the foot of the terminal was drawn so often
drawn()
{
	[ -e pty.times ] && [ "$(wc -l <pty.times)" -ge "$1" ]
}

# seldom: never more than ten times a second, as far as one can see here
seldom()
{
	awk 'END { exit !(NR > 0 && NR <= 10 * $1 + 1) }' pty.times
}

@test "backup on a terminal" {
	stuck
	"$tests_lib/onpty.py" pty shash backup --dir work 3>&- &
	client=$!
	scenario_wait test -e wire.reached
	scenario_wait drawn 8
	go_on
	seldom
	cat pty.times
	grep -Eq ' backup: [0-9]+ files?, [0-9.]+ [KM]iB.*, [0-9]+ %' pty.times
	grep -Eq '[0-9.]+ [KMG]?i?B/s, [0-9]+ %, 0:[0-9][0-9] left$' pty.times
	[ "$(cat pty.out)" = "$("$tests_lib/address.py" work)" ]
	# It is cleared before the lines that stay, which are whole.
	tr '\r' '\n' <pty.err | grep -Eq '^snapshot @2 of .*work: 2 files'
	tail -n 1 pty.err | grep -Eq '^read [12] files?, added'
	[ -z "$(awk '{ sub(/^[^ ]* /, "") } length > 79' pty.times)" ]
}

@test "a narrow terminal, and one that says little" {
	stuck
	"$tests_lib/onpty.py" --columns 14 pty shash backup --dir work 3>&- &
	client=$!
	scenario_wait drawn 4
	go_on
	cat pty.times
	[ -z "$(awk '{ sub(/^[^ ]* /, "") } length > 13' pty.times)" ]
	"$tests_lib/onpty.py" pty shash backup -q --dir work
	[ ! -s pty.times ]
	[ ! -s pty.err ]
}

@test "a first backup does not say what it cannot know" {
	scenario_serve store
	scenario_proxy wire --hold $((3 * MIB))
	shash register --dir work --url "$proxy_url" \
	    --invitation "$(shash invite --store_dir store)" 2>/dev/null
	head -c $((12 * MIB)) /dev/urandom >work/large
	"$tests_lib/onpty.py" pty shash backup --dir work 3>&- &
	client=$!
	scenario_wait drawn 5
	go_on
	grep -q 'MiB' pty.times
	run grep -e '%' -e left pty.times
	[ "$status" -eq 1 ]
}

@test "nothing without a terminal, but for those who ask" {
	stuck
	shash backup --dir work >out 2>err 3>&- &
	client=$!
	scenario_wait test -e wire.reached
	kill -USR1 "$client"
	scenario_wait grep -Eq \
	    '^shash: backup: [0-9]+ files?, [0-9.]+ .iB.*, [0-9]+ %' err
	go_on
	run grep $'\r' err
	[ "$status" -eq 1 ]
	[ "$(wc -l <err)" -eq 3 ]
	exits 0 shash backup --dir work
	[ "$(wc -l <err)" -eq 2 ]
}

@test "SIGUSR1 on a terminal, quiet or not" {
	stuck
	"$tests_lib/onpty.py" pty shash backup -q --dir work 3>&- &
	client=$!
	scenario_wait test -e wire.reached
	kill -USR1 "$(cat pty.pid)"
	scenario_wait grep -q 'shash: backup: ' pty.err
	go_on
	[ ! -s pty.times ]
}

@test "SIGUSR1 while a server is away" {
	scenario_serve store
	scenario_register work 2>/dev/null
	scenario_stop
	shash backup --dir work --retry 1m >out 2>err 3>&- &
	client=$!
	scenario_wait grep -q again err
	kill -USR1 "$client"
	scenario_wait grep -q '^shash: backup: 0 files, 0 B' err
	kill -INT "$client"
	wait "$client" || true
	client=
}

@test "restore, scan and verify" {
	shash register --dir work --url "file://$folder/store" 2>/dev/null
	head -c $((700 * MIB)) /dev/zero | tr '\0' x >work/large
	key=$(shash backup --dir work 2>/dev/null)
	# Stopped and woken, each lasts long enough to be seen.
	for command in "restore --dir work --dest copy" "scan --dir work" \
	    "verify --store_dir store"; do
		rm -f pty.pid
		# shellcheck disable=SC2086 # words of a command
		"$tests_lib/onpty.py" pty shash $command 3>&- &
		client=$!
		scenario_wait test -s pty.pid
		for i in 1 2 3; do
			kill -STOP "$(cat pty.pid)" 2>/dev/null || break
			sleep 0.3
			kill -CONT "$(cat pty.pid)" 2>/dev/null || break
			sleep 0.05
		done
		wait "$client"
		client=
		cat pty.times
		! drawn 1 || seldom
	done
	[ "$(shash scan --dir copy)" = "$key" ]
}
