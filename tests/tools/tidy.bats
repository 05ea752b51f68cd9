#!/usr/bin/env bats
# The checker is checked: each test plants one fault in a small tree of its
# own and sees `tools/tidy` name it.

setup()
{
	repo=$BATS_TEST_DIRNAME/../..
	tree=$(mktemp -d)
	mkdir -p "$tree"/src/{base,seal,store,net} "$tree"/{docs,man}
	cp -r "$repo/tools" "$repo/Makefile" "$repo"/.clang-{format,tidy} \
	    "$repo/set_devenv.sh" "$tree"
	cd "$tree"
	echo >tools/prefixes
	cat >src/base/twig.h <<'END'
#ifndef HS_BASE_TWIG_H
#define HS_BASE_TWIG_H

int twig_count(void);

#endif
END
	cat >src/base/twig.c <<'END'
#include "base/twig.h"

int
twig_count(void)
{
	return 1;
}
END
	printf 'Twigs.\n\ntwig.[ch]  counted\n' >src/base/DESIGN
	printf '# Tree\n\nRun `make all`; read `src/base/twig.h`.\n' >README.md
	unset BUILD
}

teardown()
{
	cd /
	rm -rf "$tree"
}

# finds CHECK TEXT: the check fails, and one of its lines holds TEXT
finds()
{
	run tools/tidy "$1"
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == *"$2"* ]]
}

compile()
{
	mkdir -p build/obj/base
	gcc -Isrc -c -o build/obj/base/twig.o src/base/twig.c
}

@test "a clean tree has no findings" {
	compile
	run tools/tidy
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = 'tidy: 14 checks, 0 findings' ]
}

@test "an unknown check is a usage error" {
	run tools/tidy nonsense
	[ "$status" -eq 2 ]
}

@test "layers: an upward include" {
	touch src/seal/seal.h
	echo '#include "seal/seal.h"' >src/store/pack.c
	finds layers 'src/store/pack.c:1: store must not include seal'
}

@test "layers: an include that names no layer" {
	echo '#include "twig.h"' >src/base/leaf.c
	finds layers 'src/base/leaf.c:1: "twig.h" does not name its layer'
}

@test "layers: an include that leaves the tree" {
	echo '#include "../base/twig.h"' >src/base/leaf.c
	finds layers 'src/base/leaf.c:1:'
}

@test "layers: an unknown folder" {
	mkdir src/misc
	touch src/misc/x.c
	finds layers 'src/misc/x.c:1: misc is no layer'
}

@test "layers: a foreign library outside its place" {
	echo '#include <lmdb.h>' >src/store/index.c
	echo '#include <openssl/evp.h>' >src/base/cipher.c
	echo '#include <curl/curl.h>' >src/net/http_server.c
	finds layers 'src/store/index.c:1: <lmdb.h> belongs to base/kv.c'
	finds layers 'src/base/cipher.c:1: <openssl/evp.h> belongs to seal/'
	finds layers 'src/net/http_server.c:1: <curl/curl.h> belongs to'
}

@test "layers: a foreign library in its place" {
	echo '#include <lmdb.h>' >src/base/kv.c
	echo '#include <curl/curl.h>' >src/net/http_client.c
	run tools/tidy layers
	[ "$status" -eq 0 ]
}

@test "symbols: an export without the file's prefix" {
	printf 'int leaf(void);\nint\nleaf(void)\n{\n\treturn 1;\n}\n' \
	    >>src/base/twig.c
	compile
	finds symbols 'src/base/twig.c:10: exports leaf, not twig_*'
}

@test "symbols: a declared exception" {
	printf 'int leaf_fall(void);\nint\nleaf_fall(void)\n{ return 1; }\n' \
	    >>src/base/twig.c
	echo 'src/base/twig.c twig leaf_ # a reason' >tools/prefixes
	compile
	run tools/tidy symbols
	[ "$status" -eq 0 ]
}

@test "symbols: one name in two files" {
	compile
	cp src/base/twig.c src/store/twig.c
	mkdir -p build/obj/store
	cp build/obj/base/twig.o build/obj/store
	finds symbols 'src/store/twig.c:4: exports twig_count, as src/base/'
}

