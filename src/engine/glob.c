#include "engine/glob.h"

#include "base/err.h"
#include "base/limits.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * A pattern is compiled to tokens; a state is the number of the token that
 * comes next, the last state is the end.  DIRS is followed by INSIDE: from
 * DIRS one may go on behind both at once, from INSIDE only behind a slash.
 */
enum token { BYTE, ANY, SET, STAR, DEEP, DIRS, INSIDE };

#define SET_BYTES 32u /* a bit for each byte */
#define STATE_WORDS ((LIMIT_PATTERN_BYTES + 2) / 64 + 1)

struct glob {
	size_t ntokens;
	size_t nprefix; /* tokens at the front that are BYTE */
	size_t suffix; /* only BYTE from here on */
	uint8_t (*sets)[SET_BYTES]; /* owned */
	uint32_t nsets;
	uint8_t *tokens; /* enum token */
	char *values; /* of BYTE: the byte */
	uint32_t *set_of; /* of SET: which one; NULL: there is none */
};

struct parser {
	const char *p;
	size_t len, at;
	struct glob *g;
};

static void
emit(struct parser *s, enum token t, char value)
{
	struct glob *g = s->g;

	g->tokens[g->ntokens] = (uint8_t)t;
	g->values[g->ntokens] = value;
	g->ntokens++;
}

static void
set_add(uint8_t *set, unsigned c)
{
	set[c / 8] |= (uint8_t)(1u << (c % 8));
}

static int
set_has(const uint8_t *set, unsigned char c)
{
	return set[c / 8] >> (c % 8) & 1;
}

/*
 * Nonzero when `c` is in the class.  ASCII whatever the locale, and
 * [:space:] without \v and \f, as in git.
 */
static int
in_class(const char *name, unsigned c)
{
	int upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
	int digit = c >= '0' && c <= '9';
	int graph = c > ' ' && c < 0x7f;
	int alnum = upper || lower || digit;

	if (strcmp(name, "alnum") == 0)
		return alnum;
	if (strcmp(name, "alpha") == 0)
		return upper || lower;
	if (strcmp(name, "blank") == 0)
		return c == ' ' || c == '\t';
	if (strcmp(name, "cntrl") == 0)
		return c < ' ' || c == 0x7f;
	if (strcmp(name, "digit") == 0)
		return digit;
	if (strcmp(name, "graph") == 0)
		return graph;
	if (strcmp(name, "lower") == 0)
		return lower;
	if (strcmp(name, "print") == 0)
		return graph || c == ' ';
	if (strcmp(name, "punct") == 0)
		return graph && !alnum;
	if (strcmp(name, "space") == 0)
		return c == ' ' || (c >= '\t' && c <= '\n') || c == '\r';
	if (strcmp(name, "upper") == 0)
		return upper;
	if (strcmp(name, "xdigit") == 0)
		return digit || (c >= 'a' && c <= 'f') ||
		       (c >= 'A' && c <= 'F');
	return -1;
}

/*
 * A class whose "[:" is at `s->at`.  0: added, `at` is behind it; 1: these
 * are ordinary bytes; -1: there is no such class, or no end of the set.
 */
static int
parse_class(uint8_t *set, struct parser *s)
{
	size_t begin = s->at + 2, end = begin;
	char name[8];
	unsigned c;

	while (end < s->len && s->p[end] != ']')
		end++;
	if (end == s->len)
		return -1;
	if (end == begin || s->p[end - 1] != ':')
		return 1;
	if (end - 1 - begin >= sizeof(name))
		return -1;
	memcpy(name, s->p + begin, end - 1 - begin);
	name[end - 1 - begin] = '\0';
	if (in_class(name, 'a') < 0)
		return -1;
	for (c = 0; c < 256; c++)
		if (in_class(name, c))
			set_add(set, c);
	s->at = end + 1;
	return 0;
}

/* One byte of a set, perhaps behind a backslash.  0, or -1: the end. */
static int
parse_byte(unsigned *out, struct parser *s)
{
	if (s->at < s->len && s->p[s->at] == '\\')
		s->at++;
	if (s->at >= s->len)
		return -1;
	*out = (unsigned char)s->p[s->at++];
	return 0;
}

