#!/usr/bin/env bats
# Goal: contents, names and keys of a source are nowhere but at the client:
# not in the store, not in the server's log, not on the wire.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir -p 'work/a directory of secrets'
	cd work
	for i in 1 2 3 4 5 6 7 8; do
		echo "the secret of number $i is $((i * 7919))" \
		    >"a directory of secrets/letter number $i"
	done
	seq 1 60000 >'long list of numbers'
	head -c 600000 /dev/urandom >'random numbers'
	python3 -c 'print("no two lines of this are alike " * 90)' >'medium one'
	: >'empty as can be'
	truncate -s 1M 'hole with a secret'
	echo ending >>'hole with a secret'
	ln -s 'target of a symlink' 'symlink of ours'
	setfattr -n user.secret_name -v 'secret value' 'medium one'
	head -c 3000 /dev/urandom | base64 -w 0 >blob
	setfattr -n user.large_value -v "$(head -c 2500 blob)" 'medium one'
	cd ..
	scenario_serve store
	scenario_proxy wire
}

teardown()
{
	scenario_end
}

@test "no plaintext in the store, the log or on the wire" {
	shash register --dir work --url "$proxy_url" --label laptop \
	    --invitation "$(shash invite --store_dir store)" 2>register.err
	shash backup --dir work
	echo 'a line that was added' >>'work/long list of numbers'
	key=$(shash backup --dir work)
	shash scan --dir work
	shash snapshots --dir work --all
	shash restore --dir work --dest copy
	scenario_same work copy
	[ "$(stat -c %s wire.up)" -gt 600000 ]
	[ "$(stat -c %s wire.down)" -gt 600000 ]
	scenario_stop
	shash verify --store_dir store &>verify.log
	"$tests_lib/leaks.py" work store store.log wire.up wire.down \
	    verify.log
	# Nor what opens it all.
	master=$(grep -Eo '"master": *"[0-9a-f]{64}"' \
	    config/hashstore/vault-*.json | grep -Eo '[0-9a-f]{64}')
	for secret in "$master" "$(cat work/.shamo/mount.key)"; do
		run grep -raFi "$secret" store store.log wire.up wire.down
		[ "$status" -eq 1 ]
		LC_ALL=C run grep -raP "$(sed 's/../\\x&/g' <<<"$secret")" \
		    store store.log wire.up wire.down
		[ "$status" -eq 1 ]
	done
	# The search is a search: each kind of secret is found when planted.
	plant 'name' "printf 'letter number 3'"
	plant 'content' "head -c 16 'work/random numbers'"
	plant 'key' "printf %s ${key#X}"
	plant 'address' "b3sum --raw 'work/random numbers'"
	plant 'target' "readlink 'work/symlink of ours'"
	plant 'xattr' "printf 'secret value'"
}

# plant KIND COMMAND: what it prints is found in a file of the store
plant()
{
	rm -rf planted
	mkdir planted
	{
		head -c 1000 /dev/urandom
		eval "$2"
		head -c 1000 /dev/urandom
	} >planted/file
	run "$tests_lib/leaks.py" work planted
	[ "$status" -eq 1 ]
	[[ $output == *"$1"* ]]
}

@test "an invitation does not cross the wire" {
	invitation=$(shash invite --store_dir store)
	shash register --dir work --url "$proxy_url" \
	    --invitation "$invitation"
	hex=${invitation//-/}
	run grep -raFi -e "$invitation" -e "$hex" wire.up wire.down store.log
	[ "$status" -eq 1 ]
	LC_ALL=C run grep -raP "$(sed 's/../\\x&/g' <<<"$hex")" wire.up \
	    wire.down
	[ "$status" -eq 1 ]
	# Nor does the store keep it: who copies the store cannot use it.
	run grep -raFi -e "$invitation" -e "$hex" store
	[ "$status" -eq 1 ]
}

@test "what the client keeps is for its user alone" {
	shash register --dir work --url "$url" \
	    --invitation "$(shash invite --store_dir store)"
	shash backup --dir work
	[ "$(stat -c %a work/.shamo)" = 700 ]
	[ "$(stat -c %a config/hashstore)" = 700 ]
	[ -z "$(find work/.shamo config -type f -perm /077)" ]
	[ "$(cat work/.shamo/.gitignore)" = '*' ]
	[ -z "$(find store -type f -name '*key*' -perm /077)" ]
	master=$(grep -Eo '"master": *"[0-9a-f]{64}"' \
	    config/hashstore/vault-*.json | grep -Eo '[0-9a-f]{64}')
	run grep -raFi "$master" work/.shamo
	[ "$status" -eq 1 ]
	LC_ALL=C run grep -raP "$(sed 's/../\\x&/g' <<<"$master")" work/.shamo
	[ "$status" -eq 1 ]
}
