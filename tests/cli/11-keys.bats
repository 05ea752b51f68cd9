#!/usr/bin/env bats
# Goal: keys are what other programs compute from the same bytes.

load ../lib/scenario

setup()
{
	scenario_begin
}

teardown()
{
	scenario_end
}

@test "a file's key is what b3sum prints: 200 files" {
	local file n=0
	find /usr/include -type f -print0 | shuf -z -n 200 \
	    --random-source=<(yes) >files
	while IFS= read -r -d '' file; do
		[ "$(shash scan --dir "$file")" = \
		    "$(b3sum --no-names -- "$file")" ]
		n=$((n + 1))
	done <files
	[ "$n" -eq 200 ]
}

@test "a directory's key follows from the keys of all its files" {
	cp -a /usr/include/linux work
	[ "$(shash scan --dir work)" = \
	    "$(python3 "$BATS_TEST_DIRNAME/../lib/address.py" work)" ]
}

@test "a file that cannot be read, or is not there" {
	echo secret >file
	chmod 000 file
	chmod 755 .
	run setpriv --reuid 65534 --regid 65534 --clear-groups "$SHASH" \
	    scan --dir file
	[ "$status" -eq 3 ]
	run shash scan --dir nothing
	[ "$status" -eq 14 ]
}
