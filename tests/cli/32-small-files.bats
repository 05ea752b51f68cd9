#!/usr/bin/env bats
# Goal: the small files of a store and of a client that are longer, empty, no
# files, or that may not be read: one clear line, the documented exit code, and
# all goes on once they are as they were.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir work
	echo one >work/one
	shash register --dir work --url "file://$folder/store" 2>/dev/null
	shash backup --dir work 2>/dev/null
	shash keep --store_dir store --last 3 2>/dev/null
	shash prune --store_dir store 2>/dev/null
	mkdir clean
	cp -a store work/.shamo config clean
}

teardown()
{
	scenario_end
}

# What may become of a file.
more() { printf x >>"$1"; }
long() { head -c 200000 /dev/zero >>"$1"; }
empty() { : >"$1"; }
gone() { rm "$1"; }
folder() { rm "$1" && mkdir "$1"; }
loop() { rm "$1" && ln -s "${1##*/}" "$1"; }
fifo() { rm "$1" && mkfifo "$1"; }
harms='more long empty folder loop fifo'

# afresh: all as it was
afresh()
{
	rm -rf store work/.shamo config copy
	cp -a clean/store clean/config .
	cp -a clean/.shamo work
}

# one_line NAME: the stderr of the last `exits` is one line, about this file
one_line()
{
	[ "$(wc -l <err)" -eq 1 ] || { cat err; return 1; }
	says "$1"
}

@test "a store's identity" {
	for file in store.json server.key; do
		for harm in $harms; do
			afresh
			$harm "store/$file"
			for command in 'verify --store_dir store' \
			    'backup --dir work' 'invite --store_dir store' \
			    'start --store_dir store --port 0' \
			    'keep --store_dir store'; do
				# shellcheck disable=SC2086 # words
				exits 13 shash $command
				one_line "$file"
			done
			diff -r clean/store/vaults store/vaults
		done
	done
	afresh
	gone store/server.key
	exits 13 shash verify --store_dir store
	one_line 'server.key.* is gone; put it back'
	afresh
	exits 0 shash backup --dir work
}

@test "a store's files of which there is a copy, or that are made anew" {
	for harm in $harms; do
		afresh
		for file in store/mounts/*.json store/vaults/*/vault.json; do
			$harm "$file"
			exits 13 shash verify --store_dir store
			grep -q "${file#store/}: .*put back" out
			exits 0 shash verify --store_dir store
		done
		$harm store/clock.json
		exits 0 shash backup --dir work
		exits 0 shash prune --store_dir store
		exits 0 shash verify --store_dir store
		exits 0 shash restore --dir work --dest copy
		scenario_same work copy
	done
	# A folder with something in it is nobody's to remove.
	for file in store/mounts/*.json store/vaults/*/vault.json; do
		afresh
		rm "$file"
		mkdir "$file"
		echo mine >"$file/file"
		exits 13 shash verify --store_dir store
		grep -q "${file#store/}: .*move away" out
		exits 13 shash backup --dir work
		one_line "${file##*/}"
		[ "$(cat "$file/file")" = mine ]
		rm "$file/file"
		exits 13 shash verify --store_dir store
		exits 0 shash verify --store_dir store
	done
	for harm in folder loop fifo; do
		afresh
		$harm store/lock
		exits 13 shash backup --dir work
		one_line 'store/lock'
	done
}

@test "a client's state" {
	for file in work/.shamo/config.json work/.shamo/mount.key \
	    config/hashstore/vault-*.json; do
		for harm in $harms gone; do
			afresh
			$harm "$file"
			exits 10 shash backup --dir work
			one_line "${file##*/}|not registered|keyring"
			exits 10 shash snapshots --dir work
		done
	done
	for harm in folder loop fifo; do
		afresh
		$harm work/.shamo/lock
		exits 10 shash backup --dir work
		one_line 'lock'
	done
	# Nothing hangs on what is only for people, nor on a cache.
	for harm in $harms gone; do
		afresh
		$harm work/.shamo/head.json
		exits 0 shash backup --dir work
		for file in last data.mdb; do
			$harm "work/.shamo/cache/$file"
			exits 0 shash backup --dir work
		done
		exits 0 shash restore --dir work --dest copy
		scenario_same work copy
	done
}

@test "files that nobody may read" {
	scenario_nobody true
	chmod 755 .
	[ "$EUID" -ne 0 ] || chown -R 65534:65534 clean
	for file in store/store.json store/server.key store/lock \
	    store/mounts/*.json work/.shamo/config.json work/.shamo/mount.key \
	    config/hashstore/vault-*.json; do
		afresh
		chmod 000 "$file"
		want=1
		[[ $file == store/* ]] || want=10
		exits "$want" scenario_nobody env \
		    XDG_CONFIG_HOME="$folder/config" shash backup --dir work
		one_line "${file##*/}.*ermission"
	done
}
