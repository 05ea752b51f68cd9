#!/usr/bin/env bats
# Goal: what a user excludes is left out, by the rules that gitignore(5) has;
# backup, scan and a restored copy agree on it, and the stat cache never
# remembers an exclusion that no longer holds.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir -p work/{src,build,doc/old}
	for f in src/main.c src/main.o src/util.c build/out doc/a.txt \
	    doc/old/b.txt notes.tmp keep.tmp; do
		echo "$f" >"work/$f"
	done
	head -c 300000 /dev/urandom >work/build/large
}

teardown()
{
	scenario_end
}

# register: with a store on this machine
register()
{
	shash register --dir work --url "file://$folder/store"
}

# left: the names that `find` sees in ./copy, in one line
left()
{
	(cd copy && find . -mindepth 1 -printf '%P\n' | sort | tr '\n' ' ')
}

# agreed OPTION...: backup, scan and a restored copy have one key; ./copy is
# that copy
agreed()
{
	rm -rf copy
	key=$(shash backup --dir work "$@")
	[ "$(shash scan --dir work "$@")" = "$key" ]
	shash restore --dir work --dest copy
	[ "$("$tests_lib/address.py" copy)" = "$key" ]
	[ "$(shash scan --dir copy "$@")" = "$key" ]
}

# hashes: every file of the store and of the directory with its state; locks,
# index and reserve, which opening a store may make anew, are left out
hashes()
{
	find store work \( -path store/index -o -path store/reserve \) \
	    -prune -o -type f \
	    ! -name '*lock*' -printf '%p %m %s %T@\n' -exec b3sum {} ';' | sort
}

@test "500 generated cases agree with git check-ignore" {
	mkdir cases
	"$tests_lib/ignore_cases.py" "$SHASH" cases 500 "${IGNORE_SEED:-1}"
}

@test "options and .shashignore leave out what they say" {
	register
	printf '%s\n' '*.o' '/build/' '# no rule' '' '!*.tmp' >work/.shashignore
	echo '*.txt' >work/doc/.shashignore
	printf '%s\n' '!b.txt' >work/doc/old/.shashignore
	printf '%s\n' '*.tmp' '!keep.tmp' >rules
	agreed --exclude-from rules --exclude /src/util.c
	want='.shashignore doc doc/.shashignore doc/old doc/old/.shashignore'
	[ "$(left)" = "$want doc/old/b.txt keep.tmp src src/main.c " ]
	# A directory that is left out cannot be looked into.
	agreed --exclude doc/ --exclude '!doc/old/b.txt'
	want='.shashignore keep.tmp notes.tmp src src/main.c src/util.c '
	[ "$(left)" = "$want" ]
	# --exclude decides before --exclude-from, both before the files.
	echo '!*.o' >rules
	agreed --exclude 'main*' --exclude-from rules
	[[ "$(left)" != *main* ]]
	agreed --exclude '!*.o'
	[[ "$(left)" = *"src/main.o "* ]]
	exits 0 shash backup --dir work --verbose
	says '^excluded: build$'
	says '^excluded: src/main.o$'
	says '^excluded [0-9]+ entries$'
}

@test "changed rules change the next snapshot, and only they" {
	register
	sleep 2.2
	agreed
	all=$key
	for rule in '*.c' 'src/' '!src/' 'main.*' '/build/large' 'doc/old/'; do
		echo "$rule" >work/.shashignore
		agreed
		agreed --exclude '*.tmp' --exclude util.c
		rm work/.shashignore
		agreed --exclude "$rule"
	done
	agreed
	[ "$key" = "$all" ]
	scenario_same work copy
}

@test "an unchanged tree with unchanged rules opens no file" {
	register
	printf '%s\n' '*.o' 'build/' >work/.shashignore
	sleep 2.2
	agreed --exclude '*.tmp'
	scenario_strace -e trace=open,openat,openat2 \
	    shash backup --dir work --exclude '*.tmp' >again
	[ "$(cat again)" = "$key" ]
	# The rules alone are read, and nothing is looked into that is left out.
	grep -q '"\.shashignore"' trace
	run grep -E '"(main\.|util|a\.txt|b\.txt|out|large|build|[a-z]+\.tmp)' \
	    trace
	[ "$status" -eq 1 ]
	# A rule that is gone: what it left out is read, and nothing else.
	scenario_strace -e trace=open,openat,openat2 \
	    shash backup --dir work >again
	[ "$(cat again)" = "$(shash scan --dir work)" ]
	grep -q '"notes.tmp"' trace
	run grep -E '"(main\.|util|a\.txt|b\.txt|out|large|build)' trace
	[ "$status" -eq 1 ]
}

@test "what was excluded is not kept for the store by the cache" {
	register
	sleep 2.2
	agreed
	agreed --exclude build
	# A run that is killed somewhere, while its rules are others.
	timeout -s KILL 0.05 shash backup --dir work || true
	agreed --exclude src
	agreed
	scenario_same work copy
}

