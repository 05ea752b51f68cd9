#!/usr/bin/env bats
# Goal: docs/format.md is enough.  tools/restore.py, written from it alone,
# restores what shash stored, and nothing else.
#
# COUNT says how many random stores; SEED the first one's seed, and where bytes
# are flipped.  tests/long/08-second-implementation.bats has many.

load ../lib/scenario

setup()
{
	scenario_begin
	restorer=$BATS_TEST_DIRNAME/../../tools/restore.py
	random_tree=$tests_lib/random_tree.py
	RANDOM=${SEED:-1}
}

teardown()
{
	scenario_end
}

# again STORE SEQ DEST [OPTION...]: restore by the second implementation
again()
{
	local store=$1 seq=$2 dest=$3
	shift 3
	"$restorer" --store "$store" --seq "$seq" --dest "$dest" \
	    --recovery-key "$(cat "$store.recovery")" "$@"
}

# compare STATE SEQ SOURCE SECOND: what the second implementation restored is
# SOURCE, and what shash restores
compare()
{
	shash restore --dir work --state_dir "$1" --udk "@$2" --dest "first.$2"
	scenario_same "$3" "first.$2"
	scenario_same "$3" "$4"
	diff <("$random_tree" holes "$3") <("$random_tree" holes "$4")
}

# random_store SEED: one tree, three snapshots, with a server and without, by
# each chunker
random_store()
{
	local seed=$1 i
	"$random_tree" make work "$seed"
	scenario_serve served
	shash register --dir work --state_dir state1 --url "$url" \
	    --invitation "$(shash invite --store_dir served --ttl 0)" \
	    --recovery-file served.recovery
	shash register --dir work --state_dir state2 \
	    --url "file://$folder/local" --recovery-file local.recovery \
	    --chunker private
	for i in 1 2 3; do
		shash backup --dir work --state_dir state1 >key1
		shash backup --dir work --state_dir state2 >key2
		cmp key1 key2
		[ "$i" -ne 1 ] || cp -a work before
		[ "$i" -eq 3 ] || "$random_tree" change work "$seed.$i"
	done
	scenario_stop
	grep -Eq '"chunker": *1,' served/vaults/*/vault.json
	grep -Eq '"chunker": *2,' local/vaults/*/vault.json
	# In one go: where chunks end is checked once.
	again local 3 second.3 --strict --seq 1 --dest second.1
	compare state2 3 work second.3
	compare state2 1 before second.1
	# The server's own process is gone; its folder is enough.
	[ "$(again served latest third --strict)" = "$(cat key1)" ]
	scenario_same work third
}

@test "random stores, restored by docs/format.md alone" {
	scenario_root
	first=${SEED:-1}
	for ((n = first; n < first + ${COUNT:-1}; n++)); do
		echo "# seed $n" >&3
		mkdir "$folder/$n"
		cd "$folder/$n"
		folder=$folder/$n XDG_CONFIG_HOME=$folder/$n/config \
		    random_store "$n" 2>log || {
			echo "SEED=$n fails:"
			cat log
			false
		}
		cd "$folder"
		rm -r "${folder:?}/$n"
	done
}

# small_store: a store of a few packs, ./local
small_store()
{
	mkdir -p work/sub
	head -c 300000 /dev/urandom >work/large
	seq 1 2000 >work/numbers
	echo tiny >work/tiny
	head -c 700 /dev/urandom >work/sub/small
	ln -s ../tiny work/sub/link
	shash register --dir work --url "file://$folder/local" \
	    --label desk --recovery-file local.recovery 2>/dev/null
	shash backup --dir work 2>/dev/null
	touch work/sub/new
	shash backup --dir work 2>/dev/null
}

