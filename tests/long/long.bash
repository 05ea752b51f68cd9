# Shared by the full counts: `load long`, then long_begin in setup() and
# scenario_end in teardown().
#
# In the environment: ONE_IN=10 takes a tenth of each count.  SEED= repeats a
# draw; without it there is another one each time, and it is told.  CLOCK=+10y,
# -10y or frozen gives every process another wall clock.
# shellcheck shell=bash

load ../lib/scenario

# long_begin: as scenario_begin; sets $seed and $programs (unit tests)
long_begin()
{
	scenario_begin
	repo=$(realpath "$BATS_TEST_DIRNAME/../..")
	# shellcheck disable=SC2034 # the tests use it
	programs=$repo/${BUILD:-build}/tests/unit
	seed=${SEED:-$RANDOM}
	long_say "SEED=$seed${ONE_IN:+ ONE_IN=$ONE_IN}${CLOCK:+ CLOCK=$CLOCK}"
}

# long_say WORDS...: a line that whoever runs it sees
long_say()
{
	echo "# $*" >&3
}

# one_in N: print N, or as much of it as ONE_IN wants, rounded up
one_in()
{
	echo $((($1 + ${ONE_IN:-1} - 1) / ${ONE_IN:-1}))
}

# long_reached LEAST FILE WHAT: tell the lines of FILE that have "N WHAT", and
# the sum of those Ns, which must be LEAST
long_reached()
{
	local sum lines
	lines=$(grep -E "[0-9]+ $3" "$2" | sed 's/^# //')
	sum=$(grep -Eo "[0-9]+ $3" "$2" | awk '{ n += $1 } END { print n + 0 }')
	[ -z "$lines" ] || long_say "${lines//$'\n'/$'\n# '}"
	[ "${lines%% *}" = "$sum" ] || long_say "$sum $3"
	[ "$sum" -ge "$1" ] || { echo "only $sum $3, not $1"; return 1; }
}

# long_build NAME...: unit tests; as they are in the middle of `make`, which
# has built them
long_build()
{
	make -s -C "$repo" "${@/#/${BUILD:-build}/tests/unit/}"
}

# long_run NAME: a unit test, into ./log
long_run()
{
	"$programs/$1" >log 2>err || { tail -n 50 log err; return 1; }
}

# long_library: compile tests/fault/clock.c; sets $clock
long_library()
{
	# It is there longer than the test's folder.
	clock=$BATS_FILE_TMPDIR/clock.so
	"${CC:-cc}" -std=c17 -D_GNU_SOURCE -O2 -shared -fPIC \
	    -o "$clock" "$BATS_TEST_DIRNAME/../fault/clock.c" -ldl
}

# long_clock: when CLOCK says so, the wall clock of all processes is off from
# here on: ten years, for three seconds, right for three, and so on; or it
# stands still
long_clock()
{
	local a b
	case ${CLOCK:-} in
	'') return 0 ;;
	+10y) CLOCKS='315360000 0 each 3' ;;
	-10y) CLOCKS='-315360000 0 each 3' ;;
	frozen) CLOCKS="0 0 $EPOCHSECONDS" ;;
	*) echo "CLOCK=$CLOCK: +10y, -10y or frozen" && return 1 ;;
	esac
	long_library
	export CLOCKS LD_PRELOAD=$clock
	# The canary.
	[ "$CLOCK" != frozen ] || {
		a=$(date +%s%N)
		sleep 0.01
		b=$(date +%s%N)
		[ "$a" = "$b" ]
		return
	}
	scenario_wait long_is_off
}

long_is_off()
{
	local apart=$(($(date +%s) - EPOCHSECONDS))
	[ "${apart#-}" -gt 300000000 ]
}
