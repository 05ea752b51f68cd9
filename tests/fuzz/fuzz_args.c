/* A command line: words that end with NUL. */

#include "cli/args.h"
#include "base/duration.h"
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 80
#define TEXT_MAX 4096
#define OPERANDS_MAX 3
#define NUMBER_MIN (-5)
#define NUMBER_MAX 19

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* The operands are words of the line, and what was set is within bounds. */
static void
parse(int argc, char **argv, const char *text, size_t len)
{
	struct args_list list = {.count = 0};
	const char *word = NULL;
	int64_t seconds = 0;
	long number = 0;
	int flag = 0;
	const struct args_option options[] = {
	    {"dry_run", ARGS_FLAG, &flag, NULL, "a flag", 0, 0},
	    {"dir", ARGS_TEXT, &word, "DIR", "text", 0, 0},
	    {"exclude", ARGS_LIST, &list, "P", "a list", 0, 0},
	    {"level", ARGS_NUMBER, &number, "N", "a number", NUMBER_MIN,
		NUMBER_MAX},
	    {"retry", ARGS_DURATION, &seconds, "TIME", "a duration", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command c = {
	    "fuzz", "[OPTIONS]", "summary", NULL, options, OPERANDS_MAX};
	size_t n = 0, i;

	if (args_parse(&n, &c, argc, argv) != 0)
		return;
	check(n <= OPERANDS_MAX);
	for (i = 1; i <= n; i++)
		check(argv[i] >= text && argv[i] < text + len);
	check(flag == 0 || flag == 1);
	check(number >= NUMBER_MIN && number <= NUMBER_MAX);
	check(seconds >= 0 && seconds <= DURATION_SECONDS_MAX);
	check(list.count <= ARGS_LIST_MAX);
	check(word == NULL || (word >= text && word <= text + len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static char name[] = "shash";
	char *argv[WORDS_MAX + 2], *text, *at;
	int argc = 1;

	if (len > TEXT_MAX)
		return 0;
	text = malloc(len + 1);
	check(text != NULL);
	memcpy(text, p, len);
	text[len] = '\0';
	argv[0] = name;
	for (at = text; at < text + len && argc <= WORDS_MAX;
	     at += strlen(at) + 1) {
		/* Help is printed, which is no business of this. */
		if (strcmp(at, "--help") != 0 && strcmp(at, "-h") != 0)
			argv[argc++] = at;
	}
	argv[argc] = NULL;
	parse(argc, argv, text, len + 1);
	free(text);
	return 0;
}
