#include "cli/storemount.h"

#include "base/err.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/log.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* One that is known by its id alone, the first digits of a file's name. */
static int
add_lost(struct storemount *s, const char *name)
{
	struct account_mount m;
	size_t i;

	memset(&m, 0, sizeof(m));
	if (hex_decode(m.mount, IDENT_BYTES, name, ID_DIGITS) < 0)
		return 0;
	for (i = 0; i < s->n; i++)
		if (memcmp(s->items[i].mount, m.mount, IDENT_BYTES) == 0)
			return 0;
	return add(s, &m);
}

/* What lies in the folder under names of an id and `tail`. */
static int
add_folder(struct storemount *s, const char *path, const char *tail)
{
	DIR *d = path == NULL ? NULL : opendir(path);
	const struct dirent *e;
	int rc = 0;

	/* What cannot be listed names nobody. */
	while (d != NULL && rc == 0 && (e = readdir(d)) != NULL)
		if (strlen(e->d_name) == ID_DIGITS + strlen(tail) &&
		    strcmp(e->d_name + ID_DIGITS, tail) == 0)
			rc = add_lost(s, e->d_name);
	if (d != NULL)
		(void)closedir(d); /* only read from */
	return path == NULL ? ERR_NOMEM : rc;
}

struct loading {
	struct storemount *s;
	const struct account *a;
};

static int
add_vault(void *arg, const uint8_t vault[IDENT_BYTES])
{
	struct loading *l = arg;
	char *dir = account_vault_dir(l->a, vault);
	char *path = dir == NULL ? NULL : fs_join(dir, "snapshots");
	int rc = add_folder(l->s, path, "");

	free(path);
	free(dir);
	return rc;
}

int
storemount_load(struct storemount *out, const struct account *a)
{
	struct storemount s = {NULL, 0};
	struct loading l = {&s, a};
	char *keep = fs_join(account_dir(a), "keep");
	int rc = account_mounts(a, NULL, add, &s);

	if (rc == 0)
		rc = account_vaults(a, add_vault, &l);
	if (rc == 0)
		rc = add_folder(&s, keep, ".json");
	free(keep);
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
	       strncasecmp(hex, text, len) == 0;
}

static int
has_label(const struct account_mount *m, const char *text)
{
	return m->label[0] != '\0' && strcmp(m->label, text) == 0;
}

int
storemount_find(
    uint8_t mount[IDENT_BYTES], const struct storemount *s, const char *text)
{
	const struct account_mount *found = NULL;
	size_t i, n = 0;

	for (i = 0; i < s->n; i++) {
		if (!has_label(&s->items[i], text) &&
		    !is_id(&s->items[i], text))
			continue;
		found = &s->items[i];
		n++;
		/* Whoever registers chooses a label, but no id. */
		if (strlen(text) == ID_DIGITS && is_id(found, text)) {
			n = 1;
			break;
		}
	}
	if (n > 1)
		return err_set(ERR_USAGE,
		    "%zu directories are called '%s': give the id of one", n,
		    text);
	if (n == 0)
		return err_set(ERR_NOENT,
		    "no directory '%s' in this store; 'shash status "
		    "--store_dir D' names them",
		    text);
	memcpy(mount, found->mount, IDENT_BYTES);
	return 0;
}

const char *
storemount_label(const struct storemount *s, const uint8_t mount[IDENT_BYTES])
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (memcmp(s->items[i].mount, mount, IDENT_BYTES) == 0)
			return s->items[i].label[0] == '\0' ? NULL
							    : s->items[i].label;
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
