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
	tests_lib=$BATS_TEST_DIRNAME/../lib
	server=
	url=
	proxy=
	export LC_ALL=C.UTF-8 XDG_CONFIG_HOME=$folder/config
	scenario_own_ports
	# Servers that are down here mostly stay so.
	export SHASH_RETRY=2s
	PATH=${SHASH%/*}:$PATH
	cd "$folder" || return 1
}

scenario_end()
{
	local pid
	for pid in $server $proxy; do
		! kill "$pid" 2>/dev/null || wait "$pid" || true
	done
	[ -z "${ports_lock:-}" ] || exec {ports_lock}>&-
	cd / && chmod -R u+rwX "$folder" && rm -rf "$folder"
}

# scenario_own_ports: 40 ports that no other test of this machine takes, also
# not while nobody listens on them, between two servers of a test.  The lock is
# held until the test and whatever it started have ended; the file says which
# port came last, so that they come in turn.  tests/fault/surroundings.py has
# the same.
scenario_own_ports()
{
	local places=/tmp/shash-ports.$EUID slot
	mkdir -p "$places"
	for ((slot = 0; slot < 300; slot++)); do
		ports_file=$places/$slot
		exec {ports_lock}<>"$ports_file"
		! flock -n "$ports_lock" || break
		exec {ports_lock}>&-
	done
	# Below those that the system gives to whoever connects.
	ports_first=$((20000 + 40 * slot))
}

# Whether somebody listens on a port of this machine.
scenario_listens()
{
	(: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# scenario_serve_at STORE PORT [OPTION...]: start a server; sets $server (its
# process), $port and $url.  Its log is STORE.log.
scenario_serve_at()
{
	local store=$1 i
	port=$2
	shift 2
	# bats waits for whoever holds its descriptor 3.
	shash start --store_dir "$store" --port "$port" "$@" \
	    >>"$store.log" 2>&1 3>&- &
	server=$!
	for ((i = 0; i < 2400; i++)); do
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
	return 1
}

# scenario_serve STORE [OPTION...]: the same on a free port
scenario_serve()
{
	local store=$1 tries=0
	shift
	while ((tries++ < 5)); do
		port=$(scenario_free_port)
		! scenario_serve_at "$store" "$port" "$@" || return 0
	done
	cat "$store.log"
	return 1
}

# scenario_free_port: print the next of the test's own ports on which nobody
# listens
scenario_free_port()
{
	local n port tries
	n=$(<"$ports_file")
	for ((tries = 0; tries < 40; tries++)); do
		n=$(((${n:-0} + 1) % 40))
		port=$((ports_first + n))
		scenario_listens "$port" || break
	done
	echo "$n" >"$ports_file"
	echo "$port"
}

# scenario_proxy NAME [--hold N | --cut N]: a proxy in front of the server;
# sets $proxy and $proxy_url.  tests/lib/countproxy.py says what it writes.
scenario_proxy()
{
	local name=$1 i
	shift
	"$tests_lib/countproxy.py" --to "$port" --log "$folder/$name" "$@" \
	    3>&- &
	proxy=$!
	for ((i = 0; i < 2400; i++)); do
		[ ! -e "$folder/$name.port" ] || break
		sleep 0.05
	done
	# shellcheck disable=SC2034 # the scenarios use it
	proxy_url=http://127.0.0.1:$(cat "$folder/$name.port")/
}

# scenario_wire NAME: bytes that passed a proxy, both ways
scenario_wire()
{
	echo $(($(stat -c %s "$folder/$1.up") + \
	    $(stat -c %s "$folder/$1.down")))
}

# scenario_strace ARG...: of all threads, into ./trace.  The leak check of a
# sanitized build cannot work under it.  A call that another thread's cut in
# two stands on one line, as it ended, so that a test sees its result.
scenario_strace()
{
	local rc=0
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o trace "$@" || rc=$?
	awk '{ pid = $1 }
	    sub(/ <unfinished \.\.\.>$/, "") { begun[pid] = $0; next }
	    /^[0-9]+ +([0-9.]+ )?<\.\.\. / && pid in begun {
		sub(/.* resumed>/, "")
		$0 = begun[pid] $0
		delete begun[pid]
	    }
	    { print }
	    END { for (pid in begun) print begun[pid] }' trace >trace.whole
	mv trace.whole trace
	return "$rc"
}

# scenario_wait COMMAND...: until it succeeds; two minutes of pauses at most,
# which only a machine that stands still, or a bug, takes
scenario_wait()
{
	local i
	for ((i = 0; i < 2400; i++)); do
		! "$@" || return 0
		sleep 0.05
	done
	echo "never came: $*"
	return 1
}

# scenario_flip FILE OFFSET: one bit of it.  A constant written over random
# bytes would change nothing once in a while.
scenario_flip()
{
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\$(printf %03o $((byte ^ 1 << $2 % 8)))" |
	    dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# scenario_middle PACK: an offset in the sealed bytes of its largest record, in
# their middle.  A fixed one meets, once in a while, what is between two
# records: where a content is cut follows from the vault's key.
scenario_middle()
{
	python3 - "$1" <<-'END'
	import struct, sys
	data = open(sys.argv[1], "rb").read()
	at, best = 48, (0, 0)
	while data[at:at + 4] == b"HSR1":
	    refs, members, sealed = struct.unpack_from("<III", data, at + 12)
	    begin = at + 72 + 32 * (refs + members)
	    best = max(best, (sealed, begin + sealed // 2))
	    at = begin + sealed + 32
	print(best[1])
	END
}

# scenario_meanwhile CALLS HOW PATH NAME COMMAND...: run what is in ${run[@]}.
# After it has made one of the system calls CALLS (with commas between) on PATH
# or NAME it is stopped, COMMAND runs, and it goes on: the first time (HOW is
# once), or each time.  No clock decides who comes first.  Its stdout goes to
# ./out, its stderr to ./err; sets $rc.
scenario_meanwhile()
{
	local calls=$1 how=$2 path=$3 name=$4 pid stops=0 ran=
	shift 4
	rm -f trace
	# shellcheck disable=SC2154 # the scenario sets it
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o trace -P "$name" \
	    -P "$path" -e trace="$calls" \
	    -e inject="$calls":signal=SIGSTOP:when=1+ \
	    "${run[@]}" >out 2>err 3>&- &
	pid=$!
	while scenario_wait scenario_stopped "$stops" "$pid" &&
	    kill -0 "$pid" 2>/dev/null; do
		stops=$(grep -c -e '--- SIGSTOP {' trace)
		if [ "$how" != once ] || [ -z "$ran" ]; then
			"$@"
		fi
		ran=1
		# Any of its threads will do; it may be at its end.
		kill -CONT "$(awk '/SIGSTOP [{]/ { print $1; exit }' trace)" ||
		    true
	done
	rc=0
	wait "$pid" || rc=$?
	cat err
	# The canary.
	[ -n "$ran" ]
}

# scenario_stopped N PID: a program that strace PID runs was stopped more than N
# times, or has ended
scenario_stopped()
{
	! kill -0 "$2" 2>/dev/null || { [ -e trace ] &&
	    [ "$(grep -c -e '--- SIGSTOP {' trace)" -gt "$1" ]; }
}

# scenario_signalled PID: no signal waits any more for the process to take it
scenario_signalled()
{
	! grep -Eq '^(Shd|Sig)Pnd:.*[1-9a-f]' "/proc/$1/status" 2>/dev/null
}

# scenario_store_bytes STORE: what is durable in it
scenario_store_bytes()
{
	find "$1" \( -path "$1/index" -o -path "$1/reserve" \) -prune -o \
	    -type f -printf '%s\n' |
	    awk '{ n += $1 } END { print n + 0 }'
}

# scenario_root: the rest of a test needs root, which CI has
scenario_root()
{
	[ "$EUID" -eq 0 ] || skip 'needs root'
}

# scenario_nobody COMMAND...: as a user without privileges; root becomes one.
# Its keyring is ./nobody.
scenario_nobody()
{
	if [ "$EUID" -ne 0 ]; then
		env XDG_CONFIG_HOME="$folder/nobody" "$@"
		return
	fi
	if [ ! -d "$folder/nobody" ]; then
		chmod 711 "$folder"
		install -d -o 65534 "$folder/nobody"
		install -d -m 755 "$folder/bin"
		install -m 755 "$SHASH" "$folder/bin/shash"
	fi
	setpriv --reuid 65534 --regid 65534 --clear-groups env \
	    XDG_CONFIG_HOME="$folder/nobody" HOME="$folder/nobody" \
	    PATH="$folder/bin:$PATH" "$@"
}

# exits CODE COMMAND...: it does; its stdout goes to $folder/out, its stderr
# to $folder/err
exits()
{
	local want=$1 got=0
	shift
	"$@" >"$folder/out" 2>"$folder/err" || got=$?
	[ "$got" -ne "$want" ] || return 0
	echo "exit code $got, not $want: $*"
	head -50 "$folder/out" "$folder/err"
	return 1
}

# says REGEX: the stderr of the last `exits` has a line that matches
says()
{
	grep -Eqi -e "$1" "$folder/err" || {
		echo "nothing like '$1' in:"
		head -50 "$folder/err"
		return 1
	}
}

# objects TYPE...: the stdout of the last `exits` has JSON objects of these
# types, in this order, as docs/json.md has them
objects()
{
	local types
	types=$("$tests_lib/jsonl.py" "$folder/out") || return 1
	[ "$(tr '\n' ' ' <<<"$types")" = "$* " ] || {
		echo "not $*:" && cat "$folder/out"
		return 1
	}
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
