#!/usr/bin/env bats
# Goal: a changed byte anywhere in a store is found and named, and never
# becomes wrong bytes in a restore; an index is never missed.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir -p work/sub
	head -c 400000 /dev/urandom >work/large
	for i in 1 2 3 4 5 6; do
		head -c $((i * 700)) /dev/urandom >"work/sub/small-$i"
	done
	echo tiny >work/tiny
	ln -s tiny work/link
	shash register --dir work --url "file://$folder/store" 2>/dev/null
	shash backup --dir work 2>/dev/null
	cp -a store clean
}

teardown()
{
	scenario_end
}

# fresh: the store as it was
fresh()
{
	rm -rf store copy
	cp -a clean store
}

# places FILE KIND: `offset what` for at least one byte of every part of it
places()
{
	python3 - "$1" <<-'END'
	import os, struct, sys
	path = sys.argv[1]
	data = open(path, "rb").read()
	def place(offset, what):
	    print(offset, what)
	if path.endswith(".pack"):
	    for at in (0, 4, 5, 8, 24, 40, 47):
	        place(at, "header")
	    footer, length = struct.unpack_from("<QI", data, len(data) - 16)
	    at, first = 48, (4, 5, 6, 8, 12, 16, 20, 24, 71)
	    while data[at:at + 4] == b"HSR1":
	        refs, members, sealed = struct.unpack_from("<III", data,
	                                                   at + 12)
	        for o in (0, 40) + first:
	            place(at + o, "record header")
	        ends = at + 72 + 32 * refs
	        if refs:
	            place(at + 72, "refs")
	            place(ends - 1, "refs")
	        if members:
	            place(ends, "members")
	        ends += 32 * members
	        for o in (0, 24, sealed // 2, sealed - 1):
	            place(ends + o, "sealed")
	        ends += sealed
	        place(ends, "checksum")
	        at, first = ends + 32, ()
	    for o in range(at, footer):
	        place(o, "padding")
	    for o in range(0, length, max(1, length // 8)):
	        place(footer + o, "footer")
	    place(footer + length - 1, "footer")
	    for o in (0, 7, 8, 11, 12, 15):
	        place(len(data) - 16 + o, "trailer")
	else:
	    for o in (0, 4, 8, 24, 48, 80, 96, 128, 160, 176, 184):
	        place(o, "envelope")
	    for o in range(185, len(data) - 1, max(1, len(data) // 8)):
	        place(o, "sealed or signature")
	    for o in (32, 40, 48, 56, 64, 127, 1):
	        place(len(data) - o, "end")
	END
}

# right_or_named: restore tells the truth: all is there and right, or 13 and
# what is there is right
right_or_named()
{
	local rc=0
	rm -rf copy
	shash restore --dir work --dest copy >out 2>err || rc=$?
	case $rc in
	0)
		diff -r --no-dereference --exclude=.shamo work copy
		;;
	13)
		[ -s err ] || return 1
		[ -d copy ] || return 0
		(cd copy && find . -type f) | while read -r file; do
			cmp "work/$file" "copy/$file" || return 1
		done
		;;
	*)
		echo "restore ended with $rc"
		cat err
		return 1
		;;
	esac
}

# flipped_everywhere FIND-TEST...: each place of each file that matches
flipped_everywhere()
{
	local file offset what tried=0 rc
	while read -r file; do
		places "$file" >places
		while read -r offset what; do
			fresh
			scenario_flip "store/${file#clean/}" "$offset"
			rc=0
			shash verify --store_dir store >out 2>err || rc=$?
			if [ "$rc" -ne 13 ] ||
			    ! grep -q "$(basename "$file")" out err; then
				echo "$file: $what at $offset: exit $rc"
				cat out err
				return 1
			fi
			right_or_named || {
				echo "$file: $what at $offset"
				return 1
			}
			tried=$((tried + 1))
		done <places
	done < <(find clean "$@")
	echo "# $tried flips found" >&3
	[ "$tried" -gt 20 ]
}

@test "a flipped byte in a pack of contents" {
	first=$(find clean -name '*.pack' -size +300k | sort | head -1)
	flipped_everywhere -path "$first"
}

@test "a flipped byte in a pack of trees" {
	flipped_everywhere -name '*.pack' -size -100k
}

@test "a flipped byte in a snapshot" {
	flipped_everywhere -name '*.snap'
}

@test "packs and snapshots that are cut, empty or gone" {
	while read -r file; do
		for harm in 'truncate -s -1' 'truncate -s -20' \
		    'truncate -s 60' 'truncate -s 0' rm 'truncate -s +8'; do
			fresh
			$harm "store/${file#clean/}"
			rc=0
			shash verify --store_dir store >out 2>err || rc=$?
			[ "$rc" -eq 13 ] ||
			    { echo "$harm $file: exit $rc"; false; }
			rc=0
			shash restore --dir work --dest copy >out 2>err ||
			    rc=$?
			case $rc in
			0) diff -r --no-dereference --exclude=.shamo \
			    work copy ;;
			13) ;;
			14) [[ $file == *.snap ]] ;;
			*) echo "$harm $file: restore $rc"; cat err; false ;;
			esac
		done
	done < <(find clean -name '*.pack' -o -name '*.snap')
}