@test "symbols: a source that was not built" {
	finds symbols 'src/base/twig.c:1: no build/obj/base/twig.o'
}

@test "headers: one that needs another before it" {
	printf '%s\n' '#ifndef HS_BASE_LEAF_H' '#define HS_BASE_LEAF_H' \
	    'uint8_t leaf(void);' '#endif' >src/base/leaf.h
	finds headers 'src/base/leaf.h:1: does not compile alone'
}

@test "headers: a wrong include guard" {
	printf '%s\n' '#ifndef LEAF_H' '#define LEAF_H' '#endif' \
	    >src/base/leaf.h
	finds headers 'src/base/leaf.h:1: the include guard should be'
}

@test "format: a badly indented line" {
	sed -i 's/\treturn/   return/' src/base/twig.c
	finds format 'src/base/twig.c:'
}

@test "sizes: a long function, a long line, a long file" {
	{
		printf 'int\nleaf(int n)\n{\n'
		printf '\tn++;\n%.0s' {1..70}
		printf '\treturn n;\n}\n'
	} >src/base/leaf.c
	finds sizes 'src/base/leaf.c:2: leaf() has 74 lines, 70 at most'
	printf '/* %080d */\n' 0 >src/base/leaf.c
	finds sizes 'src/base/leaf.c:1: 86 columns, 80 at most'
	printf '\n%.0s' {1..801} >src/base/leaf.c
	finds sizes 'src/base/leaf.c:801: 801 lines, 800 at most'
}

@test "calls: a banned call, but not its name in a comment or string" {
	printf '%s\n' '/* strcpy(a, b) */' 'char *s = "strcpy(a, b)";' \
	    'int snprintf(char *s);' >src/base/leaf.c
	run tools/tidy calls
	[ "$status" -eq 0 ]
	printf 'x = strcpy(a, b);\n' >>src/base/leaf.c
	finds calls 'src/base/leaf.c:4: strcpy()'
}

@test "calls: a typedef of a struct" {
	echo 'typedef struct leaf leaf;' >src/base/leaf.c
	finds calls 'src/base/leaf.c:1: typedef of a struct'
}

@test "clang: what clang-tidy says" {
	printf '%s\n' '#include <string.h>' 'int twig(const char *s);' \
	    'int' 'twig(const char *s)' '{' \
	    '	return strcmp(s, "a") == 0 && strcmp(s, "a") == 0;' '}' \
	    >src/base/leaf.c
	finds clang 'src/base/leaf.c:6: both sides of operator are equivalent'
}

@test "cppcheck: an index behind the end" {
	printf '%s\n' '#include <stdlib.h>' 'int twig(void)' '{' \
	    '	int a[2] = {0};' '	return a[2];' '}' >src/base/leaf.c
	finds cppcheck 'src/base/leaf.c:5: arrayIndexOutOfBounds'
}

@test "words: unfinished work" {
	echo '/* TO''DO: later */' >src/base/leaf.c
	finds words 'src/base/leaf.c:1: says'
}

@test "decoders: one without a fuzz target" {
	mkdir -p tests/fuzz
	echo 'int twig_decode(const char *p);' >src/base/twig.h
	finds decoders 'src/base/twig.h:1: twig_decode() has no fuzz target'
	echo 'x = twig_decode(p);' >tests/fuzz/fuzz_twig.c
	echo 'seeds_put("twig");' >tests/fuzz/seeds.c
	echo '| twigs | `src/base/twig.c` | `twig` |' >docs/testing.md
	run tools/tidy decoders
	[ "$status" -eq 0 ]
}

