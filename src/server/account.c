#include "server/account.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/pool.h"
#include "hash/hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/*
 * Making a store, in this order, while holding flock() of the folder itself:
 * the folders, server.key, and store.json last.  Without store.json a folder
 * is no store; a crash in between leaves what the next attempt goes on with.
 *
 * Adding a mount: vault folder, vault.json, mounts/ID.json last.  The mount's
 * id follows from its key, so a repetition finds its own files.
 */

#define STORE_FORMAT 1
#define ID_TEXT_BYTES (2 * IDENT_BYTES + 1)

struct account {
	char *dir;
	int lock_fd; /* -1 without ACCOUNT_LOCK */
	struct pool_lock adding;
	uint8_t public_key[SIGN_PUBLIC_BYTES];
	uint8_t seed[SIGN_SEED_BYTES];
};

/* Folders of a store, and all else that may be there before store.json. */
static const char *const folders[] = {
    "invitations", "mounts", "vaults", "index", "incoming"};
static const char *const leftovers[] = {
    "server.key", "lock", "control", "lost+found"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Read the JSON file at `path`.  0; 1 when absent; ERR_*. */
static int
read_json(struct json **out, const char *path)
{
	struct buf b = BUF_INIT;
	int r = fs_read_file(&b, AT_FDCWD, path, LIMIT_JSON_BYTES);

	if (r == 0) {
		r = json_decode(out, (const char *)b.data, b.len);
		if (r < 0)
			r = err_prefix(r, "%s", path);
	}
	hash_wipe(b.data, b.len);
	buf_release(&b);
	return r;
}

static int
write_json(const char *path, const struct json *j)
{
	struct buf b = BUF_INIT;
	int r = json_encode_pretty(&b, j);

	if (r == 0)
		r = fs_write_file(
		    AT_FDCWD, path, b.data, b.len, 0600, FS_EXCLUSIVE);
	buf_release(&b);
	return r;
}

static int
is_leftover(const char *name)
{
	size_t i;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    strncmp(name, FS_TEMP_PREFIX, strlen(FS_TEMP_PREFIX)) == 0)
		return 1;
	for (i = 0; i < COUNT(folders); i++)
		if (strcmp(name, folders[i]) == 0)
			return 1;
	for (i = 0; i < COUNT(leftovers); i++)
		if (strcmp(name, leftovers[i]) == 0)
			return 1;
	return 0;
}

/* Refuse a folder that holds what is not ours. */
static int
check_empty(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int r = 0;

	if (d == NULL)
		return err_errno(ERR_IO, "%s", dir);
	while (r == 0 && (errno = 0, e = readdir(d)) != NULL)
		if (!is_leftover(e->d_name))
			r = err_set(ERR_NOSTORE,
			    "%s is neither a store nor empty", dir);
	if (r == 0 && errno != 0)
		r = err_errno(ERR_IO, "%s", dir);
	closedir(d);
	return r;
}

/* Read server.key, or make it.  Wipe `seed` afterwards. */
static int
obtain_seed(uint8_t seed[SIGN_SEED_BYTES], const char *dir, int create)
{
	char *path = fs_join(dir, "server.key");
	struct buf b = BUF_INIT;
	int r;

	if (path == NULL)
		return ERR_NOMEM;
	r = fs_read_file(&b, AT_FDCWD, path, SIGN_SEED_BYTES);
	if (r == 1 && create) {
		sign_seed(seed);
		r = fs_write_file(
		    AT_FDCWD, path, seed, SIGN_SEED_BYTES, 0600, FS_EXCLUSIVE);
	} else if (r == 1 || (r == 0 && b.len != SIGN_SEED_BYTES)) {
		r = err_set(ERR_DAMAGED, "%s is not a key", path);
	} else if (r == 0) {
		memcpy(seed, b.data, SIGN_SEED_BYTES);
	}
	hash_wipe(b.data, b.len);
	buf_release(&b);
	free(path);
	return r;
}

static int
write_store_json(const char *path, const uint8_t seed[SIGN_SEED_BYTES])
{
	uint8_t public_key[SIGN_PUBLIC_BYTES];
	struct json *j = json_new_object();
	int r;

	if (j == NULL)
		return ERR_NOMEM;
	sign_public(public_key, seed);
	r = json_set_text(j, "product", IDENT_PRODUCT);
	if (r == 0)
		r = json_set_int(j, "format", STORE_FORMAT);
	if (r == 0)
		r = json_set_hex(j, "store", public_key, sizeof(public_key));
	if (r == 0)
		r = write_json(path, j);
	json_free(j);
	return r;
}