/* A byte, range or class of a set.  `prev` (-1: none) can begin a range. */
static int
parse_item(uint8_t *set, int *prev, struct parser *s)
{
	unsigned c, last;
	int rc;

	if (s->p[s->at] == '-' && *prev > 0 && s->at + 1 < s->len &&
	    s->p[s->at + 1] != ']') {
		s->at++;
		if (parse_byte(&last, s) != 0)
			return -1;
		for (c = (unsigned)*prev; c <= last; c++)
			set_add(set, c);
		*prev = -1;
		return 0;
	}
	if (s->p[s->at] == '[' && s->at + 1 < s->len &&
	    s->p[s->at + 1] == ':') {
		rc = parse_class(set, s);
		if (rc == 0)
			*prev = -1;
		if (rc <= 0)
			return rc;
	}
	if (parse_byte(&c, s) != 0)
		return -1;
	set_add(set, c);
	*prev = (int)c;
	return 0;
}

/* A set whose '[' is at `s->at`.  0; 1: it has no end; ERR_NOMEM. */
static int
parse_set(struct parser *s)
{
	struct glob *g = s->g;
	uint8_t(*sets)[SET_BYTES];
	uint8_t *set;
	int negated, prev = -1;
	unsigned i;

	sets = realloc(g->sets, (g->nsets + 1) * sizeof(*sets));
	if (sets == NULL)
		return err_nomem((g->nsets + 1) * sizeof(*sets));
	g->sets = sets;
	if (g->set_of == NULL) {
		g->set_of = calloc(s->len, sizeof(*g->set_of));
		if (g->set_of == NULL)
			return err_nomem(s->len * sizeof(*g->set_of));
	}
	set = memset(sets[g->nsets], 0, SET_BYTES);
	s->at++;
	negated = s->at < s->len && (s->p[s->at] == '!' || s->p[s->at] == '^');
	s->at += (size_t)negated;
	/* A ']' that comes first is one of the set. */
	do {
		if (s->at >= s->len || parse_item(set, &prev, s) != 0)
			return 1;
	} while (s->at >= s->len || s->p[s->at] != ']');
	s->at++;
	for (i = 0; negated && i < SET_BYTES; i++)
		set[i] = (uint8_t)~set[i];
	g->set_of[g->ntokens] = g->nsets++;
	emit(s, SET, 0);
	return 0;
}

static void
parse_stars(struct parser *s)
{
	size_t begin = s->at, end = begin;
	int at_slash;

	while (end < s->len && s->p[end] == '*')
		end++;
	s->at = end;
	at_slash = (begin == 0 || s->p[begin - 1] == '/') &&
		   (end == s->len || s->p[end] == '/' ||
		       (s->p[end] == '\\' && end + 1 < s->len &&
			   s->p[end + 1] == '/'));
	if (end - begin == 1 || !at_slash) {
		emit(s, STAR, 0);
	} else if (end < s->len && s->p[end] == '/') {
		s->at++;
		emit(s, DIRS, 0);
		emit(s, INSIDE, 0);
	} else {
		emit(s, DEEP, 0);
	}
}

/* 0; 1: it matches nothing; ERR_NOMEM. */
static int
parse(struct parser *s)
{
	int rc = 0;

	while (rc == 0 && s->at < s->len) {
		switch (s->p[s->at]) {
		case '?':
			emit(s, ANY, 0);
			s->at++;
			break;
		case '*':
			parse_stars(s);
			break;
		case '[':
			rc = parse_set(s);
			break;
		case '\\':
			if (++s->at == s->len)
				return 1;
			/* fall through */
		default:
			emit(s, BYTE, s->p[s->at++]);
		}
	}
	return rc;
}

int
glob_new(struct glob **out, const char *pattern, size_t len)
{
	struct parser s = {.p = pattern, .len = len};
	struct glob *g;
	int rc;

	if (len > LIMIT_PATTERN_BYTES)
		return err_set(ERR_LIMIT, "a pattern is longer than %u bytes",
		    LIMIT_PATTERN_BYTES);
	g = calloc(1, sizeof(*g) + 2 * len + 1);
	if (g == NULL)
		return err_nomem(sizeof(*g) + 2 * len + 1);
	/* No token stands for less than a byte of the pattern. */
	g->tokens = (uint8_t *)(g + 1);
	g->values = (char *)g->tokens + len;
	s.g = g;
	rc = parse(&s);
	if (rc != 0) {
		glob_free(g);
		return rc;
	}
	while (g->nprefix < g->ntokens && g->tokens[g->nprefix] == BYTE)
		g->nprefix++;
	g->suffix = g->ntokens;
	while (g->suffix > g->nprefix && g->tokens[g->suffix - 1] == BYTE)
		g->suffix--;
	*out = g;
	return 0;
}

