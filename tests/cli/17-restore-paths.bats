#!/usr/bin/env bats
# Goal: a restore of some paths fetches only what they need; a restore over
# what is there writes only what differs and deletes nothing; a dry run writes
# nothing at all.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir -p work/{a/b/c,img/{x,y},empty,big}
	echo one >work/a/one.txt
	echo two >work/a/b/two.txt
	echo three >work/a/b/c/three.c
	for d in x y; do
		for i in 1 2 3; do
			head -c 20000 /dev/urandom >"work/img/$d/$i.jpg"
			echo "$i" >"work/img/$d/$i.txt"
		done
	done
	head -c 3000000 /dev/urandom >work/big/large
	head -c 2000000 /dev/urandom >work/big/other
	ln -s a/one.txt work/link
	ln work/a/one.txt work/a/b/hard
	mkfifo work/a/fifo
	echo odd >'work/a/[x]*'
}

teardown()
{
	scenario_end
}

register()
{
	shash register --dir work --url "file://$folder/store"
}

# left DIR: the names below it, in one line
left()
{
	(cd "$1" && find . -mindepth 1 -path ./.shamo -prune -o \
	    -mindepth 1 -printf '%P\n' | sort | tr '\n' ' ')
}

# facts DIR: all that would show if anything was written, ctime and inode too
facts()
{
	find "$1" -path "$1/.shamo" -prune -o \
	    -printf '%p %y %i %n %m %U %G %s %T@ %C@ %l\n' | sort
}

# others: facts of what the test of --force in place does not touch
others()
{
	local touched='/a|/a/b|/a/one.txt|/a/b/hard|/a/fifo|/img/x(|/2.jpg)'
	facts work | grep -Ev "^work(|$touched|/link) "
}

@test "several paths and globs bring back what they mean" {
	register
	shash backup --dir work
	shash restore --dir work --dest copy a/b/two.txt link 'img/*/2.*'
	want='a a/b a/b/two.txt img img/x img/x/2.jpg img/x/2.txt'
	[ "$(left copy)" = "$want img/y img/y/2.jpg img/y/2.txt link " ]
	cmp work/img/y/2.jpg copy/img/y/2.jpg
	# Metadata of what is on the way too.
	[ "$(stat -c '%a %Y' work/img/x)" = "$(stat -c '%a %Y' copy/img/x)" ]
	# ** is any number of directories; those without a match are not made.
	shash restore --dir work --dest deep '**/*.c' '**/t[v-x]o.*'
	[ "$(left deep)" = "a a/b a/b/c a/b/c/three.c a/b/two.txt " ]
	shash restore --dir work --dest jpg 'img/**/[!2-9].jpg'
	[ "$(left jpg)" = "img img/x img/x/1.jpg img/y img/y/1.jpg " ]
	# A directory that matches comes whole.
	shash restore --dir work --dest whole 'a/?' 'emp*'
	want='a a/b a/b/c a/b/c/three.c a/b/hard a/b/two.txt empty '
	[ "$(left whole)" = "$want" ]
	scenario_same work/a/b/c whole/a/b/c
	# Everything, in two ways.
	shash restore --dir work --dest all '*'
	scenario_same work/img all/img
	shash restore --dir work --dest all2 '**'
	scenario_same work all2
}

@test "a path that exists as it stands is no pattern" {
	register
	shash backup --dir work
	shash restore --dir work --dest copy 'a/[x]*'
	[ "$(left copy)" = "a a/[x]* " ]
	shash restore --dir work --dest escaped 'a/\[x\]\*'
	[ "$(left escaped)" = "a a/[x]* " ]
}

@test "patterns that cannot be, or match nothing" {
	register
	shash backup --dir work
	for p in '/a*' '../*' 'a/../b*' '[' 'a/x\'; do
		exits 2 shash restore --dir work --dest no "$p"
		[ ! -e no ]
	done
	exits 2 shash restore --dir work --dest no \
	    "$(printf 'a*/%.0s' {1..257})"
	exits 14 shash restore --dir work --dest some 'nothing*' 'a/one*'
	says "nothing in the snapshot matches 'nothing\*'"
	[ "$(left some)" = "a a/one.txt " ]
	exits 14 shash restore --dir work --dest none 'a/one.txt/*'
	[ -z "$(left none)" ]
}

