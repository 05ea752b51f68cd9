#!/usr/bin/env bats
# Goal: who may register, which vault a directory joins, and how a new machine
# gets everything back with an invitation and the recovery key.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir work
	seq 1 20000 >work/numbers
	echo small >work/small
	scenario_serve store
}

teardown()
{
	scenario_end
}

group='[0-9A-HJKMNP-TV-Z]{4}'

# recovery_in FILE: the recovery key that stands in it
recovery_in()
{
	grep -Eo "($group-){13}$group" "$1"
}

@test "an invitation is good for one registration" {
	invitation=$(shash invite --store_dir store)
	shash register --dir work --url "$url" --invitation "$invitation"
	mkdir other
	exits 12 shash register --dir other --url "$url" \
	    --invitation "$invitation"
	says 'invitation'
	exits 10 shash backup --dir other
}

# liar: a proxy that passes on one registration and answers that it was
# refused; sets $proxy and $liar_url
liar()
{
	python3 - "$port" "$folder/liar" 3>&- <<-'PYTHON' &
	import http.client, http.server, os, sys
	class Liar(http.server.BaseHTTPRequestHandler):
	    protocol_version = "HTTP/1.1"
	    def pass_on(self):
	        n = int(self.headers.get("Content-Length", 0))
	        c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
	        c.request(self.command, self.path, self.rfile.read(n),
	                  dict(self.headers))
	        a = c.getresponse()
	        status, body = a.status, a.read()
	        if self.path == "/v1/register":
	            open(sys.argv[2] + ".said", "w").write(str(status))
	            status = 403
	            body = b'{"error":"refused","text":"go away"}'
	        self.send_response(status)
	        self.send_header("Content-Type", a.getheader("Content-Type"))
	        self.send_header("Content-Length", str(len(body)))
	        self.end_headers()
	        self.wfile.write(body)
	    do_GET = do_POST = pass_on
	s = http.server.HTTPServer(("127.0.0.1", 0), Liar)
	open(sys.argv[2] + ".new", "w").write(str(s.server_port))
	os.rename(sys.argv[2] + ".new", sys.argv[2])
	s.serve_forever()
	PYTHON
	proxy=$!
	scenario_wait test -e liar
	liar_url=http://127.0.0.1:$(cat liar)/
}

@test "a no that was put into the store's mouth loses nothing" {
	invitation=$(shash invite --store_dir store)
	liar
	exits 12 shash register --dir work --url "$liar_url" \
	    --invitation "$invitation"
	says 'go away'
	[ "$(cat liar.said)" = 200 ]
	shash register --dir work --url "$url" --invitation "$invitation" \
	    2>err
	[ -n "$(recovery_in err)" ]
	[ "$(find store/vaults -name vault.json | wc -l)" -eq 1 ]
	[ ! -e work/.shamo/pending.key ]
	shash backup --dir work
	shash restore --dir work --dest copy
	scenario_same work copy
}

@test "the same, and meanwhile another directory was registered" {
	invitation=$(shash invite --store_dir store)
	liar
	exits 12 shash register --dir work --url "$liar_url" \
	    --invitation "$invitation"
	mkdir other
	scenario_register other
	exits 0 shash register --dir work --url "$url" \
	    --invitation "$invitation"
	says 'opened a new vault'
	shash backup --dir work
}

@test "a slip in the invitation opens no vault of its own" {
	exits 12 shash register --dir work --url "$url" \
	    --invitation 9d739ff3-c218-4a52-a6c3-22fb669c74df
	mkdir other
	scenario_register other
	exits 0 shash register --dir work --url "$url" \
	    --invitation "$(shash invite --store_dir store)"
	says 'joined your vault'
	[ "$(find store/vaults -name vault.json | wc -l)" -eq 1 ]
	[ ! -e work/.shamo/pending.key ]
}

