#!/usr/bin/env bats
# Goal: a store on a disk of one's own needs no server and no invitation.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir work
	seq 1 200000 >work/numbers
	echo small >work/small
	mkdir work/sub
	ln -s ../small work/sub/link
}

teardown()
{
	scenario_end
}

@test "register, backup, restore, snapshots, verify without a server" {
	exits 0 shash register --dir work --url "file://$folder/store"
	grep -Eq '([0-9A-Z]{4}-){13}' err
	exits 0 shash backup --dir work
	key=$(cat out)
	[ "$key" = "$("$tests_lib/address.py" work)" ]
	echo more >>work/small
	shash backup --dir work
	[ "$(shash snapshots --dir work | wc -l)" -eq 2 ]
	exits 0 shash restore --dir work --dest copy
	scenario_same work copy
	exits 0 shash restore --dir work --udk "$key" --dest old
	[ "$(shash scan --dir old)" = "$key" ]
	exits 0 shash restore --dir work --udk @1 --dest older
	scenario_same old older
	exits 0 shash verify --store_dir store
	exits 0 shash reindex --store_dir store
	exits 0 shash verify --store_dir store
}

@test "a second directory joins, and shares what is stored" {
	shash register --dir work --url "file://$folder/store"
	shash backup --dir work
	cp -a work other
	rm -r other/.shamo
	before=$(scenario_store_bytes store)
	exits 0 shash register --dir other --url "file://$folder/store"
	says vault
	shash backup --dir other
	[ $(($(scenario_store_bytes store) - before)) -lt 16384 ]
	shash restore --dir other --dest copy
	scenario_same other copy
}

@test "the recovery key opens it on another machine" {
	shash register --dir work --url "file://$folder/store" \
	    --label desk --recovery-file recovery
	shash backup --dir work
	mkdir here
	export XDG_CONFIG_HOME=$folder/new
	exits 0 shash register --dir here --url "file://$folder/store" \
	    --recovery-key "$(grep -Eo '([0-9A-Z]{4}-){13}[0-9A-Z]{4}' \
	    recovery)"
	exits 0 shash restore --dir here --mount desk --dest copy
	scenario_same work copy
}

@test "while a server has the store, nobody else opens it" {
	shash register --dir work --url "file://$folder/store"
	shash backup --dir work
	scenario_serve store
	exits 1 shash backup --dir work
	says 'server|in use|running|lock'
	exits 1 shash restore --dir work --dest copy
	says 'server|in use|running|lock'
	scenario_stop
	exits 0 shash backup --dir work
}

@test "a server may take over a store that began without one" {
	shash register --dir work --url "file://$folder/store"
	key=$(shash backup --dir work)
	scenario_serve store
	mkdir here
	scenario_register here
	shash snapshots --dir here --all | grep -q "${key:0:13}"
}

@test "a store that is not there, or is none" {
	shash register --dir work --url "file://$folder/store"
	shash backup --dir work
	mv store away
	exits 10 shash backup --dir work
	[ ! -e store ]
	exits 10 shash restore --dir work --dest copy
	mv away store
	exits 0 shash backup --dir work
	mkdir full
	echo mine >full/file
	mkdir other
	exits 10 shash register --dir other --url "file://$folder/full"
	[ "$(find full | wc -l)" -eq 2 ]
	for bad in file:// file://relative/path "file:$folder/store" \
	    "ftp://localhost/" nonsense ''; do
		exits 2 shash register --dir other --url "$bad"
		says 'url|file:///PATH'
	done
}

@test "a store inside the directory that it backs up" {
	# Whatever is decided of it, it must end, and say what it did.
	shash register --dir work --url "file://$folder/work/store" \
	    >out 2>err || {
		[ -s err ]
		return 0
	}
	timeout 600 shash backup --dir work >out 2>err || [ $? -lt 124 ]
}
