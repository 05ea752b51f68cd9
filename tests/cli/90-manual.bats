#!/usr/bin/env bats
# Goal: each command has a manual page, which names the options of its --help
# and no others, and all pages fit 80 columns.

load ../lib/scenario

setup()
{
	scenario_begin
	man=$(realpath "$BATS_TEST_DIRNAME/../../man")
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
	shash "$1" --help | sed -n 's/^  --\([a-z_]*\).*/\1/p' | sort -u
}

# named FILE...: the options that these lines of a page have
named()
{
	grep -oh 'Fl -[a-z_]*' "$@" | cut -c 5- | sort -u
}

@test "every command has a page and its line in the overview" {
	for c in $commands; do
		[ -e "$man/shash-$c.1" ] || { echo "no page: $c"; false; }
		grep -qx ".Xr shash-$c 1" "$man/shash.1" ||
		    { echo "not in the overview: $c"; false; }
		summary=$(shash --help | sed -n "s/^  $c  *//p")
		for page in "$man/shash-$c.1" "$man/shash.1"; do
			[ "$c" != status ] || [ "$page" != "$man/shash.1" ] ||
			    continue # it has two there
			grep -qxF -e "$summary:" -e ".Nd $summary" "$page" ||
			    { echo "not '$summary': $page"; false; }
		done
	done
	for page in "$man"/*; do
		c=${page##*/shash}
		c=${c%.1}
		[ -z "$c" ] || grep -qx -e "${c#-}" <<<"$commands" ||
		    { echo "no command: $page"; false; }
	done
}

@test "a page has the options of its command, and no others" {
	for c in $commands; do
		page=$man/shash-$c.1
		diff <(options "$c") <(named "$page") ||
		    { echo "--help and the page of $c differ"; false; }
		# Each in the synopsis and with a text, but for the common ones.
		sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESC/p' "$page" >synopsis
		grep '^\.It Fl' "$page" >texts
		options "$c" |
		    grep -vx -e help -e json -e quiet -e verbose >own
		diff own <(named synopsis) || { echo "synopsis of $c"; false; }
		diff own <(named texts) || { echo "texts of $c"; false; }
	done
	for o in help json quiet verbose version; do
		grep -q "^\.It Fl -$o" "$man/shash.1" ||
		    { echo "not in the overview: --$o"; false; }
	done
	{ for c in $commands; do options "$c"; done; echo version; } |
	    sort -u >known
	[ -z "$(named "$man/shash.1" | comm -23 - known)" ]
}

@test "a page says the defaults that --help says" {
	for c in $commands; do
		shash "$c" --help | sed -n 's/^  --.*\[\([a-z0-9]*\)\]$/\1/p' |
		    grep -vx all >defaults || true
		while read -r d; do
			grep -Eq "(^|[^a-z0-9])$d([^a-z0-9]|$)" \
			    "$man/shash-$c.1" ||
			    { echo "default of $c: $d"; false; }
		done <defaults
		cat defaults
	done >all
	[ "$(wc -l <all)" -ge 8 ]
}

@test "exit codes: those of --help, and each page some of them" {
	for page in "$man"/*.1; do
		sed -n '/^\.Sh EXIT/,/^\.Sh EX[^I]/s/^\.It \([0-9]*\)$/\1/p' \
		    "$page" >"codes.${page##*/}"
	done
	shash --help | tr '\n' ' ' | sed 's/.*Exit codes: //' |
	    tr , '\n' | awk '{ print $1 }' >codes
	diff codes codes.shash.1
	for c in $commands; do
		grep -qx 0 "codes.shash-$c.1"
		run grep -vxFf codes "codes.shash-$c.1"
		[ "$status" -eq 1 ] || { echo "$c: $output"; false; }
	done
}

@test "help fits 80 columns, goes to stdout, exits with 0" {
	for c in --help $commands; do
		shash "$c" --help >out 2>err
		[ -s out ]
		[ ! -s err ]
		[ -z "$(awk 'length > 80' out)" ] || { echo "long: $c"; false; }
	done
}

@test "mandoc formats the pages without a complaint" {
	run mandoc -T lint -W warning "$man"/*.1
	echo "$output"
	[ "$status" -eq 0 ]
	for page in "$man"/*.1; do
		mandoc -T ascii -O width=78 "$page" | sed 's,.\x08,,g' >text
		[ "$(wc -l <text)" -gt 30 ]
		[ -z "$(awk 'length > 80' text)" ] ||
		    { echo "long: $page"; false; }
	done
}

@test "pages refer to pages that are there" {
	sed -n 's/^\.Xr \(shash[a-z-]*\) 1.*/\1/p' "$man"/*.1 | sort -u >names
	[ "$(wc -l <names)" -ge 12 ]
	while read -r name; do
		[ -e "$man/$name.1" ] || { echo "no page: $name"; false; }
	done <names
}