@test "of several vaults the user says which" {
	mkdir other third
	scenario_register work
	scenario_register other --new_vault
	exits 2 scenario_register third
	says '2 vaults on this store.*--recovery-key.*--new_vault'
	[ ! -e third/.shamo/registration.json ]
	scenario_register third --recovery-key "$(shash key --dir work)"
	shash backup --dir work
	exits 0 shash backup --dir third
	exits 0 shash snapshots --dir third --all
	[ "$(wc -l <out)" -eq 2 ]
}

@test "another user cannot use a used invitation either" {
	invitation=$(shash invite --store_dir store)
	shash register --dir work --url "$url" --invitation "$invitation"
	mkdir other
	XDG_CONFIG_HOME=$folder/elsewhere exits 12 shash register \
	    --dir other --url "$url" --invitation "$invitation"
}

@test "an invitation that has expired" {
	exits 0 shash invite --store_dir store --ttl 1s --json
	invitation=$(jq -r .invitation out)
	expires=$(jq .expires_ns out)
	used=$(shash invite --store_dir store --ttl 20m)
	shash register --dir work --url "$url" --invitation "$used"
	scenario_wait eval '[ "$(date +%s%N)" -gt "$expires" ]'
	mkdir late
	exits 12 shash register --dir late --url "$url" \
	    --invitation "$invitation"
	says 'expired [0-9]+ (second|minute)s? ago; ask for a new one'
	# Those who have it already lost nothing, and so does who comes again.
	shash backup --dir work
	invitation=$(shash invite --store_dir store --ttl 0)
	shash register --dir late --url "$url" --invitation "$invitation"
	exits 0 shash invite --store_dir store --ttl 0 --json
	[ "$(jq .expires_ns out)" = null ]
	exits 0 shash invite --store_dir store --json
	week=$((7 * 86400 - ($(jq .expires_ns out) / 1000000000 - \
	    $(date +%s))))
	[ "${week#-}" -lt 3600 ]
	exits 2 shash invite --store_dir store --ttl 7
	says '7d'
}

@test "invitations that are unknown, malformed or absent" {
	exits 12 shash register --dir work --url "$url" \
	    --invitation 9d739ff3-c218-4a52-a6c3-22fb669c74df
	says 'invitation'
	for bad in hello '' 9d739ff3-c218-4a52-a6c3-22fb669c74d \
	    9d739ff3-c218-4a52-a6c3-22fb669c74dfa \
	    zd739ff3-c218-4a52-a6c3-22fb669c74df; do
		exits 2 shash register --dir work --url "$url" \
		    --invitation "$bad"
		says 'invitation'
	done
	shash register --dir work --url "$url" >out 2>err && false
	says 'invitation'
	# Nobody is asked about what cannot be one.
	exits 2 shash register --dir work --url http://127.0.0.1:1/ \
	    --retry 5m --invitation hello
	says "'hello' is no invitation: it looks like "
	exits 10 shash backup --dir work
}

@test "the same client may repeat a registration whose answer was lost" {
	invitation=$(shash invite --store_dir store)
	shash register --dir work --url "$url" --invitation "$invitation"
	rm work/.shamo/config.json
	exits 0 shash register --dir work --url "$url" \
	    --invitation "$invitation"
	exits 0 shash backup --dir work
	exits 0 shash restore --dir work --dest copy
	scenario_same work copy
}

@test "registering a registered directory does no harm" {
	scenario_register work
	key=$(shash backup --dir work)
	exits 12 scenario_register work
	says 'registered already'
	[ "$(shash backup --dir work)" = "$key" ]
	shash restore --dir work --dest copy
	scenario_same work copy
}

