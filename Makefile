# hashstore: `make help` lists the targets.
#
# Everything built goes below BUILD.  Another compiler or sanitizers want a
# build folder of their own:  make CC=clang BUILD=build/clang
#                             make SAN=address,undefined BUILD=build/san

ifeq ($(origin CC),default)
CC := gcc
endif
BUILD ?= build
SAN ?=
COVER ?=
OPT ?= $(if $(COVER),-O0,$(if $(SAN),-O1,-O2))
PREFIX ?= /usr/local
DESTDIR ?=
MANDIR ?= $(PREFIX)/share/man
PKG_CONFIG ?= pkg-config
DIR ?=
F ?= $(FUZZ_NAMES)
T ?= 60
MAKEFLAGS += --no-builtin-rules

# V=1 shows the commands; otherwise a line names what is made.
V ?=
Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-4s %s\n')

# A recipe that fails leaves no half-written target behind.
.DELETE_ON_ERROR:
.SUFFIXES:

PKGS := libzstd libsodium libcrypto lmdb libmicrohttpd libcurl jansson
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null)

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wvla
HARDEN := -fstack-protector-strong -fPIE
ifneq ($(SAN),)
HARDEN += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
else ifneq ($(OPT),-O0)
# glibc's checks need the optimizer, and would hide what a sanitizer reports.
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

# What src/ executes is counted by gcc, of one thread or many, per line and
# branch; only -O0 keeps a line a line.  The tests themselves need not be slow.
ifneq ($(COVER),)
COVER_CFLAGS := --coverage -fprofile-update=atomic -fprofile-abs-path
# Children of tests that end by _exit() call it: tests/lib/counted.h.
COVER_LDFLAGS := --coverage -Wl,-u,__gcov_dump
TEST_OPT := -O1 -DCOUNTED
endif

# NDEBUG stays undefined everywhere: an assertion is part of the program.
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE $(OPT) -g $(WARN) $(HARDEN) -pthread \
	-Isrc $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(HARDEN) -pie -Wl,-z,relro,-z,now,-z,noexecstack -pthread \
	$(COVER_LDFLAGS) $(LDFLAGS)

# BLAKE3: the system's library, else the official C and assembly sources as
# Debian ships them inside a Rust package, compiled from where they lie.
BLAKE3_PKG := $(shell $(PKG_CONFIG) --exists libblake3 2>/dev/null && echo yes)
ifeq ($(BLAKE3_PKG),yes)
BLAKE3_CFLAGS := $(shell $(PKG_CONFIG) --cflags libblake3)
BLAKE3_LIBS := $(shell $(PKG_CONFIG) --libs libblake3)
BLAKE3_OBJS :=
BLAKE3_FOUND := pkg-config
else
BLAKE3_DIR := $(lastword $(sort \
	$(wildcard /usr/share/cargo/registry/blake3-*/c)))
BLAKE3_FOUND := $(BLAKE3_DIR)
BLAKE3_CFLAGS := -isystem $(BLAKE3_DIR)
BLAKE3_NAMES := blake3 blake3_dispatch blake3_portable
BLAKE3_MACHINE := $(shell uname -m)
ifeq ($(BLAKE3_MACHINE),x86_64)
BLAKE3_NAMES += blake3_sse2_x86-64_unix blake3_sse41_x86-64_unix \
	blake3_avx2_x86-64_unix blake3_avx512_x86-64_unix
else ifeq ($(BLAKE3_MACHINE),aarch64)
BLAKE3_NAMES += blake3_neon
BLAKE3_DEFS := -DBLAKE3_USE_NEON=1
endif
BLAKE3_OBJS := $(BLAKE3_NAMES:%=$(BUILD)/blake3/%.o)
BLAKE3_LIBS := $(BUILD)/blake3/libblake3.a
endif