@test "--dry-run says what would be sent, and changes nothing" {
	register
	shash snapshots --dir work
	for round in first second; do
		hashes >before
		exits 0 shash backup --dir work --dry-run --json \
		    --exclude build --tag x
		hashes >after
		diff before after
		cp out dry
		exits 0 shash backup --dir work --json --exclude build
		for m in key files dirs bytes files_read bytes_read \
		    objects_added excluded; do
			[ "$(jq ".$m" dry)" = "$(jq ".$m" out)" ] || {
				echo "$round: $m" && cat dry out
				false
			}
		done
		"$tests_lib/jsonl.py" dry out
		sleep 2.2
		echo more >>work/src/main.c
		head -c 700000 /dev/urandom >work/new
	done
	exits 0 shash backup --dir work --dry-run --verbose
	says 'read: build/large'
	says 'nothing was stored'
	[ "$(shash snapshots --dir work | wc -l)" -eq 2 ]
}

@test "--dry-run sends nothing to a server" {
	scenario_serve store
	scenario_proxy wire
	shash register --dir work --url "$proxy_url" \
	    --invitation "$(shash invite --store_dir store)"
	before=$(scenario_wire wire)
	exits 0 shash backup --dir work --dry-run
	[ $(($(scenario_wire wire) - before)) -lt 20000 ]
	key=$(cat out)
	[ "$(shash backup --dir work)" = "$key" ]
	[ $(($(scenario_wire wire) - before)) -gt 300000 ]
	scenario_stop
}

@test "--tag is shown by snapshots" {
	register
	shash backup --dir work --tag nightly --tag 'before the move'
	shash backup --dir work
	exits 0 shash snapshots --dir work
	[ "$(grep -c '\[nightly, before the move\]$' out)" -eq 1 ]
	[ "$(wc -l <out)" -eq 2 ]
	exits 0 shash snapshots --dir work --json
	[ "$(jq -c .tags out)" = '["nightly","before the move"]
[]' ]
	exits 2 shash backup --dir work --tag "$(printf '%0256d' 1)"
	exits 2 shash backup --dir work --tag ''
	exits 2 shash backup --dir work --tag $'\xff'
}

@test "--one-file-system leaves other file systems empty" {
	scenario_root
	register
	mkdir work/mnt
	cat >script <<-'END'
		set -e
		mount -t tmpfs none work/mnt
		mkdir work/mnt/sub
		echo secret >work/mnt/sub/file
		shash scan --dir work >all
		shash backup --dir work --one-file-system >key
		shash scan --dir work --one-file-system >scanned
		umount work/mnt
	END
	unshare -m bash script
	cmp key scanned
	run cmp -s key all
	[ "$status" -eq 1 ]
	[ "$(cat key)" = "$(shash scan --dir work)" ]
	shash restore --dir work --dest copy
	[ -d copy/mnt ]
	[ -z "$(ls -A copy/mnt)" ]
}

@test "--exclude-caches keeps the directory and its tag" {
	register
	mkdir -p work/src/cache/sub work/cache
	tag='Signature: 8a477f597d28d172789f06886806bc55'
	printf '%s\n# comment\n' "$tag" >work/src/cache/CACHEDIR.TAG
	echo x | tee work/src/cache/{one,sub/two} work/cache/three
	printf '%s' "${tag%5}6" >work/cache/CACHEDIR.TAG
	agreed --exclude-caches
	[[ "$(left)" = *"cache/CACHEDIR.TAG cache/three "* ]]
	[[ "$(left)" = *"src/cache src/cache/CACHEDIR.TAG src/main.c"* ]]
	# tar agrees about it.
	tar --exclude-caches -C work -cf - --exclude=./.shamo . |
	    tar -tf - | sed 's,^\./,,; s,/$,,' | sed '/^$/d' | sort |
	    tr '\n' ' ' >tar
	[ "$(cat tar)" = "$(left)" ]
	# A link or an empty file is no tag.
	rm work/src/cache/CACHEDIR.TAG
	ln -s ../../cache/CACHEDIR.TAG work/src/cache/CACHEDIR.TAG
	: >work/cache/CACHEDIR.TAG
	agreed --exclude-caches
	scenario_same work copy
}

@test "rules that cannot be used are named, and nothing is lost" {
	register
	exits 2 shash backup --dir work --exclude-from nowhere
	says 'nowhere'
	exits 2 shash scan --dir work --exclude "$(printf '%05000d' 1)"
	printf 'a\n%05000d\n' 1 >rules
	exits 2 shash backup --dir work --exclude-from rules
	says 'rules: line 2'
	cp rules work/.shashignore
	exits 3 shash backup --dir work
	says '^shash: \.shashignore: line 2'
	# Not through a symlink, which may lead anywhere; and nothing hangs.
	echo '*' >all
	ln -sf ../all work/.shashignore
	exits 3 timeout 200 shash scan --dir work
	says '\.shashignore'
	rm work/.shashignore
	mkfifo work/.shashignore
	exits 3 timeout 200 shash scan --dir work
	rm work/.shashignore
	mkdir work/.shashignore
	exits 3 timeout 200 shash scan --dir work
	rmdir work/.shashignore
	yes 'x*' | head -c 1100000 >work/.shashignore
	exits 3 shash scan --dir work
	exits 3 shash backup --dir work
	shash restore --dir work --dest copy
	scenario_same work copy
}

@test "no pattern takes for ever" {
	register
	long=$(printf 'a%.0s' {1..200})
	touch "work/$long"
	for p in '*a' '**/*' '?*' '[a-z]*'; do
		printf "$p%.0s" {1..500}
		echo b
	done >work/.shashignore
	agreed
	[ -e "copy/$long" ]
}