@test "a second directory joins the user's vault and says so" {
	exits 0 scenario_register work
	recovery_in err >first
	vault=$(basename store/vaults/*)
	shash backup --dir work
	cp -a work other
	rm -r other/.shamo
	exits 0 scenario_register other --label second
	says 'vault'
	says "${vault:0:8}"
	run recovery_in err
	[ "$status" -ne 0 ]
	[ "$(ls store/vaults)" = "$vault" ]
	before=$(scenario_store_bytes store)
	shash backup --dir other
	[ $(($(scenario_store_bytes store) - before)) -lt 16384 ]
	[ "$(shash key --dir other)" = "$(cat first)" ]
	[ "$(shash snapshots --dir work | wc -l)" -eq 1 ]
	[ "$(shash snapshots --dir work --all | wc -l)" -eq 2 ]
	shash snapshots --dir work --all | grep -q second
	exits 0 shash restore --dir work --mount second --dest copy
	scenario_same other copy
}

@test "--new-vault makes a second vault with another recovery key" {
	scenario_register work
	shash backup --dir work
	cp -a work other
	rm -r other/.shamo
	exits 0 scenario_register other --new-vault
	recovery_in err >second
	[ "$(find store/vaults -mindepth 1 -maxdepth 1 | wc -l)" -eq 2 ]
	[ "$(shash key --dir other)" = "$(cat second)" ]
	[ "$(shash key --dir work)" != "$(cat second)" ]
	shash backup --dir other
	[ "$(shash snapshots --dir work --all | wc -l)" -eq 1 ]
	exits 14 shash restore --dir other --mount "$(sed -n \
	    's/.*"mount": *"\(.*\)".*/\1/p' work/.shamo/config.json)" \
	    --dest copy
	[ ! -e copy ]
}

@test "the recovery key: on stderr, again by key, or in a file" {
	exits 0 scenario_register work
	[ "$(recovery_in err | wc -l)" -eq 1 ]
	[ "$(shash key --dir work)" = "$(recovery_in err)" ]
	# The same vault's key again is not in the way.
	mkdir second
	shash key --dir work >same
	cp same before
	exits 0 scenario_register second --recovery-file same
	cmp before same
	# Nobody believes that a file is there which is not.
	mkdir fourth
	exits 0 scenario_register fourth --recovery-file absent
	says "absent was not written: .* 'shash key' prints"
	[ ! -e absent ]
	mkdir other
	exits 0 scenario_register other --new-vault --recovery-file secret
	run recovery_in err
	[ "$status" -ne 0 ]
	[ "$(stat -c %a secret)" = 600 ]
	[ "$(shash key --dir other)" = "$(recovery_in secret)" ]
	# An existing file, perhaps the other vault's only copy, is not lost.
	cp secret before
	mkdir third
	exits 2 scenario_register third --new-vault --recovery-file secret
	says 'secret is there already and does not hold'
	cmp before secret
	echo something else >mine
	exits 2 scenario_register third --new-vault --recovery-file mine
	[ "$(cat mine)" = 'something else' ]
	exits 2 scenario_register third --new-vault --recovery-file other
}

@test "a registration that is repeated finds its own recovery file" {
	invitation=$(shash invite --store_dir store)
	shash register --dir work --url "$url" --invitation "$invitation" \
	    --recovery-file secret
	cp secret before
	# As after a crash between the answer and the end.
	rm work/.shamo/config.json
	exits 0 shash register --dir work --url "$url" \
	    --invitation "$invitation" --recovery-file secret
	cmp before secret
	exits 0 shash backup --dir work
}

@test "a recovery file that cannot be read just now is no other one" {
	local again=(shash register --dir work --url "file://$folder/local"
	    --recovery-file secret)
	"${again[@]}"
	rm -r work/.shamo
	exits 1 scenario_strace -P secret -P "$folder/secret" \
	    -e trace=openat -e inject=openat:error=EINTR "${again[@]}"
	grep -q INJECTED trace
	! says 'does not hold' || false
	"${again[@]}"
	[ "$(shash key --dir work)" = "$(cat secret)" ]
}

@test "a registration that was killed gives its recovery file when repeated" {
	local again=(shash register --dir work --url "file://$folder/local"
	    --recovery-file secret)
	"${CC:-cc}" -std=c17 -D_GNU_SOURCE -O2 -o killat \
	    "$BATS_TEST_DIRNAME/../fault/killat.c"
	again[0]=$SHASH
	# Once to make the store, and once to see the calls.
	"${again[@]}"
	rm -r work/.shamo config secret
	# A traced process cannot look for leaks.
	export ASAN_OPTIONS=detect_leaks=0
	./killat calls 0 "${again[@]}"
	rm secret
	exits 12 "${again[@]}"
	says 'registered already; .*shash key --dir work > secret'
	# Before each call from the keyring on; those of gcc's counters, which
	# come at the end, are none of it.
	from=$(awk '/vault-[0-9a-f]*\.json/ { print $1; exit }' calls)
	last=$(awk '/\.gcda/ { next }
	    $1 ~ /^[0-9]+$/ { n = $1 } END { print n }' calls)
	[ "$((last - from))" -ge 10 ]
	for ((n = from; n <= last; n++)); do
		rm -rf work/.shamo config secret
		exits 137 ./killat calls "$n" "${again[@]}"
		rc=0
		"${again[@]}" 2>err || rc=$?
		[ "$rc" -eq 0 ] || [ "$rc" -eq 12 ]
		[ "$(shash key --dir work)" = "$(cat secret)" ]
		# Nor does the master key stay in the directory.
		shash backup --dir work
		[ ! -e work/.shamo/pending.key ]
	done
}

# machine NAME COMMAND...: as on a machine that has nothing but the program
machine()
{
	local name=$1
	shift
	env XDG_CONFIG_HOME="$folder/$name" HOME="$folder/$name" "$@"
}

@test "a new machine restores with an invitation and the recovery key" {
	scenario_register work --label desk 2>err
	recovery=$(recovery_in err)
	key=$(shash backup --dir work)
	rm -rf config
	mkdir here
	invitation=$(shash invite --store_dir store)
	exits 0 machine new shash register --dir here --url "$url" \
	    --invitation "$invitation" --recovery-key "$recovery" \
	    --label laptop
	says 'vault'
	exits 14 machine new shash restore --dir here --dest copy
	says '\-\-mount|--all'
	exits 0 machine new shash snapshots --dir here --all
	grep -q "${key:0:13}" out
	grep -q desk out
	exits 0 machine new shash restore --dir here --mount desk --dest copy
	scenario_same work copy
	# It takes part from now on: nothing is stored twice.
	before=$(scenario_store_bytes store)
	rm -rf copy/.shamo
	cp -a copy/. here/
	[ "$(machine new shash backup --dir here)" = "$key" ]
	[ $(($(scenario_store_bytes store) - before)) -lt 16384 ]
}

@test "a recovery key as people type it, and with an error" {
	scenario_register work --label desk 2>err
	recovery=$(recovery_in err)
	key=$(shash backup --dir work)
	mkdir here there
	# Each single wrong character is noticed.
	for at in 0 7 30 68; do
		typed=$recovery
		case ${typed:at:1} in
		0) other=1 ;;
		*) other=0 ;;
		esac
		typed=${typed:0:at}$other${typed:at+1}
		invitation=$(shash invite --store_dir store)
		exits 2 machine new shash register --dir here --url "$url" \
		    --invitation "$invitation" --recovery-key "$typed"
		says 'recovery key'
	done
	exits 2 machine new shash register --dir here --url "$url" \
	    --invitation "$invitation" --recovery-key "${recovery:5}"
	# Lower case, blanks, and letters that look like digits.
	typed=$(tr 'A-Z01-' 'a-zol ' <<<"$recovery")
	exits 0 machine new shash register --dir here --url "$url" \
	    --invitation "$invitation" --recovery-key "$typed"
	machine new shash restore --dir here --mount desk --dest copy
	scenario_same work copy
}