/* With the folder's lock held and store.json absent. */
static int
make_content(const char *dir, const char *store_json)
{
	uint8_t seed[SIGN_SEED_BYTES];
	size_t i;
	int r = check_empty(dir);

	for (i = 0; i < COUNT(folders) && r == 0; i++) {
		char *path = fs_join(dir, folders[i]);

		r = path == NULL ? ERR_NOMEM : fs_make_dirs(path, 0700);
		free(path);
	}
	if (r < 0)
		return r;
	r = obtain_seed(seed, dir, 1);
	if (r == 0)
		r = write_store_json(store_json, seed);
	hash_wipe(seed, sizeof(seed));
	return r;
}

/* Make a store in `dir` unless there is one. */
static int
make_store(const char *dir)
{
	char *path = fs_join(dir, "store.json");
	int fd = -1, r;

	if (path == NULL)
		return ERR_NOMEM;
	if (access(path, F_OK) == 0) {
		r = 0;
		goto out;
	}
	r = fs_make_dirs(dir, 0700);
	if (r < 0)
		goto out;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX) != 0) {
		r = err_errno(ERR_IO, "%s", dir);
		goto out;
	}
	if (access(path, F_OK) != 0)
		r = make_content(dir, path);
out:
	if (fd >= 0)
		close(fd); /* gives the lock back */
	free(path);
	return r;
}

/* store.json and server.key into `a`. */
static int
read_identity(struct account *a)
{
	uint8_t public_key[SIGN_PUBLIC_BYTES];
	char *path = fs_join(a->dir, "store.json");
	struct json *j = NULL;
	const char *product;
	int64_t format;
	int r;

	if (path == NULL)
		return ERR_NOMEM;
	r = read_json(&j, path);
	if (r == 1) {
		r = err_set(ERR_NOSTORE, "%s is not a store", a->dir);
		goto out;
	}
	if (r == 0)
		r = json_get_text(&product, j, "product", 32);
	if (r == 0)
		r = json_get_int(&format, j, "format", 0, INT64_MAX);
	if (r == 0)
		r = json_get_hex(
		    a->public_key, sizeof(a->public_key), j, "store");
	if (r < 0) {
		r = err_prefix(r, "%s", path);
		goto out;
	}
	if (strcmp(product, IDENT_PRODUCT) != 0 || format != STORE_FORMAT) {
		r = err_set(ERR_NOSTORE,
		    "%s is a store of format %lld, this shash knows %d: use "
		    "a%s shash",
		    a->dir, (long long)format, STORE_FORMAT,
		    format > STORE_FORMAT ? " newer" : "n older");
		goto out;
	}
	r = obtain_seed(a->seed, a->dir, 0);
	if (r < 0)
		goto out;
	sign_public(public_key, a->seed);
	if (memcmp(public_key, a->public_key, sizeof(public_key)) != 0)
		r = err_set(ERR_DAMAGED,
		    "%s: store.json and server.key do not belong together",
		    a->dir);
out:
	json_free(j);
	free(path);
	return r;
}

static int
take_lock(struct account *a)
{
	char *path = fs_join(a->dir, "lock");
	int r;

	if (path == NULL)
		return ERR_NOMEM;
	r = fs_lock_file(&a->lock_fd, path);
	if (r == ERR_BUSY)
		r = err_set(r, "%s is in use by another process", a->dir);
	free(path);
	return r;
}

/* What a crash left half written: nobody else can be writing now. */
static int
empty_incoming(const struct account *a)
{
	char *path = fs_join(a->dir, "incoming");
	int r = path == NULL ? ERR_NOMEM : fs_remove_tree(path);

	if (r == 0)
		r = fs_make_dirs(path, 0700);
	free(path);
	return r;
}

int
account_open(struct account **out, const char *dir, unsigned flags)
{
	struct account *a = calloc(1, sizeof(*a));
	int r = 0;

	if (a == NULL)
		return err_nomem(sizeof(*a));
	a->lock_fd = -1;
	pool_lock_init(&a->adding);
	a->dir = fs_printf("%s", dir);
	if (a->dir == NULL) {
		r = ERR_NOMEM;
		goto out;
	}
	if ((flags & ACCOUNT_CREATE) != 0)
		r = make_store(dir);
	if (r == 0)
		r = read_identity(a);
	if (r == 0 && (flags & ACCOUNT_LOCK) != 0)
		r = take_lock(a);
	if (r == 0 && (flags & ACCOUNT_LOCK) != 0)
		r = empty_incoming(a);
	if (r == 0) {
		*out = a;
		a = NULL;
	}
out:
	account_close(a);
	return r;
}

void
account_close(struct account *a)
{
	if (a == NULL)
		return;
	if (a->lock_fd >= 0)
		close(a->lock_fd);
	hash_wipe(a->seed, sizeof(a->seed));
	pool_lock_release(&a->adding);
	free(a->dir);
	free(a);
}

