#!/usr/bin/env bats
# Goal: --json prints what docs/json.md says, for every command, whatever names
# hold, and a program needs nothing else.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir -p work/sub
	echo one >work/one
	ln -s one work/link
}

teardown()
{
	scenario_end
}

# member PROGRAM: what jq prints of the last object of ./out
member()
{
	tail -n 1 "$folder/out" | jq -r "$1"
}

# harmless FILE: nothing in it that acts on a terminal
harmless()
{
	[ -z "$(LC_ALL=C tr -d '\n\t -~' <"$1")" ] || { od -c "$1"; false; }
}

@test "each command with a server" {
	port=$(scenario_free_port)
	shash start --store_dir store --port "$port" --json \
	    >started 2>err 3>&- &
	server=$!
	scenario_wait test -s started
	cp started out
	objects listening
	[ "$(member .port)" = "$port" ]
	[ "$(member .insecure)" = false ]
	exits 0 shash invite --store_dir store --json
	objects invitation
	invitation=$(member .invitation)
	exits 0 shash register --dir work --url "http://127.0.0.1:$port/" \
	    --invitation "$invitation" --label desk --json
	objects registration
	[ "$(member .label)" = desk ]
	[ "$(member .new_vault)" = true ]
	[ "$(ls store/vaults)" = "$(member .vault)" ]
	recovery=$(member .recovery_key)
	exits 0 shash key --dir work --json
	objects key
	[ "$(member .recovery_key)" = "$recovery" ]
	exits 0 shash backup --dir work --json
	objects backup
	[ "$(member .key)" = "$("$tests_lib/address.py" work)" ]
	[ "$(member '[.seq, .files, .dirs, .bytes, .unreadable] | @text')" = \
	    '[1,2,2,4,0]' ]
	cp out backup
	exits 0 shash snapshots --dir work --json
	objects snapshot
	[ "$(member .key)" = "$(jq -r .key backup)" ]
	[ "$(member .receive_ns)" = "$(jq -r .receive_ns backup)" ]
	[ "$(member .dir)" = "$folder/work" ]
	exits 0 shash restore --dir work --dest copy --json
	objects restore
	[ "$(member '[.seq, .files, .dirs, .bytes, .failed] | @text')" = \
	    '[1,2,2,4,0]' ]
	exits 0 shash scan --dir copy --json
	objects scan
	[ "$(member .key)" = "$(jq -r .key backup)" ]
	exits 0 shash scan --dir copy/one --json
	objects scan
	[ "$(member .key)" = "$(b3sum --no-names copy/one)" ]
	exits 0 shash verify --store_dir store --json
	objects verify
	[ "$(member '[.vaults, .snapshots, .findings] | @text')" = '[1,1,0]' ]
	exits 0 shash reindex --store_dir store --json
	objects reindex
	exits 0 shash stop --store_dir store --json
	objects stopped
	wait "$server"
	server=
	# The same without one.
	exits 0 shash verify --store_dir store --json
	objects verify
	exits 0 shash reindex --store_dir store --json
	objects reindex
	[ "$(member .vaults)" = 1 ]
}

@test "an error is the last object, with the exit code" {
	exits 10 shash backup --dir work --json
	objects error
	[ "$(member .exit_code)" = 10 ]
	[ "shash: $(member .message)" = "$(cat err)" ]
	exits 14 shash scan --dir absent --json
	objects error
	[ "$(member .exit_code)" = 14 ]
	exits 2 shash backup --jso --json
	objects error
	exits 2 shash bakup --json
	objects error
	[ "$(member .exit_code)" = 2 ]
	exits 2 shash bakup
	[ ! -s out ]
}

@test "damage" {
	shash register --dir work --url "file://$folder/store" 2>err
	head -c 300000 /dev/urandom >work/large
	shash backup --dir work 2>err
	pack=$(find store/vaults -name '*.pack' -size +200k)
	scenario_flip "$pack" "$(scenario_middle "$pack")"
	exits 13 shash verify --store_dir store --json
	objects finding finding verify error
	[ "$(jq -r 'select(.type == "finding").where' out | head -n 1)" = \
	    "${pack#store/}" ]
	[ "$(jq 'select(.type == "verify").findings' out)" = 2 ]
	exits 13 shash restore --dir work --dest copy --json
	objects warning restore error
	[ "$(jq 'select(.type == "restore").damaged' out)" = 1 ]
	snapshot=$(find store/vaults -name '*.snap')
	truncate -s -1 "$snapshot"
	exits 13 shash snapshots --dir work --json
	[ "$(jq -r 'select(.type == "snapshot").damage' out)" != null ]
	"$tests_lib/jsonl.py" out
}

@test "names that are not UTF-8, and names that act on terminals" {
	dir=$'w\xffrk\e[31m'
	mv work "$dir"
	shash register --dir "$dir" --url "file://$folder/store" 2>err
	exits 0 shash backup --dir "$dir" --json
	objects backup
	[ "$(member .dir)" = "$folder/"$'w\xef\xbf\xbdrk\e[31m' ]
	[ "$(member .dir_b64 | base64 -d)" = "$folder/$dir" ]
	exits 0 shash snapshots --dir "$dir" --json
	objects snapshot
	[ "$(member .dir_b64 | base64 -d)" = "$folder/$dir" ]
	exits 0 shash snapshots --dir "$dir"
	harmless out
	exits 0 shash scan --dir "$dir" --json
	objects scan
	[ "$(member .dir_b64 | base64 -d)" = "$dir" ]
	exits 0 shash restore --dir "$dir" --dest "co$dir" --json
	objects restore
	[ "$(member .dest_b64 | base64 -d)" = "co$dir" ]
	harmless err
}

@test "files that cannot be read are named by their bytes" {
	name=$'un\xffreadable\n'
	mkdir -m 755 mine
	echo secret >"mine/$name"
	chmod 0 "mine/$name"
	exits 3 scenario_nobody shash scan --dir "$folder/mine" --json
	objects warning scan error
	[ "$(jq -r 'select(.type == "warning").path_b64' out | base64 -d |
	    od -c)" = "$(printf %s "$name" | od -c)" ]
	[ "$(jq 'select(.type == "scan").unreadable' out)" = 1 ]
	[ "$(member .exit_code)" = 3 ]
}

@test "quiet says nothing, verbose more, both anywhere" {
	exits 0 shash register --dir work --url "file://$folder/store" -q
	# What would be lost otherwise.
	[ "$(wc -l <err)" -eq 1 ]
	says "recovery key.* $(shash key --dir work)"
	exits 0 shash backup --dir work --quiet
	[ ! -s err ]
	[ "$(wc -l <out)" -eq 1 ]
	exits 0 shash backup -v --dir work
	says 'write path'
	exits 0 shash backup --dir work -qv
	says 'write path'
	exits 0 shash restore --dir work --dest copy -q
	[ ! -s err ]
	exits 0 shash verify --store_dir store -q
	[ ! -s err ]
	exits 0 shash reindex --store_dir store -q
	[ ! -s err ]
	exits 10 shash backup --dir copy -q
	says 'register'
	exits 2 shash backup -x
	says 'unknown option -x'
}
