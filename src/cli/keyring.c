#include "cli/keyring.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/limits.h"
#include "hash/hash.h"
#include "seal/keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* 0 was the same, before it was frozen. */
#define KEYRING_FORMAT 1
#define FILE_PREFIX "vault-"
#define NAME_BYTES (sizeof(FILE_PREFIX) - 1 + 32 + sizeof(".json"))

struct ring {
	uint8_t master[32];
	uint8_t stores[KEYRING_STORES_MAX][32];
	size_t nstores;
};

/* The caller frees it.  ERR_NOSTORE; ERR_NOMEM. */
static int
ring_dir(char **out)
{
	const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (base != NULL && base[0] == '/')
		*out = fs_join(base, "hashstore");
	else if (home != NULL && home[0] == '/')
		*out = fs_join(home, ".config/hashstore");
	else
		return err_set(ERR_NOSTORE,
		    "neither HOME nor XDG_CONFIG_HOME says where the keyring "
		    "is");
	return *out == NULL ? ERR_NOMEM : 0;
}

static char *
ring_file(const char *dir, const uint8_t vault[16])
{
	char hex[33];

	hex_encode(hex, vault, 16);
	return fs_printf("%s/" FILE_PREFIX "%s.json", dir, hex);
}

static int
decode_ring(struct ring *r, const struct json *j)
{
	const struct json *stores = json_get(j, "stores");
	int64_t format;
	int rc = json_get_int(&format, j, "format", 0, INT32_MAX);

	if (rc == 0 && format > KEYRING_FORMAT)
		return err_set(ERR_NOSTORE,
		    "was written by a newer shash (format %lld); use that one",
		    (long long)format);
	if (rc == 0)
		rc = json_get_hex(r->master, 32, j, "master");
	r->nstores = stores == NULL ? 0 : json_array_len(stores);
	if (r->nstores > KEYRING_STORES_MAX)
		return err_set(ERR_DAMAGED, "too many stores");
	for (size_t i = 0; rc == 0 && i < r->nstores; i++)
		rc =
		    json_get_hex(r->stores[i], 32, json_item(stores, i), "key");
	return rc;
}

/* A file of the keyring cannot be read or used, as the message says. */
static int
unusable(int rc, const char *path)
{
	if (rc == ERR_NOMEM)
		return rc;
	if (rc != ERR_DAMAGED)
		return err_prefix(ERR_NOSTORE, "keyring file %s", path);
	return err_set(ERR_NOSTORE,
	    "keyring file %s is damaged (%s); put it back from a copy, or take "
	    "it away and register again with --recovery-key",
	    path, err_text());
}

static int
load_file(struct ring *r, const char *path)
{
	struct buf text = BUF_INIT;
	struct json *j = NULL;
	int rc = fs_read_file(&text, AT_FDCWD, path, LIMIT_JSON_BYTES);

	if (rc == 0) {
		rc = json_decode(&j, (const char *)text.data, text.len);
		if (rc == 0)
			rc = decode_ring(r, j);
	}
	if (rc < 0)
		rc = unusable(rc, path);
	json_free(j);
	if (text.data != NULL)
		hash_wipe(text.data, text.cap);
	buf_release(&text);
	return rc;
}

int
keyring_load(uint8_t master[32], const uint8_t vault[16])
{
	char *dir = NULL, *path = NULL;
	struct ring r;
	struct keys k;
	int rc = ring_dir(&dir);

	memset(&r, 0, sizeof(r));
	if (rc != 0)
		return rc;
	path = ring_file(dir, vault);
	free(dir);
	if (path == NULL)
		return ERR_NOMEM;
	rc = load_file(&r, path);
	if (rc == 0) {
		keys_derive(&k, r.master, 0);
		if (memcmp(k.vault, vault, 16) != 0)
			rc = err_set(ERR_NOSTORE,
			    "keyring file %s holds another vault's key", path);
		else
			memcpy(master, r.master, 32);
		keys_wipe(&k);
	}
	hash_wipe(&r, sizeof(r));
	free(path);
	return rc;
}

int
keyring_need(uint8_t master[32], const uint8_t vault[16])
{
	char hex[33];
	int rc = keyring_load(master, vault);

	if (rc != 1)
		return rc;
	hex_encode(hex, vault, 16);
	return err_set(ERR_NOSTORE,
	    "your keyring has no key of vault %s (another user or machine, or "
	    "a lost keyring); register again with --recovery-key",
	    hex);
}

