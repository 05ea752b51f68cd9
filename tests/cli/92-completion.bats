#!/usr/bin/env bats
# Goal: what bash, zsh and fish offer is what --help lists, and for a value
# what the option takes.

load ../lib/scenario

setup()
{
	scenario_begin
	completions=$(realpath "$BATS_TEST_DIRNAME/../../completions")
	export HOME=$folder
	commands=$(shash --help |
	    sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
	[ "$(wc -w <<<"$commands")" -ge 11 ]
}

teardown()
{
	scenario_end
}

# offers SHELL: for each line on stdin, what the shell offers at its end, as
# LINE|MATCH, sorted
offers()
{
	"offers_$1" | awk '/^= / { line = substr($0, 3); next }
	    { sub("/$", ""); print line "|" $0 }' | sort -u
}

offers_bash()
{
	bash --norc -c '
		. "$1/shash.bash"
		# Outside a completion there is none; "cur" is _shash'\''s.
		compopt()
		{
			case $2 in
			dirnames) COMPREPLY=($(compgen -d -- "$cur")) ;;
			filenames) ;;
			default) COMPREPLY=($(compgen -f -- "$cur")) ;;
			*) return 1 ;;
			esac
		}
		while IFS= read -r line; do
			echo "= $line"
			read -ra COMP_WORDS <<<"${line/=/ = }"
			[[ $line != *" " && $line != *= ]] || COMP_WORDS+=("")
			COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
			COMPREPLY=(none)
			"$(complete -p shash | sed "s/.*-F \([^ ]*\).*/\1/")"
			[ ${#COMPREPLY[@]} -eq 0 ] ||
				printf "%s\n" "${COMPREPLY[@]}"
		done' bash "$completions"
}

offers_zsh()
{
	"$tests_lib/complete.zsh" "$completions"
}

offers_fish()
{
	fish --no-config -c '
		source $argv[1]/shash.fish
		while read -l line
			echo "= $line"
			complete -C $line | string replace -r "\t.*" ""
		end' "$completions"
}

# options COMMAND: as its --help lists them
options()
{
	shash "$1" --help | sed -n 's/^  --\([a-z_]*\).*/--\1/p'
}

# described COMMAND: the same, as OPTION<tab>TEXT
described()
{
	shash "$1" --help |
	    sed -En 's/^  (--[a-z_]*)( [A-Z]*)?(, -.)?  */\1\t/p'
}

# The commands with their texts, as --help lists them.
summaries()
{
	shash --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\)  */\1\t/p'
}

# check_names SHELL
check_names()
{
	local c o
	for c in $commands; do
		echo "shash |$c"
		for o in $(options "$c"); do
			echo "shash $c --|$o"
		done
	done | sort >want
	[ "$(wc -l <want)" -gt 100 ]
	{
		echo 'shash '
		printf 'shash %s --\n' $commands
	} | offers "$1" >have
	diff want have
	echo 'shash --' | offers "$1" >have
	diff - have <<<$'shash --|--help\nshash --|--version'
}

# check_values SHELL
check_values()
{
	mkdir -p fold away/sub away/.shamo
	touch file 'away/a blank' away/sub/deep away/fine
	cat >want <<'END'
shash backup --dir f|fold
shash backup --exclude_from f|file
shash backup --exclude_from f|fold
shash register --chunker |gear
shash register --chunker |private
shash register --chunker p|private
shash register --recovery_file f|file
shash register --recovery_file f|fold
shash register --state_dir f|fold
shash restore --dest f|fold
shash restore --dest x f|file
shash restore --dest x f|fold
shash restore --dir away --dest x f|fine
shash restore --dir ~/away --dest x sub/|sub/deep
shash restore --dir away --dest x |a blank
shash restore --dir away --dest x |fine
shash restore --dir away --dest x |sub
shash scan --dir f|file
shash scan --dir f|fold
shash start --store_dir f|fold
shash start --store_dir f --port 1 --ins|--insecure
END
	{
		cut -d '|' -f 1 want | sort -u
		# Nothing is known of these values, nor are there operands.
		printf 'shash %s\n' 'backup f' 'backup --tag f' \
		    'invite --ttl f' 'register --label f' \
		    'restore --mount f' 'restore --mount x --dest y f' \
		    'restore --dir nowhere --dest y f' 'start --port f' \
		    'nonsense --'
	} | offers "$1" >have
	# zsh names what it adds only.
	[ "$1" != zsh ] || sed -i 's,|sub/deep,|deep,; s,|a ,|a\\ ,' want
	sort want | diff - have
}

