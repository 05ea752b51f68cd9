#!/usr/bin/env bats
# Goal: help that fits a screen, and mistakes that are told apart, named and
# cost nothing.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir -p work/sub/deeper work/other
	echo one >work/one
	echo two >work/sub/two
	echo three >work/sub/deeper/three
	ln -s one work/link
	mkfifo work/fifo
}

teardown()
{
	scenario_end
}

commands='start stop invite register backup restore scan snapshots verify
	reindex key status'

@test "help is there for every command and fits 80 columns" {
	exits 0 shash --help
	cp out all
	for command in $commands; do
		grep -Eq "^ *$command " all
		exits 0 shash "$command" --help
		[ ! -s err ]
		grep -Eqi "^usage: shash $command" out
		cat out >>all
	done
	[ -z "$(awk 'length > 80' all)" ]
	grep -q 7532 all
}

@test "unknown commands and options are usage errors with a suggestion" {
	exits 2 shash
	says 'help'
	exits 2 shash bakcup
	says "backup"
	exits 2 shash bakup
	says "^shash: unknown command 'bakup'; did you mean 'backup'\?\$"
	exits 2 shash snap
	says "did you mean 'snapshots'\?"
	exits 2 shash ls
	says 'shash --help'
	exits 2 shash backup --verb
	says 'did you mean --verbose\?'
	exits 2 shash backup -d
	says 'unknown option -d'
	exits 2 shash quite-another
	says 'help'
	exits 2 shash backup --dri work
	says '--dir'
	exits 2 shash backup --verylongandunknown
	says '--help'
	exits 2 shash backup -d work
	exits 2 shash backup --dir
	says 'value'
	exits 2 shash backup work
	says "unexpected 'work'; did you mean --dir work\?"
	exits 2 shash verify store
	says "did you mean --store_dir store\?"
	exits 2 shash --dir work backup
	says 'the command comes first'
	for command in $commands; do
		shash help "$command" | diff - <(shash "$command" --help)
	done
	exits 2 shash help bakup
	says 'backup'
	exits 2 shash start --port 70000
	exits 2 shash start --port 7x
	exits 2 shash start --port ''
	exits 2 shash restore --dir work
	says '--dest'
	exits 2 shash register --dir work
	says '--url'
	exits 2 shash start stop
	[ ! -s out ]
	[ -z "$(find . -name .shamo)" ]
}

@test "directories that are none" {
	exits 14 shash scan --dir absent
	says 'absent'
	exits 14 shash backup --dir work/one
	says 'work/one'
	exits 14 shash backup --dir absent
	exits 14 shash register --dir absent --url "file://$folder/store"
	[ ! -e store ]
}

@test "below a directory that is registered" {
	shash register --dir work --url "file://$folder/store"
	cd work/sub/deeper
	for command in backup snapshots status key 'restore --dest copy'; do
		# shellcheck disable=SC2086 # words of a command
		exits 10 shash $command
		says "deeper is not registered, but .*/work above it is"
	done
	cd "$folder/work"
	exits 0 shash backup
	cd "$folder"
	exits 10 shash backup
	says 'run: shash register'
}

@test "a store that was not named, or not meant" {
	for command in verify stop reindex status\ --store_dir\ .; do
		# shellcheck disable=SC2086 # words of a command
		exits 10 shash $command
		says 'not a store; name it with --store_dir'
	done
	exits 10 shash invite
	says 'neither a store nor empty; name it with --store_dir'
	exits 0 shash invite --store_dir strore
	says 'no store in strore: made a new one'
	exits 0 shash invite --store_dir strore
	[ ! -s err ]
}

@test "a port in use, an address that is none" {
	scenario_serve store
	exits 1 shash start --store_dir second --port "$port"
	says "$port"
	shash start --store_dir second --listen 192.0.2.77 \
	    --port "$(scenario_free_port)" >out 2>err && false
	says '192.0.2.77'
	scenario_register work
	shash backup --dir work
}

@test "a server that listens on one address only" {
	scenario_serve store --listen 127.0.0.1
	scenario_register work
	shash backup --dir work
	# Every address of 127/8 is this machine's.
	run bash -c ": </dev/tcp/127.0.0.2/$port"
	[ "$status" -ne 0 ]
}

@test "one server per store" {
	scenario_serve store
	exits 1 shash start --store_dir store --port "$(scenario_free_port)"
	says 'running|in use|lock'
	scenario_register work
	shash backup --dir work
}

@test "a folder of something else never becomes a store" {
	mkdir full
	echo mine >full/file
	exits 10 shash start --store_dir full --port "$(scenario_free_port)"
	says 'full'
	for command in invite verify reindex stop; do
		exits 10 shash "$command" --store_dir full
		says 'full'
		[ "$command" != invite ] || continue
		exits 10 shash "$command" --store_dir absent
		says 'absent'
	done
	[ "$(find full | wc -l)" -eq 2 ]
	[ ! -e absent ]
}

