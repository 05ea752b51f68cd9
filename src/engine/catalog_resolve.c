#include "engine/catalog.h"

#include "base/err.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Fewer digits of a key are more likely a slip than a name. */
#define DIGITS_MIN 8
#define DIGITS_MAX (2 * HASH_BYTES)

/* What the user's text means: a test per snapshot. */
struct meaning {
	enum { LATEST, SEQUENCE, DIGITS } what;
	uint64_t seq;
	const char *digits;
	size_t len;
};

static int
parse_sequence(struct meaning *m, const char *key)
{
	const char *p = key + 1;

	m->what = SEQUENCE;
	m->seq = 0;
	/* 18 digits cannot overflow. */
	if (*p == '\0' || strlen(p) > 18)
		goto bad;
	for (; *p != '\0'; p++) {
		if (!isdigit((unsigned char)*p))
			goto bad;
		m->seq = m->seq * 10 + (uint64_t)(*p - '0');
	}
	return 0;
bad:
	return err_set(ERR_USAGE,
	    "'%s' is no sequence number: @ and digits are expected", key);
}

static int
parse_digits(struct meaning *m, const char *key)
{
	size_t i;

	m->what = DIGITS;
	m->digits = key[0] == 'X' || key[0] == 'x' ? key + 1 : key;
	m->len = strlen(m->digits);
	for (i = 0; i < m->len; i++) {
		if (!isxdigit((unsigned char)m->digits[i]))
			return err_set(ERR_USAGE,
			    "'%s' is no key: expected hexadecimal digits, "
			    "'latest' or @SEQ",
			    key);
	}
	if (m->len < DIGITS_MIN)
		return err_set(ERR_USAGE,
		    "'%s' is too short: at least %d digits of a key; "
		    "snapshot number N is @N",
		    key, DIGITS_MIN);
	if (m->len > DIGITS_MAX)
		return err_set(ERR_USAGE,
		    "'%s' is too long: a key has %d "
		    "digits",
		    key, DIGITS_MAX);
	return 0;
}

static int
matches(const struct meaning *m, const struct catalog_entry *e)
{
	switch (m->what) {
	case LATEST:
		return 1;
	case SEQUENCE:
		return e->server_seq == m->seq;
	case DIGITS:
		break;
	}
	/* A damaged snapshot has no key. */
	return e->damage == NULL &&
	       strncasecmp(e->key + 1, m->digits, m->len) == 0;
}

/* Order of age: the server's alone, format.md 8. */
static int
is_newer(const struct catalog_entry *a, const struct catalog_entry *b)
{
	if (a->mount == b->mount)
		return a->server_seq > b->server_seq;
	return a->receive_ns > b->receive_ns;
}

/* Nonzero when the store's word is that it retired that number. */
static int
is_retired(const struct catalog *c, uint64_t seq)
{
	size_t i;

	for (i = 0; i < c->nretired; i++)
		if (c->retired[i].t.server_seq == seq)
			return 1;
	return 0;
}

static int
none(const struct catalog *c, const struct meaning *m, const char *key,
    int damaged)
{
	if (damaged)
		return err_set(ERR_DAMAGED, "snapshot '%s' is damaged", key);
	if (m->what == SEQUENCE && is_retired(c, m->seq))
		return err_set(ERR_NOENT,
		    "the store's policy retired snapshot '%s'; until its grace "
		    "ends, 'shash unprune' brings it back there",
		    key);
	if (c->nentries == 0)
		return err_set(ERR_NOENT, "there are no snapshots yet");
	return err_set(ERR_NOENT, "no snapshot '%s'", key);
}

int
catalog_resolve(
    const struct catalog_entry **out, const struct catalog *c, const char *key)
{
	const struct catalog_entry *e, *best = NULL;
	struct meaning m = {LATEST, 0, NULL, 0};
	int damaged = 0, rc = 0;
	int spoilt = 0; /* a damaged one is listed behind `best` */
	size_t i;

	if (key == NULL)
		key = "latest";
	if (key[0] == '@')
		rc = parse_sequence(&m, key);
	else if (strcmp(key, "latest") != 0)
		rc = parse_digits(&m, key);
	if (rc != 0)
		return rc;

	for (i = 0; i < c->nentries; i++) {
		e = &c->entries[i];
		if (!matches(&m, e))
			continue;
		if (e->damage != NULL) {
			damaged = 1;
			spoilt = spoilt || best == NULL || e->mount == NULL ||
				 e->mount == best->mount;
			continue;
		}
		/* Equal keys are one content, whoever backed it up. */
		if (best != NULL && m.what != LATEST &&
		    strcmp(e->key, best->key) != 0)
			return err_set(ERR_USAGE,
			    "'%s' means several snapshots: %s @%llu, %s @%llu",
			    key, best->key,
			    (unsigned long long)best->server_seq, e->key,
			    (unsigned long long)e->server_seq);
		if (best == NULL || is_newer(e, best)) {
			best = e;
			spoilt = 0;
		}
	}
	if (best == NULL)
		return none(c, &m, key, damaged);
	if (m.what == LATEST && spoilt)
		return err_set(ERR_DAMAGED,
		    "the latest snapshot is damaged; the one before is @%llu",
		    (unsigned long long)best->server_seq);
	*out = best;
	return 0;
}
