#!/usr/bin/env bats
# Goal: the examples of the manual pages work as printed: whoever types them in
# their order, on the machines that the prompts name, sees each succeed.
#
# `lines` has all that is put in place of something else.  A machine is a home
# folder; what is typed there goes on in the folder where it was left.

load ../lib/scenario

setup()
{
	scenario_begin
	unset XDG_CONFIG_HOME # each machine has a keyring of its own
	export SHASH_RETRY=30s
	man=$(realpath "$BATS_TEST_DIRNAME/../../man")
	mkdir -p disk backup-host desktop/work/src/deep desktop/photos newcomer
	echo hello >desktop/work/notes.txt
	echo 'int x;' >desktop/work/src/deep/x.c
	echo picture >desktop/photos/1.jpg
}

teardown()
{
	scenario_end
}

# printed PAGE: the lines with a prompt, as mandoc formats them, those that a
# backslash continues in one
printed()
{
	mandoc -T ascii "$man/$1" | sed 's,.\x08,,g' | awk '
		/^ *[a-z-]*[$] / || more {
			sub(/^ */, more ? " " : "")
			more = sub(/ *\\$/, "")
			printf "%s%s", $0, more ? "" : "\n"
		}'
}

# lines PAGE: as a script
lines()
{
	printed "$1" | sed -E \
	    -e "s,backup-host:9753,127.0.0.1:$port,g" \
	    -e "s,--port 9753,--port $port,g" \
	    -e "s,/mnt/usb,$folder/disk,g" \
	    -e 's,([0-9a-f]+-){4}[0-9a-f]{12},"$(invitation)",g' \
	    -e 's,RECOVERY_KEY,"$(recovery_key)",g' \
	    -e 's,^([a-z-]+)\$ ,on \1\n,'
}

# play SCRIPT: every line has to succeed; ends what runs in the background.
play()
{
	cat >play - "$1" <<-'END'
		set -e -o pipefail
		folder=$PWD
		trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT
		declare -A left
		machine=
		on() {
			[ -z "$machine" ] || left[$machine]=$PWD
			machine=$1
			HOME=$folder/$machine
			cd "${left[$machine]:-$HOME}"
		}
		invitation() {
			HOME=$folder/backup-host
			shash invite --store_dir ~/store
		}
		recovery_key() {
			HOME=$folder/desktop
			shash key --dir ~/work
		}
		PS4='> '
		set -x
	END
	timeout 900 bash play 3>&- </dev/null
}

# before PAGE: what its reader has done already
before()
{
	case $1 in
	shash.1 | shash-start.1)
		return
		;;
	esac
	cat <<-END
		on backup-host
		shash start --store_dir ~/store --port $port 2>log &
	END
	[ "$1" != shash-register.1 ] || return 0
	cat <<-END
		on desktop
		shash register --dir ~/work --url http://127.0.0.1:$port/ \
		    --invitation "\$(invitation)" --label desktop
		shash backup --dir ~/work
	END
}

# after PAGE: what shows that the servers that it started run
after()
{
	[ "$1" = shash-start.1 ] || return 0
	cat <<-'END'
		runs() {
			shash status --store_dir "$1" |
			    grep -q '^server  *on port'
		}
		for store in ~/own ~/store; do
			until runs "$store"; do sleep 0.1; done
		done
	END
}

# examples PAGE: run them.  Fails when a line does, or there are none.
examples()
{
	port=$(scenario_free_port)
	lines "$1" >typed
	grep -q '^shash ' typed || { echo "no examples: $1"; return 1; }
	{ before "$1" && cat typed && after "$1"; } >script
	play script
}

@test "overview: from nothing to restored copies on two machines" {
	examples shash.1
	for copy in desktop/restored newcomer/restored; do
		diff -r --exclude=.shamo desktop/work "$copy"
	done
	[ "$(cat desktop/older/src/deep/x.c)" = 'int x;' ]
	[ -d disk/store ]
}

@test "start, stop, invite" {
	examples shash-start.1
	rm -r backup-host && mkdir backup-host
	examples shash-stop.1
	scenario_end
	setup
	examples shash-invite.1
}

@test "register" {
	examples shash-register.1
	[ -s desktop/recovery.txt ]
	[ -d disk/store ]
}

@test "backup" {
	examples shash-backup.1
}

@test "restore" {
	examples shash-restore.1
	diff -r --exclude=.shamo desktop/work desktop/restored
	diff -r desktop/restored desktop/theirs
}

@test "scan, key" {
	examples shash-scan.1
	scenario_end
	setup
	examples shash-key.1
}

@test "snapshots, status" {
	examples shash-snapshots.1
	scenario_end
	setup
	examples shash-status.1
}

@test "verify, sweep, reindex" {
	examples shash-verify.1
	scenario_end
	setup
	examples shash-sweep.1
	scenario_end
	setup
	examples shash-reindex.1
}

@test "keep, prune, unprune" {
	examples shash-keep.1
	scenario_end
	setup
	examples shash-prune.1
	scenario_end
	setup
	examples shash-unprune.1
}

@test "each page has its test here" {
	for page in "$man"/*.1; do
		grep -qx "	examples ${page##*/}" "$BATS_TEST_FILENAME" ||
		    { echo "${page##*/}"; false; }
	done
}

@test "control: an example that fails is noticed" {
	man=$folder
	port=$(scenario_free_port)
	printf '%s\n' '.Dd November 22, 2026' '.Dt SHASH 1' .Os \
	    '.Sh EXAMPLES' '.Bd -literal' 'desktop$ shash key --dir \e' \
	    '    ~/work' 'desktop$ true' .Ed >shash.1
	run examples shash.1
	echo "$output"
	[ "$status" -eq 10 ]
	[[ $output == *'not registered'* ]]
}