@test "without the recovery key an invitation opens only a new vault" {
	scenario_register work --label desk 2>/dev/null
	shash backup --dir work
	vault=$(basename store/vaults/*)
	mkdir here
	exits 0 machine new shash register --dir here --url "$url" \
	    --invitation "$(shash invite --store_dir store)"
	[ "$(find store/vaults -mindepth 1 -maxdepth 1 | wc -l)" -eq 2 ]
	exits 0 machine new shash snapshots --dir here --all
	[ ! -s out ]
	exits 14 machine new shash restore --dir here --mount desk --dest copy
	# Claiming the vault's id is not being a member of it.
	other=$(sed -n 's/.*"vault": *"\(.*\)".*/\1/p' here/.shamo/config.json)
	sed -i "s/$other/$vault/" here/.shamo/config.json
	machine new shash snapshots --dir here --all >out 2>err && false
	[ ! -s out ]
}

@test "a server without invitations is trusted on first use, and says so" {
	scenario_stop
	scenario_serve store --insecure
	exits 0 shash register --dir work --url "$url"
	says 'trust|first use'
	exits 0 shash backup --dir work
	scenario_stop
	# Only that server's start allowed it.
	scenario_serve store
	mkdir other
	exits 12 shash register --dir other --url "$url"
	says 'invitation'
}

@test "another store at the same address is refused" {
	scenario_register work
	shash backup --dir work
	scenario_stop
	scenario_serve_at other "$port"
	exits 12 shash backup --dir work
	says 'store|key|server'
	exits 12 shash restore --dir work --dest copy
	exits 12 shash snapshots --dir work
	scenario_stop
	scenario_serve_at store "$port"
	exits 0 shash backup --dir work
}

@test "no keyring, another's keyring, no registration" {
	scenario_register work
	shash backup --dir work
	exits 10 machine new shash backup --dir work
	says 'keyring|recovery'
	exits 10 machine new shash restore --dir work --dest copy
	exits 10 machine new shash key --dir work
	# A copy of the directory carries the mount's key and nothing else.
	cp -a work taken
	exits 10 machine new shash snapshots --dir taken
	mkdir plain
	for command in backup 'restore --dest copy' snapshots key; do
		# shellcheck disable=SC2086 # words of a command
		exits 10 shash $command --dir plain
		says 'register'
	done
	exits 0 shash scan --dir plain
}

@test "no server, no such host" {
	scenario_register work
	shash backup --dir work
	scenario_stop
	exits 11 shash backup --dir work
	says "$port"
	exits 11 shash restore --dir work --dest copy
	exits 11 shash snapshots --dir work
	mkdir other
	exits 11 shash register --dir other --url "$url" \
	    --invitation 9d739ff3-c218-4a52-a6c3-22fb669c74df
	exits 11 shash register --dir other --url http://no-such.invalid/ \
	    --invitation 9d739ff3-c218-4a52-a6c3-22fb669c74df
	says 'resolve.*no-such.invalid'
	exits 0 shash key --dir work
	exits 0 shash scan --dir work
}

@test "a damaged state says what to do" {
	scenario_register work
	cp -a work/.shamo state
	for file in config.json mount.key; do
		for harm in 'truncate -s 0' 'truncate -s 10' rm; do
			rm -r work/.shamo
			cp -a state work/.shamo
			$harm "work/.shamo/$file"
			exits 10 shash backup --dir work
			says "$file|register"
		done
	done
	rm -r work/.shamo
	cp -a state work/.shamo
	exits 0 shash backup --dir work
	# The cache is one: anything may happen to it.
	find work/.shamo -path '*cache*' -type f -exec truncate -s 5000 {} +
	exits 0 shash backup --dir work
	rm -rf work/.shamo/cache
	exits 0 shash backup --dir work
	shash restore --dir work --dest copy
	scenario_same work copy
}