@test "a damaged snapshot is listed by its number" {
	echo two >work/two
	shash backup --dir work 2>/dev/null
	echo three >work/three
	shash backup --dir work 2>/dev/null
	snap=$(find store -name '0000000002.snap')
	scenario_flip "$snap" 100
	exits 13 shash snapshots --dir work
	grep -q '^@2 *damaged: ' out
	[ "$(grep -Ec '^@(1|3) +20' out)" -eq 2 ]
	exits 13 shash snapshots --dir work --json
	grep -q '"seq": *2' out
	exits 13 shash restore --dir work --udk @2 --dest copy
	shash restore --dir work --udk @3 --dest copy
	diff -r --exclude=.shamo work copy
	# An empty one, and the first one gone.
	: >"$snap"
	exits 13 shash snapshots --dir work
	grep -q '^@2 *damaged: ' out
	rm "${snap%2.snap}1.snap"
	exits 13 shash verify --store_dir store
	grep -q '0000000002.snap: the snapshot before it is gone' out
}

@test "damage in one file leaves the others" {
	# The large file's chunks are the largest records there are.
	pack=$(find store -name '*.pack' -size +300k | head -1)
	scenario_flip "$pack" "$(scenario_middle "$pack")"
	exits 13 shash restore --dir work --dest copy
	says 'large'
	[ ! -e copy/large ] || cmp work/large copy/large
	diff -r work/sub copy/sub
	cmp work/tiny copy/tiny
}

@test "damage in a directory leaves the others, and says what is missing" {
	for pack in $(find store -name '*.pack'); do
		[ "$(od -An -tu1 -j4 -N1 "$pack" | tr -d ' ')" -ne 2 ] ||
		    scenario_flip "$pack" "$(scenario_middle "$pack")"
	done
	exits 13 shash restore --dir work --dest copy
	says '(sub|[.]): object .*; the rest of this directory is missing'
	says '1 entry is damaged'
}

@test "deleting the index loses nothing" {
	rm -r store/index
	right_or_named
	[ "$rc" = 0 ] || diff -r --no-dereference --exclude=.shamo work copy
	rm -r store/index
	exits 0 shash verify --store_dir store
	rm -rf store/index
	key=$(shash backup --dir work)
	[ "$key" = "$(shash scan --dir work)" ]
	exits 0 shash verify --store_dir store
	# With a server as well.
	rm -r store/index
	scenario_serve store
	scenario_stop
	exits 0 shash verify --store_dir store
}

@test "a server without its index serves and takes new snapshots" {
	cp -a work other
	rm -rf other/.shamo
	scenario_serve store2
	shash register --dir other --url "$url" \
	    --invitation "$(shash invite --store_dir store2)"
	shash backup --dir other
	scenario_stop
	rm -r store2/index
	scenario_serve_at store2 "$port"
	echo new >other/new
	key=$(shash backup --dir other)
	shash restore --dir other --dest copy2
	scenario_same other copy2
	[ "$(shash scan --dir copy2)" = "$key" ]
	scenario_stop
	exits 0 shash verify --store_dir store2
}

@test "reindex builds a wrong index anew" {
	find store/index -type f -name 'data*' -exec sh -c \
	    'head -c 100000 /dev/urandom >"$1"' sh {} \;
	exits 0 shash reindex --store_dir store
	exits 0 shash verify --store_dir store
	exits 0 shash restore --dir work --dest copy
	scenario_same work copy
}

@test "what a store lost, the next backup puts again" {
	pack=$(find store -name '*.pack' -size +300k | head -1)
	scenario_flip "$pack" "$(scenario_middle "$pack")"
	exits 13 shash verify --store_dir store
	exits 13 shash restore --dir work --dest copy
	rm -rf copy
	rm "$pack"
	exits 0 shash backup --dir work
	exits 0 shash restore --dir work --dest copy
	scenario_same work copy
	exits 0 shash verify --store_dir store
}
