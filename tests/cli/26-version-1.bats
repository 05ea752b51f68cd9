#!/usr/bin/env bats
# Goal: what version 1 of the format stored is restored for good.  The store of
# tests/vectors/version1 was made when that version was frozen, by the script
# beside it; programs of any later day restore it, bit by bit.

load ../lib/scenario

setup()
{
	scenario_begin
	golden=$BATS_TEST_DIRNAME/../vectors/version1
	recovery=$(cat "$golden/recovery-key")
	tar -xf "$golden/store.tar"
	mkdir empty
}

teardown()
{
	scenario_end
}

# as_it_was NAME: what stands in NAME is that snapshot
as_it_was()
{
	"$golden/list" "$1" >"$1.list"
	cp "$golden/$1.key" .
	shash scan --dir "$1" | cmp - "$1.key"
	grep " $1\." "$golden/sums" | b3sum --check
}

@test "shash restores a store of version 1" {
	shash register --dir empty --url "file://$folder/store" \
	    --recovery_key "$recovery"
	shash verify --store_dir store
	shash restore --dir empty --mount golden --udk @1 --dest first
	shash restore --dir empty --mount golden --udk @2 --dest second
	as_it_was first
	as_it_was second
}

@test "a server gives it, and the vault takes another snapshot" {
	scenario_serve store
	shash register --dir empty --url "$url" --recovery_key "$recovery" \
	    --invitation "$(shash invite --store_dir store)" --label later
	shash restore --dir empty --mount golden --dest second
	as_it_was second
	cp -a second/. empty
	shash backup --dir empty >key
	cmp key "$golden/second.key"
	shash restore --dir empty --mount golden --udk @1 --dest first
	as_it_was first
}

@test "the second implementation restores a store of version 1" {
	restorer=$BATS_TEST_DIRNAME/../../tools/restore.py
	"$restorer" --store store --recovery-key "$recovery" \
	    --mount golden --dest first --seq @1
	as_it_was first
	"$restorer" --store store --recovery-key "$recovery" \
	    --mount golden --dest second --seq @2
	as_it_was second
}

# changed MEMBER VALUE FILE: print a small file of the store with one member
# changed, and the checksum that it has then (docs/protocol.md 7)
changed()
{
	python3 - "$@" <<-'END'
	import json, subprocess, sys
	name, value, path = sys.argv[1:]
	j = json.load(open(path))
	del j["checksum"]
	j[name] = int(value)
	compact = json.dumps(j, sort_keys=True, separators=(",", ":"))
	j["checksum"] = subprocess.run(["b3sum", "--no-names"], check=True,
	    input=compact.encode(), capture_output=True).stdout.decode().strip()
	print(json.dumps(j, sort_keys=True, indent=2))
	END
}

@test "a keyring of version 0 is read, one of a newer version says so" {
	shash register --dir empty --url "file://$folder/store" \
	    --recovery_key "$recovery"
	ring=$(echo config/hashstore/*.json)
	cp "$ring" kept
	sed 's/\("format":\) 1/\1 0/' kept >"$ring"
	grep -q '"format": 0' "$ring"
	shash backup --dir empty
	sed 's/\("format":\) 1/\1 2/' kept >"$ring"
	code=0
	shash backup --dir empty 2>err || code=$?
	[ "$code" -eq 10 ]
	grep -q 'newer shash' err
	[ "$(wc -l <err)" -eq 1 ]
}

@test "a vault of a newer format, or with another key epoch, says so" {
	shash register --dir empty --url "file://$folder/store" \
	    --recovery_key "$recovery"
	header=$(echo store/vaults/*/vault.json)
	cp "$header" kept
	changed format 1 kept | cmp - kept
	for change in 'format 2' 'epoch 1'; do
		# shellcheck disable=SC2086 # member and value
		changed $change kept >"$header"
		for command in backup 'restore --mount golden --dest new'; do
			code=0
			# shellcheck disable=SC2086 # words of a command
			shash $command --dir empty 2>err || code=$?
			[ "$code" -eq 10 ]
			grep -q 'use a newer shash$' err
			[ "$(wc -l <err)" -eq 1 ]
		done
	done
}