@test "decoders: the table of targets, each way" {
	mkdir -p tests/fuzz
	touch tests/fuzz/fuzz_twig.c
	finds decoders 'fuzz_twig.c:1: docs/testing.md does not say what it tr'
	finds decoders 'tests/fuzz/fuzz_twig.c:1: no seed'
	echo 'seeds_put("twig");' >tests/fuzz/seeds.c
	echo '| twigs | `src/base/twig.c` | `twig`, `leaf` |' >docs/testing.md
	finds decoders 'docs/testing.md:1: there is no tests/fuzz/fuzz_leaf.c'
	sed -i 's/, `leaf`//' docs/testing.md
	printf 'int\nleaf(void)\n{\n\treturn sscanf(p, "x");\n}\n' \
	    >src/base/leaf.c
	finds decoders 'src/base/leaf.c:4: calls sscanf(), and docs/testing.md'
	sed -i 's/sscanf/no_sscanf/' src/base/leaf.c
	run tools/tidy decoders
	[ "$status" -eq 0 ]
}

@test "documents: a path, a target and a link that do not exist" {
	echo 'See `src/base/gone.h`.' >docs/a.md
	finds documents 'docs/a.md:1: no such path: src/base/gone.h'
	echo 'Run `make gone`.' >docs/a.md
	finds documents 'docs/a.md:1: no target: make gone'
	printf '```\nmake gone\n```\n' >docs/a.md
	finds documents 'docs/a.md:2: no target: make gone'
	echo 'Read [this](gone.md).' >docs/a.md
	finds documents 'docs/a.md:1: broken link: gone.md'
}

@test "documents: a command of shash and an option that do not exist" {
	mkdir -p src/cli
	echo '    {"twig", cmd_twig, "count twigs"},' >src/cli/main.c
	echo '    {"all_of", ARGS_FLAG, &a, NULL, "x", 0, 0},' \
	    >src/cli/cmd_twig.c
	echo 'Run `shash twig --all-of` or `shash twig --help`.' >docs/a.md
	run tools/tidy documents
	[ "$status" -eq 0 ]
	echo 'Run `shash branch`.' >docs/a.md
	finds documents 'docs/a.md:1: no command: shash branch'
	printf '```\n$ shash twig --none x\n```\n' >docs/a.md
	finds documents 'docs/a.md:2: no option: twig --none'
}

@test "documents: what exists, and commands that only look like paths" {
	echo 'Call `base/twig.h`, `make check`, `make CC=clang`, `a/b`.' \
	    >docs/a.md
	echo 'Read [the other](../README.md) and `a.md`.' >>docs/a.md
	run tools/tidy documents
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "scripts: an unquoted variable, a missing execute bit" {
	printf '#!/bin/bash\nrm -r $1\n' >tools/leaf
	finds scripts 'tools/leaf:2:'
	printf '#!/bin/bash\nrm -r "$1"\n' >tools/leaf
	finds scripts 'tools/leaf:1: is not executable'
}

@test "manuals: a page that mandoc complains about" {
	echo '.Xx' >man/shash.1
	finds manuals 'man/shash.1'
}

@test "manuals: what this machine has no manual of is no finding" {
	printf '%s\n' '.Dd November 22, 2026' '.Dt SHASH 1' '.Os hashstore' \
	    '.Sh NAME' '.Nm shash' '.Nd try' '.Sh DESCRIPTION' 'See' \
	    '.Xr no-such-thing 1 .' >man/shash.1
	run tools/tidy manuals
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "a DESIGN that is missing, incomplete or of another time" {
	run tools/tidy design
	[ "$status" -eq 0 ]
	echo 'int branch_count;' >src/base/branch.c
	run tools/tidy design
	[ "$status" -eq 1 ]
	[[ $output == *'src/base/DESIGN:3: branch.c has no line'* ]]
	printf 'branch.c   branches\nleaf.[ch]  leaves\n' >>src/base/DESIGN
	run tools/tidy design
	[ "$status" -eq 1 ]
	[[ $output == *'src/base/DESIGN:5: there is no leaf.c'* ]]
	[[ $output != *branch* ]]
	printf 'twig.[ch]  counted\nbranch.c  b\n\nMore.\n' >src/base/DESIGN
	run tools/tidy design
	[ "$status" -eq 1 ]
	[[ $output == *'src/base/DESIGN:4: behind the lines of the files'* ]]
	rm src/base/DESIGN
	run tools/tidy design
	[ "$status" -eq 1 ]
	[[ $output == *'src/base/DESIGN:1: missing'* ]]
}