void
glob_free(struct glob *g)
{
	if (g == NULL)
		return;
	free(g->sets);
	free(g->set_of);
	free(g);
}

static void
add_state(uint64_t *states, size_t i)
{
	states[i / 64] |= UINT64_C(1) << (i % 64);
}

/* Add the states that are reached from `i` without a byte. */
static void
skip(const struct glob *g, uint64_t *states, size_t i)
{
	if (i == g->ntokens)
		return;
	if (g->tokens[i] == STAR || g->tokens[i] == DEEP ||
	    g->tokens[i] == DIRS)
		add_state(states, i + 1);
	if (g->tokens[i] == DIRS)
		add_state(states, i + 2);
}

/* Add the states that are reached from `i` with the byte `c`. */
static void
step(const struct glob *g, uint64_t *next, size_t i, char c)
{
	if (i == g->ntokens)
		return;
	switch ((enum token)g->tokens[i]) {
	case BYTE:
		if (c == g->values[i])
			add_state(next, i + 1);
		break;
	case ANY:
		if (c != '/')
			add_state(next, i + 1);
		break;
	case SET:
		if (c != '/' &&
		    set_has(g->sets[g->set_of[i]], (unsigned char)c))
			add_state(next, i + 1);
		break;
	case STAR:
		if (c != '/')
			add_state(next, i);
		break;
	case DEEP:
		add_state(next, i);
		break;
	case DIRS:
		break; /* INSIDE goes on */
	case INSIDE:
		add_state(next, i);
		if (c == '/')
			add_state(next, i + 1);
		break;
	}
}

/* Close `states` over skip().  Nonzero unless there is none. */
static int
skip_all(const struct glob *g, uint64_t *states)
{
	size_t w;
	uint64_t left, any = 0;

	for (w = 0; w <= g->ntokens / 64; w++) {
		/* skip() only goes on: what it adds to this word is above. */
		for (left = states[w]; left != 0;
		     left = states[w] & ~((left & -left) * 2 - 1))
			skip(g, states,
			    w * 64 + (unsigned)__builtin_ctzll(left));
		any |= states[w];
	}
	return any != 0;
}

/* Match what is behind the prefix. */
static int
run(const struct glob *g, const char *text, size_t len)
{
	uint64_t a[STATE_WORDS], b[STATE_WORDS], *now = a, *next = b, *t, left;
	size_t words = g->ntokens / 64 + 1, i, w;

	memset(now, 0, words * sizeof(*now));
	add_state(now, g->nprefix);
	(void)skip_all(g, now); /* there is one */
	for (i = 0; i < len; i++) {
		memset(next, 0, words * sizeof(*next));
		for (w = 0; w < words; w++)
			for (left = now[w]; left != 0; left &= left - 1)
				step(g, next,
				    w * 64 + (unsigned)__builtin_ctzll(left),
				    text[i]);
		if (!skip_all(g, next))
			return 0;
		t = now;
		now = next;
		next = t;
	}
	return now[g->ntokens / 64] >> (g->ntokens % 64) & 1;
}

int
glob_match(const struct glob *g, const char *text, size_t len)
{
	size_t tail = g->ntokens - g->suffix;

	/* Most patterns are literal, or differ in their ends. */
	if (len < g->nprefix + tail || memcmp(text, g->values, g->nprefix) != 0)
		return 0;
	if (g->nprefix == g->ntokens)
		return len == g->nprefix;
	if (memcmp(text + len - tail, g->values + g->suffix, tail) != 0)
		return 0;
	if (g->suffix - g->nprefix == 1 && g->tokens[g->nprefix] == STAR)
		return memchr(text + g->nprefix, '/',
			   len - tail - g->nprefix) == NULL;
	return run(g, text + g->nprefix, len - g->nprefix);
}

const char *
glob_prefix(size_t *len, const struct glob *g)
{
	*len = g->nprefix;
	return g->values;
}

int
glob_is_special(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (strchr("*?[\\", text[i]) != NULL && text[i] != '\0')
			return 1;
	return 0;
}
