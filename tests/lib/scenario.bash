# Shared by the scenarios: `load ../lib/scenario`, then call scenario_begin in
# setup() and scenario_end in teardown().
#
# Each test gets a folder of its own ($folder, also the current one), a keyring
# of its own, and ends only the processes that it started.
# shellcheck shell=bash

scenario_begin()
{
	SHASH=${SHASH:-$BATS_TEST_DIRNAME/../../build/shash}
	SHASH=$(realpath "$SHASH")
	folder=$(mktemp -d "${TEST_TMP:-${TMPDIR:-/tmp}}/shash.XXXXXX")
	server=
	url=
	export LC_ALL=C.UTF-8 XDG_CONFIG_HOME=$folder/config
	PATH=${SHASH%/*}:$PATH
	cd "$folder" || return 1
}

scenario_end()
{
	if [ -n "$server" ] && kill "$server" 2>/dev/null; then
		wait "$server" || true
	fi
	cd / && rm -rf "$folder"
}

# Whether somebody listens on a port of this machine.
scenario_listens()
{
	(: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# scenario_serve STORE [OPTION...]: start a server on a free port; sets
# $server (its process), $port and $url.  Its log is STORE.log.
scenario_serve()
{
	local store=$1 try i
	shift
	for try in 1 2 3 4 5; do
		port=$((20000 + (RANDOM * 7 + try + $$) % 40000))
		! scenario_listens "$port" || continue
		# bats waits for whoever holds its descriptor 3.
		shash start --store_dir "$store" --port "$port" "$@" \
		    >"$store.log" 2>&1 3>&- &
		server=$!
		for ((i = 0; i < 200; i++)); do
			kill -0 "$server" 2>/dev/null || break
			if scenario_listens "$port"; then
				url=http://127.0.0.1:$port/
				return 0
			fi
			sleep 0.05
		done
		kill "$server" 2>/dev/null || true
		wait "$server" || true
		server=
	done
	cat "$store.log"
	return 1
}

# scenario_stop: SIGTERM to the server; fails when it did not end cleanly.
scenario_stop()
{
	local pid=$server
	server=
	kill "$pid" && wait "$pid"
}

# scenario_register DIR [OPTION...]: with a fresh invitation of ./store
scenario_register()
{
	local dir=$1
	shift
	shash register --dir "$dir" --url "$url" \
	    --invitation "$(shash invite --store_dir store)" "$@"
}

# scenario_facts DIR: everything that find sees but contents, sorted
scenario_facts()
{
	(cd "$1" && find . -path ./.shamo -prune -o -type d \
	    -printf '%P %y %m %U %G %T@\n' -o \
	    -printf '%P %y %m %U %G %T@ %n %s %l\n' | sort)
}

# scenario_same A B: other programs find no difference between two trees
scenario_same()
{
	local compare=(rsync -aHAXni --checksum --delete --numeric-ids
		--modify-window=-1 --exclude=/.shamo) out
	out=$("${compare[@]}" "$1/" "$2/") || return 1
	[ -z "$out" ] || { head -50 <<<"$out"; return 1; }
	out=$("${compare[@]}" "$2/" "$1/") || return 1
	[ -z "$out" ] || { head -50 <<<"$out"; return 1; }
	diff <(scenario_facts "$1") <(scenario_facts "$2") | head -50
	return "${PIPESTATUS[0]}"
}