# Layers may still be empty, so the sources are whatever is there.
SRCS := $(sort $(wildcard src/*/*.c))
LIB_SRCS := $(filter-out src/cli/main.c,$(SRCS))
LIB_OBJS := $(LIB_SRCS:src/%.c=$(BUILD)/obj/%.o)
# The loops over every byte would count for most of the time, on all threads
# at once: they are counted in their own tests, which have one thread; elsewhere
# they are quick.
ifneq ($(COVER),)
COUNTED_OBJS := $(filter $(BUILD)/obj/chunk/%,$(LIB_OBJS))
LIB_OBJS := $(LIB_OBJS:$(BUILD)/obj/chunk/%=$(BUILD)/quick/chunk/%)
$(COUNTED_OBJS): EXTRA_CFLAGS = -O2 -fprofile-update=single
endif
MAIN_OBJ := $(patsubst src/%.c,$(BUILD)/obj/%.o,$(wildcard src/cli/main.c))
LIB := $(BUILD)/libhashstore.a
PROG := $(if $(MAIN_OBJ),$(BUILD)/shash)

# tests/lib holds what several unit tests share; it is linked into each.
TEST_SRCS := $(sort $(foreach d,unit vectors fault,\
	$(wildcard tests/$d/test_*.c)))
TESTS := $(TEST_SRCS:tests/%.c=$(BUILD)/tests/%)
TEST_LIB_OBJS := $(patsubst tests/%.c,$(BUILD)/tests/%.o,\
	$(sort $(wildcard tests/lib/*.c)))
comma := ,
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,\
	$(sort $(wildcard tests/fuzz/fuzz_*.c)))
REPLAYS := $(FUZZ_NAMES:%=$(BUILD)/tests/fuzz/replay_%)
CMOCKA_LIBS := $(shell $(PKG_CONFIG) --libs cmocka 2>/dev/null)

# One program per question; each is one file and its own main().
BENCHES := $(patsubst bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard bench/*.c)))

MAN := $(wildcard man/*.1)
C_FILES := $(sort $(wildcard src/*/*.[ch] tests/*/*.[ch] bench/*.[ch]))
FILES ?= $(C_FILES)

# RUN runs test programs and scenarios; it needs to know which shash.
RUN = BUILD=$(BUILD) SHASH=$(abspath $(BUILD)/shash) tools/run-tests

.PHONY: all benches help quickstart check check-unit check-cli check-tools \
	check-main check-san check-asan check-tsan check-valgrind dist-check \
	cover watch fuzz sabotage check-real check-long soak tidy format bench \
	install uninstall deb check-deb clean tests deps _check _check-tsan _cover \
	_counted _quickstart _fuzz FORCE

all: $(LIB) $(PROG) ## build build/shash and build/libhashstore.a (default)

help: ## list the targets
	@echo 'hashstore: targets of make'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | \
	    while IFS='|' read -r t d; do printf '%-15s %s\n' "$$t" "$$d"; done
	@echo 'Variables: CC BUILD OPT SAN V CFLAGS LDFLAGS PREFIX DESTDIR DIR F T'

# On a fresh machine neither the compiler nor pkg-config was there when this
# file was read, so the packages come first and then make starts anew.
quickstart: ## set up, build, and show a whole backup and restore (DIR=...)
	@./set_devenv.sh
	@$(MAKE) --no-print-directory _quickstart

_quickstart: all
	@SHASH=$(abspath $(BUILD)/shash) DIR='$(DIR)' tools/quickstart

check: ## set up, build, run every test that takes minutes
	@./set_devenv.sh
	@$(MAKE) --no-print-directory _check

# The long ones first, so that both processors end at about the same time.
_check: all tests benches
	@$(RUN) $(sort $(wildcard tests/cli/*.bats tests/tools/*.bats)) $(UNITS)

# What the fuzz targets are kept right by is replayed with the unit tests.
UNITS := $(TESTS) $(REPLAYS)
tests: $(UNITS) ## build the unit tests

check-unit: all tests ## unit tests, test vectors, kept inputs of the fuzzers
	@$(RUN) $(UNITS)

check-cli: all ## scenarios: the program as its users call it
	@$(RUN) $(sort $(wildcard tests/cli/*.bats))

check-tools: ## tests of the tools of this repository
	@$(RUN) $(sort $(wildcard tests/tools/*.bats))

# Some scenarios alone: CLI='01 14'.
CLI ?= *
SCENARIOS = $(filter-out $(CLI_NOT:%=tests/cli/%.bats),\
    $(sort $(wildcard $(CLI:%=tests/cli/%*.bats))))
# Minutes of kills, waits and repetitions: once, in the build that is used.
LENGTHY := 07-next-backup 08-crash 13-crash-points 16-choosing \
    20-second-implementation 25-faults 27-full-disk-sizes 28-failed-sync 34-cuts
check-main: all tests ## unit tests and scenarios (CLI='01 14': only those)
	@$(RUN) $(SCENARIOS) $(UNITS)

cover: ## tests under gcc's counters: lines and branches of src/ they miss
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/cover COVER=1 _cover

watch: ## test with gcc and clang whenever a file is saved, until Ctrl-C
	@tools/watch

# Left out: what kills programs before each call, or lets each of their calls
# fail, would do so to the calls that write the counts, and spoil those; and
# what does for a minute or two what others do once (COVER_NOT= for all).
COVER_NOT ?= $(LENGTHY)
COVER_FIRST := $(filter %/test_cli_failing,$(TESTS))
_cover: all tests
	@$(if $(wildcard $(COVER_NOT:%=tests/cli/%.bats)),\
	    echo 'not counted: $(COVER_NOT:%=cli/%)')
	@rc=0; \
	$(MAKE) --no-print-directory _counted || rc=1; \
	tools/cover --floor tests/coverage.floor --excluded $(BUILD) || rc=1; \
	exit $$rc

_counted: all tests
	@TEST_JOBS=$${TEST_JOBS:-3} FAILING_ONE_IN=1 tools/counted $(BUILD) env \
	    $(RUN) $(COVER_FIRST) $(filter-out $(COVER_NOT:%=tests/cli/%.bats),\
	    $(sort $(wildcard tests/cli/*.bats))) \
	    $(filter-out $(COVER_FIRST),$(UNITS))

check-san: ## check-asan, then check-tsan
	@$(MAKE) --no-print-directory check-asan
	@$(MAKE) --no-print-directory check-tsan

# Left out: the same (ASAN_NOT= for all).
ASAN_NOT ?= $(LENGTHY)
check-asan: ## unit tests and scenarios under ASan and UBSan
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/san \
	    SAN=address,undefined CLI_NOT='$(ASAN_NOT)' check-main

# Codecs, ciphers and most of the store know no threads, and their tests would
# take minutes.
# What defines the calls that lock hides them from ThreadSanitizer.
THREADED = $(filter-out $(BUILD)/tests/unit/test_net_failing \
	$(foreach t,base_kvpages $(foreach x,crash failing model sweep \
	sweep_between sweep_crash,store_$x),$(BUILD)/tests/unit/test_$t) \
	$(foreach l,chunk cli hash object proto seal sign,\
	$(BUILD)/tests/unit/test_$l_%),\
	$(filter $(BUILD)/tests/unit/%,$(TESTS)))
TSAN_CLI := 01 14
check-tsan: ## what has threads, under ThreadSanitizer
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan SAN=thread _check-tsan

_check-tsan: all $(THREADED)
	@TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 \
	    $(RUN) $(wildcard $(TSAN_CLI:%=tests/cli/%-*.bats)) $(THREADED)

# What computes for more than half a second takes a minute in there; it is
# randomized or exhaustive, and ASan has seen it all.  hash_equal is to read
# what may not be read.  server_server leaves children in the middle of its
# work, who seem to leak.
VALGRIND_NOT := chunk_chunker chunk_prf cli_damage client_wire engine_backup \
	engine_folder engine_hasher engine_restore engine_restore_hostile \
	engine_restore_junk engine_restore_random engine_scan engine_sealer \
	hash_equal hash_hash object_extent object_tree seal_frame \
	server_server store_crash store_members store_model store_sweep \
	store_sweep_crash
VALGRIND_NOT += backend_failing base_failing base_kvpages cli_cache cli_disk \
	cli_failing cli_members cli_lacking net_failing object_failing \
	seal_failing server_disk server_keep store_failing store_replays \
	store_retire store_sweep_turns
VALGRIND_CLI := 01
check-valgrind: all tests ## unit tests and a scenario under memcheck
	@TEST_UNDER='$(abspath tools/memcheck)' \
	    BUILD=$(BUILD) SHASH=$(abspath $(BUILD)/shash) tools/run-tests \
	    $(wildcard $(VALGRIND_CLI:%=tests/cli/%-*.bats)) \
	    $(filter-out $(VALGRIND_NOT:%=$(BUILD)/tests/unit/test_%),$(TESTS))

dist-check: ## build, test, install, uninstall from a tarball of HEAD
	@CC='$(CC)' tools/dist-check

# clang alone has libFuzzer; SAN makes every object report what it covers.
fuzz: ## run fuzz targets (F='tree map', T=60 seconds each; default all)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang \
	    SAN=fuzzer-no-link,address,undefined F='$(F)' T=$(T) _fuzz

_fuzz: $(BUILD)/seeds $(F:%=$(BUILD)/tests/fuzz/fuzz_%)
	@BUILD=$(BUILD) tools/fuzz run $(T) $(F)

check-real: all ## large real inputs (an hour, some 40 GB of disk)
	@TEST_SECONDS_MAX=7200 $(RUN) $(sort $(wildcard tests/real/*.bats))

# Five of them, others for each K: TURN=K; `auto`: by the number of commits.
N ?=
TURN ?=
sabotage: all ## seeded bugs that a test must catch (N='3 7', TURN=auto)
	@BUILD=$(BUILD) tests/sabotage/run $(if $(TURN),--turn $(TURN)) $(N)

# The long ones first.  Those lines of a test that begin with # are its counts.
LONG_FIRST := $(wildcard $(patsubst %,tests/long/%.bats,\
	05-damage 07-failing 02-sweep))
check-long: all tests ## full counts (hours); ONE_IN=10 SEED=1: a tenth of them
	@SHOW_COUNTS=1 TEST_SECONDS_MAX=86400 $(RUN) $(LONG_FIRST) \
	    $(filter-out $(LONG_FIRST),$(sort $(wildcard tests/long/*.bats)))

# Until HOURS are over, with random seeds from SEED on.
SEED ?=
HOURS ?= 1
SOAKED := store_sweep_crash store_sweep_turns server_disk server_prune cli_disk \
	cli_damage cli_cache cli_failing
soak: all $(SOAKED:%=$(BUILD)/tests/unit/test_%) ## go on (SEED=..., HOURS=1)
	@BUILD=$(BUILD) tests/long/soak $(HOURS) $(SEED)

tidy: all ## format, layers, symbols, headers, sizes, banned calls, documents
	@BUILD=$(BUILD) CC='$(CC)' TIDY_CFLAGS='$(ALL_CFLAGS)' tools/tidy

format: ## run clang-format over the sources (FILES=... for some)
	clang-format -i $(FILES)

benches: $(BENCHES)

bench: all benches ## time each stage, then whole backups (bench/README.md)
	@set -e; for b in $(BENCHES); do echo "== $$b"; $$b; done
	@SHASH=$(abspath $(BUILD)/shash) bench/whole $(DIR)

# Where the three shells look for completions of installed programs.
SHARE = $(DESTDIR)$(PREFIX)/share
COMPLETION_BASH = $(SHARE)/bash-completion/completions/shash
COMPLETION_ZSH = $(SHARE)/zsh/site-functions/_shash
COMPLETION_FISH = $(SHARE)/fish/vendor_completions.d/shash.fish

install: all ## install below DESTDIR and PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(MANDIR)/man1
	install -m 755 $(BUILD)/shash $(DESTDIR)$(PREFIX)/bin/shash
	$(if $(MAN),install -m 644 $(MAN) $(DESTDIR)$(MANDIR)/man1)
	install -D -m 644 completions/shash.bash $(COMPLETION_BASH)
	install -D -m 644 completions/_shash $(COMPLETION_ZSH)
	install -D -m 644 completions/shash.fish $(COMPLETION_FISH)

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/shash \
	    $(COMPLETION_BASH) $(COMPLETION_ZSH) $(COMPLETION_FISH) \
	    $(MAN:man/%=$(DESTDIR)$(MANDIR)/man1/%)

deb: all ## build a Debian package below BUILD
	@BUILD=$(BUILD) MAKE='$(MAKE)' tools/deb

check-deb: deb ## install the package in a layer over this machine, use it
	@$(RUN) $(sort $(wildcard tests/deb/*.bats))

clean: ## remove everything built
	rm -rf $(BUILD)

# What is missing is named before the compiler gets a chance to be obscure.
deps:
	@command -v $(CC) >/dev/null || { \
	    echo 'make: no $(CC): run ./set_devenv.sh' >&2; exit 1; }
	@command -v $(PKG_CONFIG) >/dev/null || { \
	    echo 'make: no $(PKG_CONFIG): run ./set_devenv.sh' >&2; exit 1; }
	@$(PKG_CONFIG) --print-errors --exists $(PKGS) cmocka || { \
	    echo 'make: missing libraries: run ./set_devenv.sh' >&2; exit 1; }
	@[ -n '$(BLAKE3_FOUND)' ] || { \
	    echo 'make: no BLAKE3: install libblake3-dev, or' \
	    'librust-blake3-dev (see ./set_devenv.sh)' >&2; exit 1; }

# Rebuilds everything when the compiler or a flag changed; the archive and the
# programs also when a source came or went.
$(BUILD)/.flags: FORCE | deps
	@mkdir -p $(BUILD)
	@echo '$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(BLAKE3_CFLAGS)' | \
	    cmp -s - $@ || \
	    echo '$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(BLAKE3_CFLAGS)' >$@
$(BUILD)/.sources: FORCE | deps
	@mkdir -p $(BUILD)
	@echo '$(LIB_OBJS)' | cmp -s - $@ || echo '$(LIB_OBJS)' >$@
FORCE:

$(BUILD)/obj/hash/%.o: EXTRA_CFLAGS = $(BLAKE3_CFLAGS)

$(BUILD)/obj/%.o: src/%.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(ALL_CFLAGS) $(COVER_CFLAGS) $(EXTRA_CFLAGS) -MMD -MP \
	    -c -o $@ $<

$(BUILD)/quick/%.o: src/%.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(ALL_CFLAGS) -O2 -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJS) $(BUILD)/.sources
	@rm -f $@
	$(say) AR $@
	$(Q)ar rcsD $@ $(LIB_OBJS)

# Foreign code: our warnings are not its business.
$(BUILD)/blake3/%.o: $(BLAKE3_DIR)/%.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) -std=c17 $(if $(COVER),-O2,$(OPT)) -g -w $(HARDEN) \
	    $(BLAKE3_DEFS) -c -o $@ $<
$(BUILD)/blake3/%.o: $(BLAKE3_DIR)/%.S $(BUILD)/.flags
	@mkdir -p $(@D)
	$(say) AS $@
	$(Q)$(CC) -g -c -o $@ $<
$(BUILD)/blake3/libblake3.a: $(BLAKE3_OBJS)
	@rm -f $@
	$(say) AR $@
	$(Q)ar rcsD $@ $(BLAKE3_OBJS)

LINK_LIBS = $(LIB) $(BLAKE3_LIBS) $(PKG_LIBS)
LINK_DEPS = $(LIB) $(filter $(BUILD)/%,$(BLAKE3_LIBS))

$(BUILD)/shash: $(MAIN_OBJ) $(LINK_DEPS)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(MAIN_OBJ) $(LINK_LIBS)

$(BUILD)/tests/%.o: tests/%.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(ALL_CFLAGS) $(TEST_OPT) -Itests -MMD -MP -c -o $@ $<

# In this order: failing.c tells by it who calls.
$(TESTS): $(BUILD)/tests/%: $(BUILD)/tests/%.o $(TEST_LIB_OBJS) $(LINK_DEPS)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) $(WRAPPED) -o $@ $< $(TEST_LIB_OBJS) \
	    $(WRAPPERS) $(LINK_LIBS) $(CMOCKA_LIBS)

# What src/ calls passes through a library that can let it fail, in the
# programs that ask for that.
wrap = $(addprefix -Wl$(comma)--wrap=,$(1))
FAILED := $(patsubst tests/%.c,$(BUILD)/tests/%,\
	$(shell grep -ls '"fault/failing.h"' $(TEST_SRCS) /dev/null))
FAILING_OBJS := $(BUILD)/tests/fault/failing.o $(BUILD)/tests/fault/callers.o
$(FAILED): $(FAILING_OBJS)
$(FAILED): WRAPPERS = $(FAILING_OBJS)
$(FAILED): WRAPPED = $(call wrap,$(shell sed -n \
	's/^[A-Z][A-Z]*.\([A-Z]*, \)*\([A-Za-z0-9_]*\).*/\2/p' \
	tests/fault/calls.inc) free mdb_txn_commit buf_printf)

# The random bytes and clocks of these come from tests/lib/seeded.c: a failure
# comes again with its seed.  The files of DISKED lie on a simulated disk.
DISKED := $(BUILD)/tests/unit/test_server_disk $(BUILD)/tests/unit/test_cli_disk
SEEDED := $(BUILD)/tests/unit/test_store_sweep_crash \
	$(BUILD)/tests/unit/test_store_sweep_turns \
	$(BUILD)/tests/unit/test_server_sessions $(DISKED)
$(SEEDED): private ALL_LDFLAGS += \
	$(call wrap,random_bytes clock_wall_ns clock_mono_ns)
$(BUILD)/tests/unit/test_store_leave: private ALL_LDFLAGS += $(call wrap,kv_begin)
ifneq ($(BLAKE3_PKG),yes)
$(BUILD)/tests/unit/test_hash_hash: WRAPPED = \
	$(call wrap,blake3_simd_degree)
endif
CHUNKERS := $(filter $(BUILD)/tests/unit/test_chunk_%,$(TESTS))
$(CHUNKERS): $(COUNTED_OBJS)
$(CHUNKERS): WRAPPERS += $(COUNTED_OBJS)
DISK_OBJS := $(BUILD)/tests/fault/sim_disk.o
DISK_CALLS := open openat close write pwrite ftruncate fsync fdatasync \
	rename renameat renameat2 link linkat unlink unlinkat rmdir mkdir \
	closedir
$(DISKED): WRAPPERS = $(DISK_OBJS)
$(DISKED): WRAPPED = $(call wrap,$(DISK_CALLS))
# A client's: with what LMDB does, its requests, another boot, and files that
# are never young.
CLIENT_DISKED := $(BUILD)/tests/unit/test_cli_disk
CLIENT_DISK_OBJS := $(patsubst %,$(BUILD)/tests/fault/sim_%.o,tables requests)
$(CLIENT_DISKED): DISK_OBJS += $(CLIENT_DISK_OBJS)
$(CLIENT_DISKED): DISK_CALLS += mdb_txn_commit mdb_env_sync os_boot_id \
	os_sync_fs fsclock_young ballast_hold curl_easy_perform
$(DISKED): $(DISK_OBJS)
$(CLIENT_DISKED): $(CLIENT_DISK_OBJS)

$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(TEST_LIB_OBJS) \
    $(LINK_DEPS)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $< $(TEST_LIB_OBJS) \
	    $(LINK_LIBS) $(CMOCKA_LIBS)
$(BUILD)/tests/fuzz/replay_%: $(BUILD)/tests/fuzz/fuzz_%.o \
    $(BUILD)/tests/fuzz/replay.o $(TEST_LIB_OBJS) $(LINK_DEPS) | $(BUILD)/seeds
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(LINK_LIBS) \
	    $(CMOCKA_LIBS)
SEEDS_OBJS := $(patsubst %,$(BUILD)/tests/fuzz/%.o,seeds seeds_text)
$(BUILD)/tests/fuzz/seeds: $(SEEDS_OBJS) $(TEST_LIB_OBJS) $(LINK_DEPS)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(LINK_LIBS) \
	    $(CMOCKA_LIBS)
$(BUILD)/seeds: $(BUILD)/tests/fuzz/seeds
	@rm -rf $@
	$(Q)$< $@

$(BUILD)/bench/%: bench/%.c $(LINK_DEPS)
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -MMD -MP -o $@ $< $(LINK_LIBS)

.PRECIOUS: $(BUILD)/tests/%.o
.SECONDARY: $(FUZZ_NAMES:%=$(BUILD)/tests/fuzz/fuzz_%.o)

-include $(LIB_OBJS:.o=.d) $(COUNTED_OBJS:.o=.d) $(MAIN_OBJ:.o=.d) \
	$(TESTS:=.d) \
	$(FUZZ_NAMES:%=$(BUILD)/tests/fuzz/fuzz_%.d) $(SEEDS_OBJS:.o=.d) \
	$(BUILD)/tests/fuzz/replay.d \
	$(FAILING_OBJS:.o=.d) $(BUILD)/tests/fault/sim_disk.d $(CLIENT_DISK_OBJS:.o=.d) \
	$(TEST_LIB_OBJS:.o=.d) $(BENCHES:=.d)