@test "a flipped byte fails or changes nothing" {
	small_store
	mapfile -t files < <(find local -name '*.pack' -o -name '*.snap')
	[ "${#files[@]}" -ge 5 ]
	failed=0
	for ((n = 0; n < 21; n++)); do
		file=${files[n % ${#files[@]}]}
		size=$(stat -c %s "$file")
		# Ends are where the structure is.
		case $((RANDOM % 3)) in
		0) offset=$((RANDOM % 160)) ;;
		1) offset=$((size - 1 - RANDOM % 160)) ;;
		2) offset=$(((RANDOM << 15 | RANDOM) % size)) ;;
		esac
		# One that cannot be without an effect.
		[ "$n" -ne 0 ] || { offset=100
			file=$(find local -name 0000000002.snap); }
		scenario_flip "$file" "$offset"
		rm -rf copy
		rc=0
		again local latest copy >out 2>err || rc=$?
		scenario_flip "$file" "$offset"
		if [ "$rc" -eq 0 ]; then
			scenario_same work copy
			continue
		fi
		failed=$((failed + 1))
		# A rule is named, and nothing was restored.
		if [ "$rc" -ne 1 ] ||
		    ! grep -q 'restore.py: .*\.md [0-9]' err ||
		    grep -q Traceback err || [ -n "$(ls -A copy)" ]; then
			echo "$file at $offset: $rc"
			cat err
			false
		fi
	done
	[ "$failed" -gt 0 ]
	again local latest clean --strict
	scenario_same work clean
}

@test "another key, another snapshot, another mount" {
	small_store
	sed 's/^\(..\)./\1*/' local.recovery >bad.recovery
	ln -s local bad
	exits 1 again bad latest copy
	says 'format.md 10: '
	tr '0-9A-Z' '1-9A-Z0' <local.recovery >bad.recovery
	exits 1 again bad latest copy
	says 'format.md 10: '
	exits 1 again local 3 copy
	says 'no snapshot 3'
	exits 1 again local latest copy --mount nobody
	says 'which --mount'
	[ ! -e copy ]
	exits 0 again local 2 copy --mount desk
	scenario_same work copy
}

# listed [OPTION...]: what the second implementation lists, as `SEQ KEY STATE`
listed()
{
	"$restorer" --store local --recovery-key "$(cat local.recovery)" \
	    --strict --list "$@" | awk '{ print $1, $2, $4 }'
}

@test "retired snapshots are not listed, and tombstones tell of them" {
	small_store
	for i in 3 4 5; do
		echo "$i" >work/tiny
		cp -a work "work.$i"
		shash backup --dir work 2>/dev/null
	done
	[ "$(listed | awk '{ print $1, $3 }')" = \
	    $'1 live\n2 live\n3 live\n4 live\n5 live' ]
	# Each has arrived, at some time of this century.
	shash keep --store_dir local --last 1 --floor 0d
	shash prune --store_dir local >/dev/null
	"$restorer" --store local --recovery-key "$(cat local.recovery)" \
	    --strict --list --retired >out
	[ "$(grep -Ec '^[1-5] X[0-9a-f]{64} [12][0-9]{18} (live|retired)$' \
	    out)" -eq 5 ]
	[ "$(awk '{ print $1, $4 }' out)" = \
	    $'1 retired\n2 retired\n3 retired\n4 live\n5 live' ]
	[ "$(listed)" = "$(sed -n 's/\(.*\) [0-9]* live$/\1 live/p' out)" ]
	# As shash has it.
	shash snapshots --dir work -v >shown
	for key in $(listed | awk '{ print $2 }'); do
		grep -q "$key" shown
	done
	[ "$(listed | wc -l)" -eq 2 ]
	exits 1 again local 3 copy
	says 'no snapshot 3'
	exits 0 again local 3 copy --retired --strict
	scenario_same work.3 copy
	# Removed for good, the tombstones alone tell of them: no gap.
	shash prune --store_dir local --now >/dev/null
	[ "$(find local -name '*.snap' | wc -l)" -eq 2 ]
	exits 0 again local 4 copy.4 --strict
	scenario_same work.4 copy.4
	! grep -q 'is gone' err || false
	# A tombstone that is not whole says nothing.
	tomb=$(find local -name 0000000003.tomb)
	for ((n = 0; n < 12; n++)); do
		at=$(((RANDOM << 15 | RANDOM) % 216))
		scenario_flip "$tomb" "$at"
		exits 1 again local 4 copy.n --strict
		says 'format.md 8.3: '
		exits 0 again local 4 copy.n
		says '0000000004.snap: the one before it is gone'
		scenario_flip "$tomb" "$at"
		rm -r copy.n
	done
	rm "$tomb"
	exits 1 again local 4 copy.n --strict
	says 'format.md 8: '
	# Times that are not whole: nothing but their own loss.
	for times in local/vaults/*/times/*/*; do
		scenario_flip "$times" "$((RANDOM % $(stat -c %s "$times")))"
	done
	exits 0 again local 5 copy.5
	says 'format.md 9.3: '
	scenario_same work.5 copy.5
}
