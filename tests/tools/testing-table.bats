#!/usr/bin/env bats
# Goal: the table of bad input in docs/testing.md and the tests agree.

setup()
{
	repo=$BATS_TEST_DIRNAME/../..
	folder=$(mktemp -d)
	# id, exit code, file, test
	cells='^\| ([a-z]+-[0-9]+) \| .* \| ([0-9a-z, ]+) \| `(.*)`: (.*) \|$'
	sed -nE "s/$cells/\1\t\2\t\3\t\4/p" "$repo/docs/testing.md" \
	    >"$folder/rows"
}

teardown()
{
	rm -r "$folder"
}

# tests_of FILE: the names of its tests
tests_of()
{
	case $1 in
	*.bats) sed -nE 's/^@test "(.*)" \{$/\1/p' "$1" ;;
	*.c) sed -nE 's/^\s*(cmocka_unit_test|TEST)\w*\((test_\w+).*/\2/p' \
	    "$1" ;;
	esac
}

@test "every row names a test that there is" {
	[ "$(wc -l <"$folder/rows")" -gt 50 ]
	# No row is lost by being written in another way.
	[ "$(wc -l <"$folder/rows")" -eq \
	    "$(grep -cE '^\| [a-z]+-[0-9]' "$repo/docs/testing.md")" ]
	[ -z "$(cut -f 1 "$folder/rows" | sort | uniq -d)" ]
	while IFS=$'\t' read -r id _ file name; do
		tests_of "$repo/$file" | grep -qxF -e "$name" ||
		    { echo "$id: $file has no test '$name'"; false; }
	done <"$folder/rows"
}

@test "every test of bad input has a row" {
	for file in tests/cli/10-bad-input.bats \
	    tests/cli/24-bad-surroundings.bats; do
		tests_of "$repo/$file" >"$folder/tests"
		[ -s "$folder/tests" ]
		while read -r name; do
			grep -qF -e "$file"$'\t'"$name" "$folder/rows" ||
			    { echo "no row for $file: $name"; false; }
		done <"$folder/tests"
	done
}