@test "verify and reindex beside a running server" {
	scenario_serve store
	scenario_register work
	shash backup --dir work
	for command in verify reindex; do
		rc=0
		shash "$command" --store_dir store >out 2>err || rc=$?
		[ "$rc" -eq 0 ] || says 'server|running|in use'
	done
	shash backup --dir work
	shash restore --dir work --dest copy
	scenario_same work copy
}

# two_snapshots: of work, as it is and with a line more
two_snapshots()
{
	shash register --dir work --url "file://$folder/store" 2>/dev/null
	first=$(shash backup --dir work)
	echo more >>work/one
	second=$(shash backup --dir work)
	shash backup --dir work
}

@test "snapshots by key, prefix, sequence, latest" {
	two_snapshots
	for udk in "$first" "${first#X}" "${first:1:8}" "${first:0:9}" @1; do
		rm -rf copy
		exits 0 shash restore --dir work --udk "$udk" --dest copy
		[ "$(cat copy/one)" = one ]
	done
	for udk in "$second" latest @2 @3; do
		rm -rf copy
		exits 0 shash restore --dir work --udk "$udk" --dest copy
		scenario_same work copy
	done
	[ "$(shash snapshots --dir work | wc -l)" -eq 3 ]
}

@test "snapshots that do not exist, and keys that are none" {
	two_snapshots
	# Another key at its end, whatever that is.
	wrong=$(tr 0-9a-f 1-9a-f0 <<<"${first:61:4}")
	for udk in @4 @99999 "${first:0:61}$wrong" 00000000 \
	    "X$(printf '0%.0s' {1..64})"; do
		exits 14 shash restore --dir work --udk "$udk" --dest copy
		[ ! -e copy ]
	done
	for udk in nonsense "${first:1:7}" "${first}0" @ @x @-1 '' X \
	    "Y${first:1}"; do
		exits 2 shash restore --dir work --udk "$udk" --dest copy
		[ ! -e copy ]
	done
	exits 14 shash restore --dir work --mount nobody-here --dest copy
	[ ! -e copy ]
}

@test "parts of a snapshot" {
	two_snapshots
	exits 0 shash restore --dir work --dest copy sub/deeper link fifo
	[ "$(cd copy && find . | sort | tr '\n' ' ')" = \
	    '. ./fifo ./link ./sub ./sub/deeper ./sub/deeper/three ' ]
	[ -p copy/fifo ]
	[ "$(stat -c %Y.%a copy/sub)" = "$(stat -c %Y.%a work/sub)" ]
	cmp copy/sub/deeper/three work/sub/deeper/three
	rm -r copy
	exits 0 shash restore --dir work --dest copy ./sub/two sub//deeper/
	[ -e copy/sub/two ]
	[ -e copy/sub/deeper/three ]
	for path in absent sub/absent one/two sub/two/three link/x; do
		exits 14 shash restore --dir work --dest none one "$path"
		says "'$path' is not in the snapshot; paths are relative"
		[ ! -e none ] || [ -z "$(find none -type f)" ]
	done
	for path in ../work /etc sub/../../x; do
		shash restore --dir work --dest none "$path" >out 2>err &&
		    false
		[ ! -e none ] || [ -z "$(find none -type f)" ]
	done
}

@test "a destination that is not empty is left as it is" {
	two_snapshots
	mkdir full
	echo mine >full/one
	exits 2 shash restore --dir work --dest full
	says 'full'
	[ "$(cat full/one)" = mine ]
	[ "$(find full | wc -l)" -eq 2 ]
	echo file >target
	mkfifo pipe
	ln -s /nowhere/at/all dangling
	for dest in target pipe dangling; do
		timeout 200 shash restore --dir work --dest "$dest" \
		    >out 2>err && false
		[ -s err ]
	done
	[ "$(cat target)" = file ]
	[ -p pipe ]
	[ -L dangling ]
	mkdir empty
	exits 0 shash restore --dir work --dest empty
	scenario_same work empty
	exits 0 shash restore --dir work --dest new/and/deep
	scenario_same work new/and/deep
	mkdir real
	ln -s real to-real
	exits 0 shash restore --dir work --dest to-real
	scenario_same work real
}

@test "names from a snapshot do not reach the terminal as they are" {
	scenario_nobody install -d -m 777 nobody/tree
	printf x >$'nobody/tree/red\e[31m\nline'
	chmod 000 nobody/tree/red*
	[ "$EUID" -ne 0 ] || chown -R 65534 nobody/tree
	scenario_serve store
	scenario_nobody shash register --dir nobody/tree --url "$url" \
	    --invitation "$(shash invite --store_dir store)"
	exits 3 scenario_nobody shash backup --dir nobody/tree
	says 'red'
	[ "$(LC_ALL=C tr -d '\n\t\40-\176' <err | wc -c)" -eq 0 ]
}

@test "options are taken in any order, the last one wins" {
	shash register --url "file://$folder/store" --dir work
	key=$(shash backup --dir work)
	mkdir -p sub
	exits 0 shash restore one --dest copy --dir sub --dir work sub
	[ -e copy/one ]
	[ -e copy/sub/two ]
	[ ! -e copy/link ]
	exits 0 shash restore --dir work --dest copy2 -- one
	[ -e copy2/one ]
}