const char *
account_dir(const struct account *a)
{
	return a->dir;
}

const uint8_t *
account_public(const struct account *a)
{
	return a->public_key;
}

const uint8_t *
account_seed(const struct account *a)
{
	return a->seed;
}

/* DIR/FOLDER/ID and `tail`. */
static char *
id_path(const struct account *a, const char *folder,
    const uint8_t id[IDENT_BYTES], const char *tail)
{
	char hex[ID_TEXT_BYTES];

	hex_encode(hex, id, IDENT_BYTES);
	return fs_printf("%s/%s/%s%s", a->dir, folder, hex, tail);
}

char *
account_vault_dir(const struct account *a, const uint8_t vault[IDENT_BYTES])
{
	return id_path(a, "vaults", vault, "");
}

char *
account_incoming_dir(const struct account *a)
{
	return fs_join(a->dir, "incoming");
}

char *
account_index_dir(const struct account *a, const uint8_t vault[IDENT_BYTES])
{
	return id_path(a, "index", vault, "");
}

int
account_vault(struct header *out, const struct account *a,
    const uint8_t vault[IDENT_BYTES])
{
	char *path = id_path(a, "vaults", vault, "/vault.json");
	struct json *j = NULL;
	struct header h;
	int r;

	if (path == NULL)
		return ERR_NOMEM;
	r = read_json(&j, path);
	if (r != 0)
		goto out;
	r = header_from_json(&h, j);
	if (r == 0 && memcmp(h.vault, vault, IDENT_BYTES) != 0)
		r = err_set(ERR_DAMAGED, "it is of another vault");
	if (r < 0)
		r = err_prefix(r, "%s", path);
	else
		*out = h;
out:
	json_free(j);
	free(path);
	return r;
}

int
account_mount(struct account_mount *out, const struct account *a,
    const uint8_t mount[IDENT_BYTES])
{
	char *path = id_path(a, "mounts", mount, ".json");
	struct account_mount m;
	struct json *j = NULL;
	const char *label;
	int r;

	if (path == NULL)
		return ERR_NOMEM;
	r = read_json(&j, path);
	if (r != 0)
		goto out;
	memset(&m, 0, sizeof(m));
	memcpy(m.mount, mount, IDENT_BYTES);
	r = json_get_hex(m.vault, sizeof(m.vault), j, "vault");
	if (r == 0)
		r = json_get_hex(
		    m.public_key, sizeof(m.public_key), j, "public_key");
	if (r == 0)
		r = json_get_text(&label, j, "label", LIMIT_LABEL_BYTES);
	if (r == 0)
		r = json_get_int(
		    &m.created_ns, j, "created_ns", INT64_MIN, INT64_MAX);
	if (r < 0) {
		r = err_prefix(r, "%s", path);
		goto out;
	}
	memcpy(m.label, label, strlen(label) + 1);
	*out = m;
out:
	json_free(j);
	free(path);
	return r;
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, IDENT_BYTES);
}

/* The ids that begin the names HEX + `tail` in `folder`, sorted. */
static int
list_ids(struct buf *out, const struct account *a, const char *folder,
    const char *tail)
{
	char *path = fs_join(a->dir, folder);
	uint8_t id[IDENT_BYTES];
	struct dirent *e;
	DIR *d = NULL;
	int r = 0;

	if (path == NULL)
		return ERR_NOMEM;
	d = opendir(path);
	if (d == NULL) {
		r = err_errno(ERR_IO, "%s", path);
		goto out;
	}
	while (r == 0 && (errno = 0, e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name);

		if (len != 2 * IDENT_BYTES + strlen(tail) ||
		    strcmp(e->d_name + 2 * IDENT_BYTES, tail) != 0 ||
		    hex_decode(id, IDENT_BYTES, e->d_name, 2 * IDENT_BYTES) < 0)
			continue;
		r = buf_append(out, id, IDENT_BYTES);
	}
	if (r == 0 && errno != 0)
		r = err_errno(ERR_IO, "%s", path);
	if (r == 0 && out->len > 0)
		qsort(out->data, out->len / IDENT_BYTES, IDENT_BYTES,
		    compare_ids);
out:
	if (d != NULL)
		closedir(d);
	free(path);
	return r;
}

int
account_mounts(const struct account *a, const uint8_t *vault,
    account_mount_fn *found, void *arg)
{
	struct buf ids = BUF_INIT;
	struct account_mount m;
	int r = list_ids(&ids, a, "mounts", ".json");
	size_t i;

	for (i = 0; r == 0 && i < ids.len; i += IDENT_BYTES) {
		r = account_mount(&m, a, ids.data + i);
		if (r == 1) {
			r = 0; /* gone since it was listed */
			continue;
		}
		if (r == 0 &&
		    (vault == NULL || memcmp(vault, m.vault, IDENT_BYTES) == 0))
			r = found(arg, &m);
	}
	buf_release(&ids);
	return r;
}

