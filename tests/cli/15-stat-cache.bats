#!/usr/bin/env bats
# Goal: whatever a store loses behind the client's back, the next backup of
# the unchanged tree notices and makes it whole; and what the stat cache says
# never hides a change of the source.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir -p work/{docs,src/deep,empty}
	for i in {1..120}; do
		head -c $((i * 137)) /dev/urandom >"work/src/small-$i"
		echo "$i" >"work/docs/tiny-$i"
	done
	head -c 5000000 /dev/urandom >work/src/deep/large
	ln work/src/small-7 work/docs/linked
	ln -s nowhere work/docs/symlink
	scenario_serve store
	shash register --dir work --url "$url" \
	    --invitation "$(shash invite --store_dir store)"
	sleep 2.2
	shash backup --dir work
	scenario_stop
	cp -a store whole
}

teardown()
{
	scenario_end
}

# backed_up: back up, and read everything back
backed_up()
{
	scenario_serve_at store "$port"
	shash backup --dir work >key 2>err
	scenario_stop
	[ "$(cat key)" = "$("$tests_lib/address.py" work)" ]
	shash verify --store_dir store
	scenario_serve_at store "$port"
	rm -rf copy
	shash restore --dir work --dest copy
	scenario_stop
	scenario_same work copy
}

@test "every pack in turn is lost" {
	(cd whole && find . -name '*.pack') >packs
	[ "$(wc -l <packs)" -ge 2 ]
	while read -r pack; do
		rm -rf store
		cp -a whole store
		rm "store/$pack"
		backed_up
	done <packs
}

@test "every pack in turn is damaged" {
	(cd whole && find . -name '*.pack') >packs
	while read -r pack; do
		rm -rf store
		cp -a whole store
		for at in 100 2000; do
			printf '\377\377\377\377' | dd of="store/$pack" bs=1 \
			    seek=$at conv=notrunc status=none
		done
		exits 13 shash verify --store_dir store
		backed_up
	done <packs
}

@test "damage that a restore came upon" {
	(cd whole && find . -name '*.pack' -size +1M) >packs
	[ "$(wc -l <packs)" -ge 1 ]
	while read -r pack; do
		rm -rf store
		cp -a whole store
		printf '\377\377\377\377' | dd of="store/$pack" bs=1 \
		    seek=300000 conv=notrunc status=none
		scenario_serve_at store "$port"
		exits 13 shash restore --dir work --dest broken
		rm -rf broken
		scenario_stop
		backed_up
	done <packs
}

# goes_on: two snapshots more, of what the older copy lacks
goes_on()
{
	echo later >work/docs/later
	head -c 700000 /dev/urandom >work/src/later
	sleep 2.2
	scenario_serve_at store "$port"
	shash backup --dir work
	shash backup --dir work
	scenario_stop
}

@test "the store is an older copy, its index is not" {
	goes_on
	rm -r store/vaults
	cp -a whole/vaults store/vaults
	backed_up
	grep -q 'rolled back' err
}

@test "the store and its index are an older copy" {
	goes_on
	rm -r store
	cp -a whole store
	backed_up
	grep -q 'rolled back' err
}

@test "the index is lost" {
	rm -rf store/index
	backed_up
}

@test "all packs and the index are lost" {
	find store -name '*.pack' -delete
	rm -rf store/index
	backed_up
}

@test "the cache is lost, or another directory's" {
	rm -rf work/.shamo/cache
	backed_up
	mkdir other
	echo other >other/file
	scenario_serve_at store "$port"
	shash register --dir other --url "$url" \
	    --invitation "$(shash invite --store_dir store)"
	shash backup --dir other
	scenario_stop
	rm -rf work/.shamo/cache
	cp -a other/.shamo/cache work/.shamo/cache
	backed_up
}

@test "files that changed places without changing" {
	mv work/src/small-100 save
	mv work/src/small-101 work/src/small-100
	mv save work/src/small-101
	mv work/docs work/src/deep/docs
	mv work/empty work/docs
	backed_up
}

@test "a file of the same size, times and perhaps inode" {
	touch -r work/src/small-50 stamp
	size=$(stat -c %s work/src/small-50)
	rm work/src/small-50
	head -c "$size" /dev/urandom >work/src/small-50
	touch -r stamp work/src/small-50
	backed_up
}