/* Vault id of a keyring file's name; nonzero when it is one. */
static int
vault_of_name(uint8_t vault[16], const char *name)
{
	size_t prefix = sizeof(FILE_PREFIX) - 1;

	return strlen(name) == NAME_BYTES - 1 &&
	       memcmp(name, FILE_PREFIX, prefix) == 0 &&
	       strcmp(name + prefix + 32, ".json") == 0 &&
	       hex_decode(vault, 16, name + prefix, 32) == 0;
}

static int
has_store(const struct ring *r, const uint8_t store_public[32])
{
	for (size_t i = 0; i < r->nstores; i++)
		if (memcmp(r->stores[i], store_public, 32) == 0)
			return 1;
	return 0;
}

/* Is this file's vault on the store?  0 yes, 1 no. */
static int
match_file(
    const char *dir, const uint8_t vault[16], const uint8_t store_public[32])
{
	struct ring r;
	char *path = ring_file(dir, vault);
	int rc;

	if (path == NULL)
		return ERR_NOMEM;
	memset(&r, 0, sizeof(r));
	rc = load_file(&r, path);
	free(path);
	if (rc == 0 && !has_store(&r, store_public))
		rc = 1;
	hash_wipe(&r, sizeof(r));
	return rc;
}

int
keyring_find(uint8_t vault[16], unsigned *found, const uint8_t store_public[32])
{
	char *dir = NULL;
	struct dirent **names = NULL;
	int n, rc = ring_dir(&dir);

	if (rc != 0)
		return rc;
	*found = 0;
	n = scandir(dir, &names, NULL, alphasort);
	if (n < 0 && errno != ENOENT)
		rc = err_errno(ERR_IO, "keyring %s", dir);
	for (int i = 0; i < n; i++) {
		uint8_t id[16];

		if (rc >= 0 && vault_of_name(id, names[i]->d_name)) {
			rc = match_file(dir, id, store_public);
			if (rc == 0 && (*found)++ == 0)
				memcpy(vault, id, 16);
		}
		free(names[i]);
	}
	free(names);
	free(dir);
	return rc < 0 ? rc : *found == 0;
}

static int
encode_ring(struct buf *out, const struct ring *r)
{
	struct json *j = json_new_object(), *stores = json_new_array();
	int rc = j == NULL || stores == NULL ? ERR_NOMEM : 0;

	if (rc == 0)
		rc = json_set_int(j, "format", KEYRING_FORMAT);
	if (rc == 0)
		rc = json_set_hex(j, "master", r->master, 32);
	for (size_t i = 0; rc == 0 && i < r->nstores; i++) {
		struct json *one = json_new_object();

		rc = one == NULL ? ERR_NOMEM
				 : json_set_hex(one, "key", r->stores[i], 32);
		if (rc == 0)
			rc = json_push(stores, one);
		else
			json_free(one);
	}
	if (rc == 0) {
		rc = json_set(j, "stores", stores);
		stores = NULL;
	}
	if (rc == 0)
		rc = json_encode_pretty(out, j);
	json_free(stores);
	json_free(j);
	return rc;
}

int
keyring_save(const uint8_t master[32], const uint8_t vault[16],
    const uint8_t store_public[32])
{
	char *dir = NULL, *path = NULL;
	struct buf text = BUF_INIT;
	struct ring r;
	int rc = ring_dir(&dir);

	memset(&r, 0, sizeof(r));
	if (rc != 0)
		return rc;
	path = ring_file(dir, vault);
	rc = path == NULL ? ERR_NOMEM : fs_make_dirs(dir, 0700);
	if (rc == 0)
		rc = load_file(&r, path);
	if (rc == 1) /* the first store of this vault */
		rc = 0;
	memcpy(r.master, master, 32);
	if (rc == 0 && !has_store(&r, store_public)) {
		if (r.nstores == KEYRING_STORES_MAX)
			rc = err_set(ERR_LIMIT, "%s lists %d stores already",
			    path, KEYRING_STORES_MAX);
		else
			memcpy(r.stores[r.nstores++], store_public, 32);
	}
	if (rc == 0)
		rc = encode_ring(&text, &r);
	if (rc == 0)
		rc =
		    fs_write_file(AT_FDCWD, path, text.data, text.len, 0600, 0);
	if (text.data != NULL)
		hash_wipe(text.data, text.cap);
	buf_release(&text);
	hash_wipe(&r, sizeof(r));
	free(path);
	free(dir);
	return rc;
}
