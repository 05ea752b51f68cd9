/*
 * A word of the command line: which u8 (0 the key of a snapshot, 1 a duration,
 * 2 an invitation, 3 the address of a server), the text.
 */

#include "base/duration.h"
#include "base/err.h"
#include "engine/catalog.h"
#include "fuzz/fuzz.h"
#include "net/http_client.h"
#include "proto/enroll.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXT_MAX 256
#define ENTRIES 6

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* Two mounts; one content twice, two of like beginnings, one damaged. */
static const struct catalog *
catalog(void)
{
	static struct catalog_mount mounts[2];
	static struct catalog_entry e[ENTRIES];
	static struct catalog c = {
	    .mounts = mounts, .nmounts = 2, .entries = e, .nentries = ENTRIES};
	static char damage[] = "damaged";
	size_t i;

	for (i = 0; i < ENTRIES; i++) {
		e[i].mount = &mounts[i / 4];
		e[i].server_seq = i + 1;
		e[i].receive_ns = (int64_t)i * 100;
		(void)snprintf(e[i].key, sizeof(e[i].key), "X%016llx%048llx",
		    i == 3 ? 0xabcdef0123456789ull : 0xabcdef01ull + i / 2,
		    (unsigned long long)i / 2); /* it fits */
	}
	e[2].damage = damage;
	return &c;
}

/* Whatever was found is what the text says, and good. */
static void
key(const char *text)
{
	const struct catalog_entry *e = NULL;
	int r = catalog_resolve(&e, catalog(), text);

	if (r != 0) {
		check(r == ERR_NOENT || r == ERR_USAGE || r == ERR_DAMAGED);
		return;
	}
	check(e->damage == NULL);
	if (text[0] == '@')
		check(strtoull(text + 1, NULL, 10) == e->server_seq);
	else if (strcmp(text, "latest") != 0)
		check(strncasecmp(text, e->key, strlen(text)) == 0 ||
		      strncasecmp(text, e->key + 1, strlen(text)) == 0);
}

static void
duration(const char *text)
{
	char words[32];
	int64_t seconds = -1;

	if (duration_parse(&seconds, text) != 0)
		return;
	check(seconds >= 0 && seconds <= DURATION_SECONDS_MAX);
	check(strlen(duration_words(words, seconds)) < sizeof(words));
	check(strlen(duration_clock(words, seconds)) < sizeof(words));
}

/* Whoever is asked there, it is by HTTP. */
static void
address(const char *text)
{
	struct http_client *c;
	int r = http_client_open(&c, text);

	if (r != 0) {
		check(r == ERR_USAGE);
		return;
	}
	check(strncasecmp(text, "http://", 7) == 0 ||
	      strncasecmp(text, "https://", 8) == 0);
	check(strpbrk(text, "?# ") == NULL);
	http_client_close(c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	char text[TEXT_MAX + 1];
	struct enroll_keys k;

	if (len < 1 || len - 1 > TEXT_MAX)
		return 0;
	memcpy(text, p + 1, len - 1);
	text[len - 1] = '\0';
	if (p[0] == 0)
		key(text);
	else if (p[0] == 1)
		duration(text);
	else if (p[0] == 3)
		address(text);
	else if (enroll_keys(&k, text) == 0)
		check(strlen(text) == ENROLL_UUID_LEN);
	return 0;
}