# check_keys SHELL
check_keys()
{
	# However busy the machine is.
	mkdir bin
	printf '#!/bin/sh\nshift\nexec "$@"\n' >bin/timeout
	chmod +x bin/timeout
	PATH=$folder/bin:$PATH
	mkdir 'my work'
	echo one >'my work/file'
	shash register --dir 'my work' --url "file://$folder/store" 2>err
	shash backup --dir 'my work'
	echo two >'my work/file'
	shash backup --dir 'my work'
	mv 'my work' work
	shash snapshots --dir work -v | grep -Eo 'X[0-9a-f]{64}' | sort >keys
	[ "$(wc -l <keys)" -eq 2 ]
	echo 'shash restore --dir work --udk ' | offers "$1" >have
	sed 's/^/shash restore --dir work --udk |/' keys | diff - have
	echo 'shash restore --dir ~/work --dest x --udk X' | offers "$1" >have
	[ "$(wc -l <have)" -eq 2 ]
	printf 'shash restore %s --udk \n' '--dir work --mount other' \
	    '--dir nowhere' '' | offers "$1" >have 2>err
	diff /dev/null have
	diff /dev/null err
	mv store away
	echo 'shash restore --dir work --udk ' | offers "$1" >have 2>err
	diff /dev/null have
	diff /dev/null err
}

@test "bash offers the commands and options of --help" {
	check_names bash
}

@test "zsh offers the commands and options of --help" {
	check_names zsh
}

@test "fish offers the commands and options of --help" {
	check_names fish
}

@test "bash offers values" {
	check_values bash
	echo 'shash restore --dir=away --dest x a' | offers bash >have
	diff - have <<<'shash restore --dir=away --dest x a|a blank'
	echo 'shash backup --dir=f' | offers bash >have
	diff - have <<<'shash backup --dir=f|fold'
}

@test "zsh offers values" {
	check_values zsh
}

@test "fish offers values" {
	check_values fish
}

@test "bash offers keys of snapshots" {
	check_keys bash
}

@test "zsh offers keys of snapshots" {
	check_keys zsh
}

@test "fish offers keys of snapshots" {
	check_keys fish
}

@test "bash and zsh take - for _ in a name that was begun" {
	for shell in bash zsh; do
		echo 'shash backup --exclude-f' | offers $shell >have
		diff - have <<<'shash backup --exclude-f|--exclude_from'
	done
}

@test "fish describes them in the words of --help" {
	for c in $commands; do
		fish --no-config -c 'source $argv[1]/shash.fish
		    complete -C "shash $argv[2] --"' "$completions" "$c" |
		    sort >have
		described "$c" | sort | diff - have
	done
	fish --no-config -c 'source $argv[1]/shash.fish
	    complete -C "shash "' "$completions" >have
	summaries | sort | diff - <(sort have)
}

@test "zsh describes them in the words of --help" {
	# Its last line runs it.
	sed '$d' "$completions/_shash" >functions
	for c in $commands; do
		zsh -fc '. ./functions; local -a specs
		    _shash_options $1; print -rl -- $specs' zsh "$c" |
		    sed -En 's/\\([][])/\1/g
		    s/^(\(.*\))?\*?(--[a-z_]*)\[(.*)\](:[^]]*)?$/\2\t\3/p' |
		    sort >have
		described "$c" | sort | diff - have
	done
	zsh -fc '. ./functions; _describe() { print -rl -- ${(P)4} }
	    _shash_commands' | sed 's/:/\t/' | sort >have
	summaries | sort | diff - have
}

@test "the files are clean" {
	bash -n "$completions/shash.bash"
	zsh -n "$completions/_shash"
	zsh -n "$tests_lib/complete.zsh"
	fish --no-execute "$completions/shash.fish"
	[ "$(head -n 1 "$completions/_shash")" = '#compdef shash' ]
}