@test "only what is needed is fetched" {
	scenario_serve store
	scenario_proxy wire
	shash register --dir work --url "$proxy_url" \
	    --invitation "$(shash invite --store_dir store)"
	for i in {1..400}; do
		mkdir "work/dir-$i"
		head -c 3000 /dev/urandom >"work/dir-$i/file"
	done
	shash backup --dir work
	before=$(stat -c %s wire.down)
	shash restore --dir work --dest copy a/one.txt 'a/b/t*' 'dir-399/f?le'
	got=$(($(stat -c %s wire.down) - before))
	echo "$got bytes for small files"
	[ "$got" -lt 2000000 ]
	before=$(stat -c %s wire.down)
	shash restore --dir work --dest copy2 'big/o*'
	got=$(($(stat -c %s wire.down) - before))
	echo "$got bytes for 2000000"
	[ "$got" -ge 2000000 ]
	[ "$got" -lt 2500000 ]
	cmp work/big/other copy2/big/other
	# Over a whole copy with one file changed: that file.
	shash restore --dir work --dest full
	head -c 2000000 /dev/urandom >full/big/other
	before=$(stat -c %s wire.down)
	shash restore --dir work --dest full --force
	got=$(($(stat -c %s wire.down) - before))
	echo "$got bytes for 2000000 in place"
	[ "$got" -ge 2000000 ]
	[ "$got" -lt 2700000 ]
	scenario_same work full
	scenario_stop
}

@test "--force writes nothing where nothing differs" {
	register
	setfattr -n user.note -v 'a note' work/a/one.txt || true
	key=$(shash backup --dir work)
	facts work >before
	scenario_strace -e trace=%file,fchmod,fchown,fsetxattr,fremovexattr \
	    shash restore --dir work --force
	facts work >after
	diff before after
	calls='unlinkat|renameat|mkdirat|linkat|fchmod|fchown|utimens'
	calls="$calls|[a-z]*setxattr|[a-z]*removexattr"
	sed '/EEXIST/d' trace >done
	run grep -E "^[0-9]* *($calls)" done
	echo "$output"
	[ "$status" -eq 1 ]
	[ "$(shash scan --dir work)" = "$key" ]
}

