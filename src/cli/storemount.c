#include "cli/storemount.h"

#include "base/err.h"
#include "base/hex.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define ID_DIGITS (2 * (size_t)IDENT_BYTES)
#define PREFIX_DIGITS_MIN 8

static int
add(void *arg, const struct account_mount *m)
{
	struct storemount *s = arg;
	struct account_mount *more =
	    realloc(s->items, (s->n + 1) * sizeof(*more));

	if (more == NULL)
		return err_nomem((s->n + 1) * sizeof(*more));
	s->items = more;
	more[s->n++] = *m;
	return 0;
}

int
storemount_load(struct storemount *out, const struct account *a)
{
	struct storemount s = {NULL, 0};
	int rc = account_mounts(a, NULL, add, &s);

	if (rc != 0)
		storemount_release(&s);
	else
		*out = s;
	return rc;
}

void
storemount_release(struct storemount *s)
{
	free(s->items);
	memset(s, 0, sizeof(*s));
}

static int
is_id(const struct account_mount *m, const char *text)
{
	char hex[ID_DIGITS + 1];
	size_t len = strlen(text);

	hex_encode(hex, m->mount, IDENT_BYTES);
	return len >= PREFIX_DIGITS_MIN && len <= ID_DIGITS &&
	       strncmp(hex, text, len) == 0;
}

int
storemount_find(
    uint8_t mount[IDENT_BYTES], const struct storemount *s, const char *text)
{
	const struct account_mount *found = NULL;
	size_t i, n = 0;

	for (i = 0; i < s->n; i++) {
		if (strcmp(s->items[i].label, text) != 0 &&
		    !is_id(&s->items[i], text))
			continue;
		found = &s->items[i];
		n++;
	}
	if (n > 1)
		return err_set(ERR_USAGE,
		    "%zu directories are called '%s': give the id of one", n,
		    text);
	if (n == 1)
		memcpy(mount, found->mount, IDENT_BYTES);
	else if (strlen(text) != ID_DIGITS ||
		 hex_decode(mount, IDENT_BYTES, text, ID_DIGITS) < 0)
		return err_set(ERR_NOENT,
		    "no directory '%s' in this store; 'shash status "
		    "--store_dir D' names them",
		    text);
	return 0;
}

const char *
storemount_label(const struct storemount *s, const uint8_t mount[IDENT_BYTES])
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (memcmp(s->items[i].mount, mount, IDENT_BYTES) == 0)
			return s->items[i].label;
	return NULL;
}

const char *
storemount_name(char out[STOREMOUNT_NAME_BYTES], const struct storemount *s,
    const uint8_t mount[IDENT_BYTES])
{
	const char *label = storemount_label(s, mount);

	if (label != NULL)
		return log_escape(
		    out, STOREMOUNT_NAME_BYTES, label, strlen(label));
	hex_encode(out, mount, PREFIX_DIGITS_MIN / 2);
	return out;
}