int
account_vaults(const struct account *a, account_vault_fn *found, void *arg)
{
	struct buf ids = BUF_INIT;
	int r = list_ids(&ids, a, "vaults", "");
	size_t i;

	for (i = 0; r == 0 && i < ids.len; i += IDENT_BYTES)
		r = found(arg, ids.data + i);
	buf_release(&ids);
	return r;
}

int
account_check(struct header *stored, int *created, const struct account *a,
    const uint8_t mount_public[SIGN_PUBLIC_BYTES], const struct header *h,
    enum enroll_mode mode)
{
	uint8_t mount[IDENT_BYTES];
	struct account_mount m;
	struct header v;
	int known, absent;

	enroll_mount_id(mount, mount_public);
	known = account_mount(&m, a, mount);
	if (known < 0)
		return known;
	absent = account_vault(&v, a, h->vault);
	if (absent < 0)
		return absent;
	if (known == 0 && memcmp(m.vault, h->vault, IDENT_BYTES) != 0)
		return err_set(ERR_REFUSED,
		    "this directory is registered with another vault");
	if (absent && mode == ENROLL_JOIN)
		return err_set(ERR_NOENT, "there is no such vault");
	if (!absent &&
	    memcmp(v.join_public, h->join_public, SIGN_PUBLIC_BYTES) != 0)
		return err_set(
		    ERR_REFUSED, "membership of the vault is not proved");
	/* A new vault of a crashed registration has its file, but no mount:
	 * the same master key, so it is the same client. */
	if (!absent && mode == ENROLL_NEW && !header_equal(&v, h))
		return err_set(ERR_EXIST, "there is such a vault already");
	*stored = absent ? *h : v;
	*created = absent;
	return 0;
}

static int
sync_vaults(const struct account *a)
{
	char *path = fs_join(a->dir, "vaults");
	int r = path == NULL ? ERR_NOMEM : fs_sync_dir(AT_FDCWD, path);

	free(path);
	return r;
}

static int
write_vault(const struct account *a, const struct header *h)
{
	char *path = id_path(a, "vaults", h->vault, "/vault.json");
	char *dir = account_vault_dir(a, h->vault);
	struct json *j = json_new_object();
	int r = path == NULL || dir == NULL || j == NULL ? ERR_NOMEM : 0;

	if (r == 0)
		r = fs_make_dirs(dir, 0700);
	/* It may be of a process that died before it had synced this. */
	if (r == 0)
		r = sync_vaults(a);
	if (r == 0)
		r = header_to_json(j, h);
	if (r == 0)
		r = write_json(path, j);
	json_free(j);
	free(dir);
	free(path);
	return r;
}

static int
write_mount(const struct account *a, const struct account_mount *m)
{
	char *path = id_path(a, "mounts", m->mount, ".json");
	struct json *j = json_new_object();
	int r = path == NULL || j == NULL ? ERR_NOMEM : 0;

	if (r == 0)
		r = json_set_hex(j, "vault", m->vault, sizeof(m->vault));
	if (r == 0)
		r = json_set_hex(
		    j, "public_key", m->public_key, sizeof(m->public_key));
	if (r == 0)
		r = json_set_text(j, "label", m->label);
	if (r == 0)
		r = json_set_int(j, "created_ns", m->created_ns);
	if (r == 0)
		r = write_json(path, j);
	json_free(j);
	free(path);
	return r;
}

int
account_add(struct account_mount *out, struct header *stored, int *created,
    struct account *a, const uint8_t mount_public[SIGN_PUBLIC_BYTES],
    const char *label, const struct header *h, enum enroll_mode mode)
{
	struct account_mount m;
	int r, fresh;

	if (strlen(label) > LIMIT_LABEL_BYTES)
		return err_set(ERR_LIMIT, "the label is too long");
	memset(&m, 0, sizeof(m));
	enroll_mount_id(m.mount, mount_public);
	memcpy(m.vault, h->vault, IDENT_BYTES);
	memcpy(m.public_key, mount_public, SIGN_PUBLIC_BYTES);
	memcpy(m.label, label, strlen(label));
	m.created_ns = clock_wall_ns();

	pool_lock_enter(&a->adding);
	r = account_check(stored, &fresh, a, mount_public, h, mode);
	if (r == 0 && fresh)
		r = write_vault(a, h);
	if (r == 0)
		r = write_mount(a, &m);
	if (r == ERR_EXIST && account_mount(&m, a, m.mount) == 0)
		r = 0; /* repeated: the first time counts */
	pool_lock_leave(&a->adding);
	if (r == 0) {
		*created = fresh;
		*out = m;
	}
	return r;
}