@test "--force in place mends what differs, and deletes nothing" {
	register
	shash backup --dir work
	cp -a work whole
	others >before
	# The same size and time, another byte: only reading can tell.
	t=$(stat -c %y work/img/x/2.jpg)
	printf x | dd of=work/img/x/2.jpg conv=notrunc status=none
	touch -d "$t" work/img/x/2.jpg
	rm work/a/b/hard
	cp work/a/one.txt work/a/b/hard
	chmod 600 work/a/one.txt
	ln -sfn elsewhere work/link
	rm work/a/fifo
	echo new >work/new
	mkdir work/newdir
	exits 0 shash restore --dir work --force
	says 'were there already'
	[ -e work/new ] && [ -d work/newdir ]
	rm -r work/new work/newdir
	touch -r whole work
	scenario_same whole work
	others >after
	diff before after
	[ -z "$(find work -name '.shash-tmp*')" ]
	# Only the paths that are asked for.
	echo bad | tee work/a/one.txt work/a/b/two.txt
	shash restore --dir work --force 'a/b/*.txt'
	[ "$(cat work/a/one.txt work/a/b/two.txt)" = "bad
two" ]
}

@test "hard links, files and links of others stay theirs" {
	register
	shash backup --dir work
	cp -a work whole
	# A file outside shares the inode of one that is replaced.
	ln work/img/x/1.txt outside
	echo changed >outside
	# Neither is written through a link.
	echo precious >precious
	ln -sf "$folder/precious" work/img/y/1.txt
	mkdir elsewhere
	rm -r work/img/x/../y
	ln -s "$folder/elsewhere" work/img/y
	exits 0 shash restore --dir work --force
	scenario_same whole work
	[ "$(cat outside)" = changed ]
	[ "$(cat precious)" = precious ]
	[ -z "$(ls elsewhere)" ]
}

@test "one kind in the place of another" {
	register
	shash backup --dir work
	cp -a work whole
	rm -r work/a/b work/a/one.txt work/link work/a/fifo
	echo file >work/a/b
	mkdir work/a/one.txt work/link
	ln -s nowhere work/a/fifo
	exits 0 shash restore --dir work --force
	scenario_same whole work
	# A directory that holds something is left alone, and named.
	rm work/a/one.txt
	mkdir work/a/one.txt
	echo mine >work/a/one.txt/mine
	echo bad >work/a/b/two.txt
	exits 1 shash restore --dir work --force --dry-run
	exits 1 shash restore --dir work --force
	says 'a/one.txt: cannot replace the directory there: .*not empty'
	[ "$(cat work/a/one.txt/mine)" = mine ]
	[ "$(cat work/a/b/two.txt)" = two ]
	[ "$(cat work/a/b/hard)" = one ]
}

@test "attributes and ACLs become those of the snapshot" {
	setfattr -n user.keep -v 1 work/a/one.txt || skip 'no xattrs here'
	setfacl -m u:65534:r work/a/b/two.txt
	register
	shash backup --dir work
	cp -a work whole
	setfattr -n user.keep -v 2 work/a/one.txt
	setfattr -n user.extra -v 3 work/a/one.txt
	setfacl -b work/a/b/two.txt
	setfacl -m u:65534:rwx work/img/x/1.txt
	setfacl -d -m u:65534:rwx work/img
	rm work/img/x/2.txt
	exits 0 shash restore --dir work --force
	scenario_same whole work
	for d in whole work; do
		(cd "$d" && getfattr -R -d -m - --absolute-names . &&
		    getfacl -R .) |
		    grep -v '^# file: \./\.shamo' >"$d.x" || true
	done
	diff whole.x work.x
}

@test "a write that fails leaves the old file" {
	register
	shash backup --dir work
	cp -a work whole
	echo old >work/big/large
	pack=$(find store -name '*.pack' -size +1M)
	for ((at = 200000; at < 4800000; at += 200000)); do
		printf '\377\377\377' |
		    dd of="$pack" bs=1 seek=$at conv=notrunc status=none
	done
	exits 13 shash restore --dir work --force big
	says 'big/large: '
	[ "$(cat work/big/large)" = old ]
	cmp whole/big/other work/big/other
	[ -z "$(find work -name '.shash-tmp*')" ]
}

@test "--dry-run says what a restore would do, and writes nothing" {
	register
	shash backup --dir work
	exits 0 shash restore --dir work --dest copy --dry-run --verbose
	[ ! -e copy ]
	says '^new: img/x/1.jpg$'
	says 'nothing was written'
	exits 0 shash restore --dir work --dest copy --dry-run --json
	"$tests_lib/jsonl.py" out
	cp out dry
	exits 0 shash restore --dir work --dest copy --json
	for m in bytes unchanged; do
		[ "$(jq ".$m" dry)" = "$(jq ".$m" out)" ]
	done
	exits 2 shash restore --dir work --dest copy --dry-run
	# Over what is there.
	echo bad >work/a/b/two.txt
	rm -r work/img/x
	facts work >before
	exits 0 shash restore --dir work --force --dry-run --verbose
	facts work >after
	diff before after
	says '^changed: a/b/two.txt$'
	says '^new: img/x/3.txt$'
	[ "$(grep -c '^changed: ' err)" -eq 1 ]
	exits 0 shash restore --dir work --force --dry-run --json 'img/**/*.jpg'
	[ "$(jq -c '[.files, .unchanged, .bytes]' out)" = '[3,3,60000]' ]
}

@test "what --force needs" {
	register
	shash backup --dir work
	exits 2 shash restore --dir work
	exits 2 shash restore --dir work --dest work
	says -- '--force'
	exits 2 shash restore --dir work --mount x --force
	mkdir full
	echo mine >full/mine
	exits 0 shash restore --dir work --dest full --force a/one.txt
	[ "$(left full)" = "a a/one.txt mine " ]
}

@test "as a user, what may not be written is named" {
	chmod -R a+rX work
	register
	shash backup --dir work
	mkdir theirs
	shash restore --dir work --dest theirs/copy
	echo bad >theirs/copy/a/b/two.txt
	cp -a work/.shamo state
	scenario_nobody true
	cp -a config/. nobody/
	[ "$EUID" -ne 0 ] || chown -R 65534 theirs store state nobody
	chmod 500 theirs/copy/a/b
	scenario_nobody shash restore --dir work --state_dir state \
	    --dest theirs/copy --force
	[ "$(cat theirs/copy/a/b/two.txt)" = two ]
	[ "$("$tests_lib/address.py" theirs/copy)" = \
	    "$("$tests_lib/address.py" work)" ]
}
