#!/usr/bin/env bats
# Goal: the manual page and --help name the same commands and options, and
# both fit 80 columns.

load ../lib/scenario

setup()
{
	scenario_begin
	page=$BATS_TEST_DIRNAME/../../man/shash.1
	commands=$(shash --help |
	    sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
	[ "$(wc -w <<<"$commands")" -ge 11 ]
}

teardown()
{
	scenario_end
}

# options COMMAND: as its --help lists them
options()
{
	shash "$1" --help | sed -n 's/^  --\([a-z_]*\).*/\1/p' |
	    grep -vx -e help
}

@test "every command has its place in the manual" {
	for c in $commands; do
		grep -qx ".Cm $c" "$page" || { echo "synopsis: $c"; false; }
		grep -qx ".It Cm $c" "$page" || { echo "text: $c"; false; }
	done
	for c in $(sed -n 's/^\.It Cm //p' "$page" | sort -u); do
		grep -qx "$c" <<<"$commands" || { echo "no command $c"; false; }
	done
}

@test "every option is in the manual, and the manual has no others" {
	for c in $commands; do
		for o in $(options "$c"); do
			grep -q -- "Fl -$o" "$page" || echo "$c --$o"
		done
	done >missing
	[ ! -s missing ] || { cat missing; false; }
	for c in $commands; do options "$c"; done | sort -u >known
	printf '%s\n' help version >>known
	grep -o 'Fl -[a-z_]*' "$page" | cut -c 5- | sort -u >named
	run grep -vxFf known named
	echo "not in any --help: $output"
	[ "$status" -eq 1 ]
}

@test "help fits 80 columns, goes to stdout, exits with 0" {
	for c in --help $commands; do
		shash "$c" --help >out 2>err
		[ -s out ]
		[ ! -s err ]
		[ -z "$(awk 'length > 80' out)" ] || { echo "long: $c"; false; }
	done
}

@test "mandoc formats the page without a complaint" {
	run mandoc -T lint -W warning "$page"
	echo "$output"
	[ "$status" -eq 0 ]
	mandoc -T ascii -O width=78 "$page" | sed 's,.\x08,,g' >text
	[ -z "$(awk 'length > 80' text)" ]
}
