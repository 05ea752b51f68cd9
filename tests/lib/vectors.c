#include "lib/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NAME_BYTES 64
#define HEX_PER_LINE 32

struct block {
	char name[NAME_BYTES];
	uint8_t *p;
	size_t len;
	struct block *next;
};

struct vectors {
	struct block *first;
};

static void *
take(size_t len)
{
	void *p = calloc(1, len);

	assert_non_null(p);
	return p;
}

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c == '\0' ? NULL : strchr(digits, c);

	return found == NULL ? -1 : (int)(found - digits);
}

static void
add_hex(struct block *b, const char *line)
{
	const char *c;
	int high, low;

	for (c = line; *c != '\0' && *c != '#'; c++) {
		if (strchr(" \t\r\n", *c) != NULL)
			continue;
		high = hex_digit(c[0]);
		low = high < 0 ? -1 : hex_digit(c[1]);
		if (low < 0)
			fail_msg("hex %s: bad line: %s", b->name, line);
		b->p[b->len++] = (uint8_t)(high << 4 | low);
		c++;
	}
}

static void
add_text(struct block *b, const char *line)
{
	memcpy(b->p + b->len, line, strlen(line));
	b->len += strlen(line);
}

/* Read lines up to the closing fence. */
static void
read_block(struct block *b, FILE *f, int is_hex)
{
	char line[512];

	/* Larger than any example; the document is ours. */
	b->p = take(1u << 20);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "```", 3) == 0) {
			if (!is_hex && b->len > 0)
				b->len--;
			return;
		}
		assert_true(b->len + sizeof(line) <= 1u << 20);
		if (is_hex)
			add_hex(b, line);
		else
			add_text(b, line);
	}
	fail_msg("block %s has no end", b->name);
}

struct vectors *
vectors_open(const char *path)
{
	struct vectors *v = take(sizeof(*v));
	struct block *b;
	char line[512], kind[8], name[NAME_BYTES];
	FILE *f = fopen(path, "r");

	if (f == NULL)
		fail_msg("%s: cannot be read (run from the top folder)", path);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "```%7s %63[^\n]", kind, name) != 2 ||
		    (strcmp(kind, "hex") != 0 && strcmp(kind, "text") != 0))
			continue;
		for (b = v->first; b != NULL; b = b->next)
			if (strcmp(b->name, name) == 0)
				fail_msg("%s: two blocks %s", path, name);
		b = take(sizeof(*b));
		memcpy(b->name, name, sizeof(name));
		read_block(b, f, strcmp(kind, "hex") == 0);
		b->next = v->first;
		v->first = b;
	}
	assert_int_equal(fclose(f), 0);
	return v;
}

void
vectors_close(struct vectors *v)
{
	struct block *b;

	while ((b = v->first) != NULL) {
		v->first = b->next;
		free(b->p);
		free(b);
	}
	free(v);
}

static const struct block *
find(const struct vectors *v, const char *name)
{
	const struct block *b;

	for (b = v->first; b != NULL; b = b->next)
		if (strcmp(b->name, name) == 0)
			return b;
	return NULL;
}

const uint8_t *
vectors_get(size_t *len, const struct vectors *v, const char *name)
{
	const struct block *b = find(v, name);

	if (b == NULL)
		fail_msg("no example %s", name);
	*len = b->len;
	return b->p;
}

void
vectors_check(
    const struct vectors *v, const char *name, const void *p, size_t len)
{
	const struct block *b = find(v, name);
	const uint8_t *bytes = p;
	size_t i;

	if (b != NULL && b->len == len && memcmp(b->p, p, len) == 0)
		return;
	printf("```hex %s", name);
	for (i = 0; i < len; i++)
		printf("%s%02x", i % HEX_PER_LINE == 0 ? "\n" : "", bytes[i]);
	printf("\n```\n");
	fail_msg("the document's example %s is %s", name,
	    b == NULL ? "missing" : "not what the code makes");
}

const char *
vectors_name(const struct vectors *v, unsigned index)
{
	const struct block *b = v->first;

	while (b != NULL && index-- > 0)
		b = b->next;
	return b == NULL ? NULL : b->name;
}
