#!/usr/bin/env bats
# Goal: whoever does not want the sizes of chunks to tell anything asks for it
# when the vault is made, and all else is as with the other chunker.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir work
	head -c 20000000 /dev/urandom >work/large
	head -c 3000 /dev/urandom >work/small
	scenario_serve store
}

teardown()
{
	scenario_end
}

# header MEMBER: of the only vault's header
header()
{
	sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" store/vaults/*/vault.json
}

# same N: the directory is restored as it is, and was N MB to store at most
same()
{
	local stored
	stored=$(scenario_store_bytes store)
	shash backup --dir work >key
	stored=$(($(scenario_store_bytes store) - stored))
	echo "stored $stored"
	[ "$stored" -le "$1" ]
	[ "$(cat key)" = "$("$tests_lib/address.py" work)" ]
	rm -rf copy
	shash restore --dir work --dest copy
	scenario_same work copy
}

@test "a private vault stores, stores changes alone, and restores" {
	exits 0 scenario_register work --chunker private
	grep -q 'opened a new vault, [0-9a-f]* (chunker: private)' err
	[ "$(header chunker)" -eq 2 ]
	same 20500000
	# A chunk has 1 MiB at most.  Mostly one or two change; behind those
	# that have the most, which end where no content says so, more: six at
	# most in all but one of 10^10 vaults.
	printf x | dd of=work/large bs=1 seek=5000000 conv=notrunc
	same 6500000
	{ head -c 9000000 work/large; echo insert; tail -c +9000001 \
	    work/large; } >next
	mv next work/large
	same 6500000
	exits 0 shash verify --store_dir store
	exits 0 shash status --dir work --verbose
	grep -Eqx 'chunker +private, 256 KiB on average' out
}

@test "who joins a vault has its chunker" {
	exits 0 scenario_register work --chunker private --recovery-file key
	cp -a work other
	rm -r other/.shamo
	exits 0 scenario_register other
	grep -q 'joined your vault [0-9a-f]* (chunker: private)' err
	shash backup --dir work
	stored=$(scenario_store_bytes store)
	shash backup --dir other
	[ $(($(scenario_store_bytes store) - stored)) -lt 100000 ]
	# Another user, by the recovery key.
	cp -a other third
	rm -r third/.shamo
	XDG_CONFIG_HOME=$folder/config2 exits 0 scenario_register third \
	    --recovery-key "$(cat key)"
	XDG_CONFIG_HOME=$folder/config2 shash backup --dir third
	[ $(($(scenario_store_bytes store) - stored)) -lt 200000 ]
	[ "$(find store/vaults -mindepth 1 -maxdepth 1 | wc -l)" -eq 1 ]
}

@test "the chunker is a new vault's and stays" {
	exits 0 scenario_register work
	grep -q '(chunker: gear)' err
	[ "$(header chunker)" -eq 1 ]
	cp -a work other
	rm -r other/.shamo
	# It would be ignored: said before anything is done.
	exits 2 scenario_register other --chunker private
	grep -q 'new_vault' err
	[ ! -e other/.shamo/config.json ]
	exits 2 scenario_register other --chunker private \
	    --recovery-key "$(shash key --dir work)"
	exits 2 scenario_register other --chunker fast
	grep -q "no chunker 'fast'" err
	exits 0 scenario_register other --chunker private --new-vault
	grep -q '(chunker: private)' err
	[ "$(header chunker | sort | tr '\n' ' ')" = "1 2 " ]
}

@test "the version names the instructions, and no slower ones than there are" {
	exits 0 shash --version
	case $(uname -m) in
	x86_64) flags=$(grep -m 1 ^flags /proc/cpuinfo) ;;
	aarch64) flags=$(grep -m 1 ^Features /proc/cpuinfo) ;;
	esac
	has() { [[ " $flags " == *" $1 "* ]]; }
	path=portable
	if [ "$(uname -m)" = aarch64 ]; then
		has aes && path=arm64-aes
	elif has vaes && has avx512f && has avx512dq; then
		path=vaes-avx512
	elif has aes; then
		path=aes-ni
	fi
	grep -q "^chunking *$path for the private chunker\$" out
}
