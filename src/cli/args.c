#include "cli/args.h"

#include "base/duration.h"
#include "base/err.h"
#include "cli/asowner.h"
#include "cli/mode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 32
#define WORD_MAX 48 /* longer words are near to nothing */

/* Compare an option's name with the `len` bytes a user typed. */
static int
same_name(const char *name, const char *typed, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		char c = typed[i] == '-' ? '_' : typed[i];

		if (name[i] == '\0' || name[i] != c)
			return 0;
	}
	return name[len] == '\0';
}

/* The option that was typed, the command's own or every command's. */
static const struct args_option *
find_option(const struct args_command *c, const char *typed, size_t len)
{
	const struct args_option *o;

	for (o = c->options; o->name != NULL; o++)
		if (same_name(o->name, typed, len))
			return o;
	for (o = mode_options; o->name != NULL; o++)
		if (same_name(o->name, typed, len))
			return o;
	return NULL;
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Edit distance, two neighbours in the wrong order being one error (optimal
 * string alignment), for words of at most WORD_MAX bytes.
 */
static size_t
distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1], i, j, la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (j = 0; j <= lb; j++)
		rows[0][j] = j;
	for (i = 1; i <= la; i++) {
		size_t *row = rows[i % 3];
		const size_t *last = rows[(i + 2) % 3];
		const size_t *before = rows[(i + 1) % 3];

		row[0] = i;
		for (j = 1; j <= lb; j++) {
			row[j] = last[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = smaller(row[j], last[j] + 1);
			row[j] = smaller(row[j], row[j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[j] = smaller(row[j], before[j - 2] + 1);
		}
	}
	return rows[la % 3][lb];
}

const char *
args_nearest(const char *word, const char *const *names, size_t n)
{
	const char *best = NULL;
	size_t i, found = 0, len = strlen(word);
	/* Two typing errors are near; of a short word little is left then. */
	size_t best_distance = len > 3 ? 3 : 2;

	/* What was begun and can only end in one way. */
	for (i = 0; i < n && len >= 3; i++) {
		if (strncmp(word, names[i], len) == 0) {
			best = names[i];
			found++;
		}
	}
	if (found == 1)
		return best;
	best = NULL;
	for (i = 0; i < n; i++) {
		size_t d = distance(word, names[i]);

		if (d < best_distance) {
			best_distance = d;
			best = names[i];
		}
	}
	return best;
}

static int
unknown_option(const struct args_command *c, const char *typed, size_t len)
{
	const char *names[NAMES_MAX], *near;
	char word[WORD_MAX + 1];
	size_t i, n = 0;

	for (i = 0; c->options[i].name != NULL && n < NAMES_MAX; i++)
		names[n++] = c->options[i].name;
	for (i = 0; mode_options[i].name != NULL && n < NAMES_MAX; i++)
		names[n++] = mode_options[i].name;
	if (n < NAMES_MAX)
		names[n++] = "help";
	if (len > WORD_MAX)
		len = WORD_MAX;
	for (i = 0; i < len; i++)
		word[i] = typed[i] == '-' ? '_' : typed[i];
	word[len] = '\0';
	near = args_nearest(word, names, n);
	if (near != NULL)
		return err_set(ERR_USAGE,
		    "%s: unknown option --%s; did you mean --%s?", c->name,
		    word, near);
	return err_set(ERR_USAGE,
	    "%s: unknown option --%s; see: shash %s --help", c->name, word,
	    c->name);
}

static int
store_number(const struct args_option *o, const char *value)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || v < o->min ||
	    v > o->max)
		return err_set(ERR_USAGE,
		    "--%s takes a number from %ld to %ld, not '%s'", o->name,
		    o->min, o->max, value);
	*(long *)o->value = v;
	return 0;
}

static int
store_value(const struct args_option *o, const char *value)
{
	struct args_list *list;

	switch (o->kind) {
	case ARGS_TEXT:
	case ARGS_STORE:
		*(const char **)o->value = value;
		return 0;
	case ARGS_NUMBER:
		return store_number(o, value);
	case ARGS_DURATION:
		return duration_parse(o->value, value) == 0
			   ? 0
			   : err_prefix(ERR_USAGE, "--%s", o->name);
	case ARGS_LIST:
		list = o->value;
		if (list->count == ARGS_LIST_MAX)
			return err_set(ERR_USAGE,
			    "--%s may be given %d times at most", o->name,
			    ARGS_LIST_MAX);
		list->items[list->count++] = value;
		return 0;
	case ARGS_FLAG:
		break;
	}
	return err_set(ERR_USAGE, "--%s takes no value", o->name);
}

