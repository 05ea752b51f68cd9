#!/usr/bin/env bats
# Goal: docs/format.md is enough.  tools/restore.py, written from it alone,
# restores what shash stored, and nothing else.
#
# COUNT says how many random stores; SEED the first one's seed.

load ../lib/scenario

setup()
{
	scenario_begin
	restorer=$BATS_TEST_DIRNAME/../../tools/restore.py
	random_tree=$tests_lib/random_tree.py
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

# both STATE STORE SEQ SOURCE: both implementations restore SOURCE
both()
{
	rm -rf first second
	shash restore --dir work --state_dir "$1" --udk "@$3" --dest first
	again "$2" "$3" second --strict
	scenario_same "$4" first
	scenario_same "$4" second
	diff <("$random_tree" holes "$4") <("$random_tree" holes second)
}

# random_store SEED: one tree, three snapshots, with a server and without, by
# each chunker
random_store()
{
	local seed=$1 i
	"$random_tree" make work "$seed"
	scenario_serve served
	shash register --dir work --state_dir state1 --url "$url" \
	    --invitation "$(shash invite --store_dir served)" \
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
	both state2 local 3 work
	both state2 local 1 before
	# The server's own process is gone; its folder is enough.
	[ "$(again served latest third --strict)" = "$(cat key1)" ]
	scenario_same work third
}

@test "random stores, restored by docs/format.md alone" {
	scenario_root
	first=${SEED:-$((RANDOM << 15 | RANDOM))}
	for ((n = first; n < first + ${COUNT:-3}; n++)); do
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
	for ((n = 0; n < ${COUNT:-3} * 7; n++)); do
		file=${files[n % ${#files[@]}]}
		size=$(stat -c %s "$file")
		# Ends are where the structure is.
		case $((RANDOM % 3)) in
		0) offset=$((RANDOM % 160)) ;;
		1) offset=$((size - 1 - RANDOM % 160)) ;;
		2) offset=$(((RANDOM << 15 | RANDOM) % size)) ;;
		esac
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