/* One option at argv[*i]; steps over its value. */
static int
parse_option(int *i, const struct args_command *c, int argc, char **argv)
{
	const char *typed = argv[*i] + 2, *equals = strchr(typed, '=');
	size_t len = equals ? (size_t)(equals - typed) : strlen(typed);
	const struct args_option *o = find_option(c, typed, len);

	if (o == NULL)
		return unknown_option(c, typed, len);
	if (equals != NULL)
		return store_value(o, equals + 1);
	if (o->kind == ARGS_FLAG) {
		*(int *)o->value = 1;
		return 0;
	}
	if (*i + 1 >= argc)
		return err_set(ERR_USAGE, "--%s needs a value: --%s %s",
		    o->name, o->name, o->metavar);
	return store_value(o, argv[++*i]);
}

/* -q and -v, also together. */
static int
parse_letters(const struct args_command *c, const char *word)
{
	const char *p;

	for (p = word + 1; *p != '\0'; p++) {
		if (*p == 'q')
			mode.quiet = 1;
		else if (*p == 'v')
			mode.verbose = 1;
		else
			return err_set(ERR_USAGE,
			    "%s: unknown option %s; options have long names, "
			    "see: shash %s --help",
			    c->name, word, c->name);
	}
	return 0;
}

static int
parse(size_t *operands, const struct args_command *c, int argc, char **argv)
{
	size_t n = 0;
	int i, rc = 0, ended = 0;

	for (i = 1; i < argc && rc == 0; i++) {
		if (ended || argv[i][0] != '-' || argv[i][1] == '\0') {
			argv[++n] = argv[i];
		} else if (strcmp(argv[i], "--") == 0) {
			ended = 1;
		} else if (strcmp(argv[i], "--help") == 0 ||
			   strcmp(argv[i], "-h") == 0) {
			rc = args_help(c);
			return rc == 0 ? 1 : rc;
		} else if (argv[i][1] != '-') {
			rc = parse_letters(c, argv[i]);
		} else {
			rc = parse_option(&i, c, argc, argv);
		}
	}
	*operands = n;
	return rc;
}

/* What a word that nobody takes was meant as: the folder, mostly. */
static int
unexpected(const struct args_command *c, const char *word)
{
	const struct args_option *o;

	for (o = c->options; o->name != NULL; o++)
		if (strcmp(o->name, "dir") == 0 ||
		    strcmp(o->name, "store_dir") == 0)
			return err_set(ERR_USAGE,
			    "%s: unexpected '%s'; did you mean --%s %s?",
			    c->name, word, o->name, word);
	return err_set(ERR_USAGE, "%s: unexpected '%s'; usage: shash %s %s",
	    c->name, word, c->name, c->synopsis);
}

/* From here on as the owner of the store, whatever was the default. */
static int
become_owner(const struct args_command *c)
{
	const struct args_option *o;
	const char *const *dir;
	int rc = 0;

	for (o = c->options; o->name != NULL && rc == 0; o++) {
		dir = o->value;
		if (o->kind == ARGS_STORE && *dir != NULL)
			rc = asowner_become(*dir);
	}
	return rc;
}

int
args_parse(
    size_t *operands, const struct args_command *c, int argc, char **argv)
{
	size_t n;
	int rc = parse(&n, c, argc, argv);

	if (rc != 0)
		return rc;
	if (n > c->operands_max)
		return unexpected(c, argv[c->operands_max + 1]);
	mode_apply();
	rc = become_owner(c);
	if (rc == 0)
		*operands = n;
	return rc;
}

static void
help_option(const struct args_option *o)
{
	char left[40];

	/* Names are short. */
	(void)snprintf(left, sizeof(left), "--%s%s%s%s", o->name,
	    o->metavar != NULL ? " " : "", o->metavar != NULL ? o->metavar : "",
	    o->value == &mode.quiet     ? ", -q"
	    : o->value == &mode.verbose ? ", -v"
					: "");
	printf("  %-22s  %s\n", left, o->help);
}

int
args_help(const struct args_command *c)
{
	const struct args_option *o;

	printf("Usage: shash %s %s\n\n%s\n", c->name, c->synopsis, c->summary);
	if (c->details != NULL)
		printf("\n%s\n", c->details);
	printf("\nOptions:\n");
	for (o = c->options; o->name != NULL; o++)
		help_option(o);
	for (o = mode_options; o->name != NULL; o++)
		help_option(o);
	printf("  %-22s  %s\n", "--help, -h", "print this text");
	if (fflush(stdout) != 0)
		return err_errno(ERR_IO, "cannot write to stdout");
	return 0;
}
