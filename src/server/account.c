#include "server/account.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/pool.h"
#include "hash/hash.h"
#include "server/statefile.h"
#include "server/storeid.h"
#include "store/guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/*
 * Adding a mount: vault folder, vault.json, mounts/ID.json last.  The mount's
 * id follows from its key, so a repetition finds its own files.  Each mount's
 * file holds a copy of its vault's header, for without that no client opens
 * the vault: a lost vault.json is put back from there.  And a vault's folder
 * holds a copy of each of its mounts' files, for the same reason.
 */

#define ID_TEXT_BYTES (2 * IDENT_BYTES + 1)

struct account {
	char *dir;
	int lock_fd; /* -1 without ACCOUNT_LOCK */
	struct guard *guard; /* NULL without it */
	struct pool_lock adding;
	uint8_t public_key[SIGN_PUBLIC_BYTES];
	uint8_t seed[SIGN_SEED_BYTES];
};

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
		r = storeid_make(dir);
	if (r == 0)
		r = storeid_read(a->public_key, a->seed, dir);
	if (r == 0 && (flags & ACCOUNT_LOCK) != 0)
		r = take_lock(a);
	if (r == 0 && (flags & ACCOUNT_LOCK) != 0)
		r = empty_incoming(a);
	if (r == 0 && (flags & ACCOUNT_LOCK) != 0)
		r = guard_open(&a->guard, dir);
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
	guard_close(a->guard);
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

struct guard *
account_guard(const struct account *a)
{
	return a->guard;
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

/* A header as it stands in the JSON `j` of the file at `path`. */
static int
take_header(struct header *out, const struct json *j, const char *path,
    const uint8_t vault[IDENT_BYTES])
{
	struct header h;
	int r = header_from_json(&h, j);

	if (r == 0 && memcmp(h.vault, vault, IDENT_BYTES) != 0)
		r = err_set(ERR_DAMAGED, "it is of another vault");
	if (r < 0)
		return err_prefix(r, "%s", path);
	*out = h;
	return 0;
}

/* vault.json itself.  0; 1 when absent; ERR_*. */
static int
read_vault(struct header *out, const struct account *a,
    const uint8_t vault[IDENT_BYTES])
{
	char *path = id_path(a, "vaults", vault, "/vault.json");
	struct json *j = NULL;
	int r;

	if (path == NULL)
		return ERR_NOMEM;
	r = statefile_read(&j, path);
	if (r == 0)
		r = take_header(out, j, path, vault);
	json_free(j);
	free(path);
	return r;
}

/* The copy in a mount's file.  0; 1 when it has none of that vault; ERR_*. */
static int
read_copy(struct header *out, const struct account *a,
    const uint8_t mount[IDENT_BYTES], const uint8_t vault[IDENT_BYTES])
{
	char *path = id_path(a, "mounts", mount, ".json");
	uint8_t of[IDENT_BYTES];
	struct json *j = NULL;
	int r;

	if (path == NULL)
		return ERR_NOMEM;
	r = statefile_read(&j, path);
	if (r == 0)
		r = json_get_hex(of, sizeof(of), j, "vault");
	if (r == 0 && memcmp(of, vault, IDENT_BYTES) != 0)
		r = 1;
	if (r == 0)
		r = json_get(j, "header") == NULL
			? 1
			: take_header(out, json_get(j, "header"), path, vault);
	json_free(j);
	free(path);
	return r;
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
write_vault(const struct account *a, const struct header *h, unsigned flags)
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
		r = statefile_write(path, j, flags);
	json_free(j);
	free(dir);
	free(path);
	return r;
}

/* Put a lost vault.json back from a mount's copy.  0; 1 no copy; ERR_*. */
static int
mend_vault(struct header *out, const struct account *a,
    const uint8_t vault[IDENT_BYTES])
{
	struct buf ids = BUF_INIT;
	struct header h;
	int r = list_ids(&ids, a, "mounts", ".json"), found = 0;
	size_t i;

	for (i = 0; r == 0 && !found && i < ids.len; i += IDENT_BYTES) {
		r = read_copy(&h, a, ids.data + i, vault);
		found = r == 0;
		if (r == 1 || r == ERR_DAMAGED)
			r = 0; /* another may do */
	}
	if (r == 0 && found)
		r = write_vault(a, &h, 0);
	if (r == 0 && found)
		*out = h;
	buf_release(&ids);
	return r != 0 ? r : !found;
}

int
account_vault(struct header *out, const struct account *a,
    const uint8_t vault[IDENT_BYTES])
{
	int r = read_vault(out, a, vault), mended;

	if (r != 1 && r != ERR_DAMAGED)
		return r;
	mended = mend_vault(out, a, vault);
	if (mended == 0)
		log_warn("the header of a vault was lost and has been put "
			 "back from a copy");
	if (mended == 1 && r == ERR_DAMAGED)
		(void)read_vault(out, a, vault); /* words the error again */
	return mended == 1 ? r : mended;
}

/* A mount's record, or its copy in the vault's folder. */
static char *
mount_path(const struct account *a, const uint8_t mount[IDENT_BYTES],
    const uint8_t *vault)
{
	char hex[ID_TEXT_BYTES], of[ID_TEXT_BYTES];

	if (vault == NULL)
		return id_path(a, "mounts", mount, ".json");
	hex_encode(hex, mount, IDENT_BYTES);
	hex_encode(of, vault, IDENT_BYTES);
	return fs_printf("%s/vaults/%s/mounts/%s.json", a->dir, of, hex);
}

/* 0; 1 when absent; ERR_*. */
static int
read_mount(struct account_mount *out, const char *path,
    const uint8_t mount[IDENT_BYTES])
{
	struct account_mount m;
	struct json *j = NULL;
	const char *label;
	int r;

	if (path == NULL)
		return ERR_NOMEM;
	r = statefile_read(&j, path);
	if (r != 0)
		return r;
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
	if (r == 0) {
		memcpy(m.label, label, strlen(label) + 1);
		*out = m;
	}
	json_free(j);
	return r == 0 ? 0 : err_prefix(r, "%s", path);
}

static int write_mount(const struct account *a, const struct account_mount *m,
    const struct header *h);

/* Put a damaged record back from its copy.  0; 1 no copy; ERR_*. */
static int
mend_mount(struct account_mount *out, const struct account *a,
    const uint8_t mount[IDENT_BYTES])
{
	struct buf ids = BUF_INIT;
	struct account_mount m;
	struct header h;
	int r = list_ids(&ids, a, "vaults", ""), found = 0;
	size_t i;

	for (i = 0; r == 0 && !found && i < ids.len; i += IDENT_BYTES) {
		char *path = mount_path(a, mount, ids.data + i);

		r = read_mount(&m, path, mount);
		if (r == 0)
			r = account_vault(&h, a, m.vault);
		found = r == 0;
		if (r == 1 || r == ERR_DAMAGED)
			r = 0;
		free(path);
	}
	if (r == 0 && found)
		r = write_mount(a, &m, &h);
	if (r == 0 && found)
		*out = m;
	buf_release(&ids);
	return r != 0 ? r : !found;
}

int
account_mount(struct account_mount *out, const struct account *a,
    const uint8_t mount[IDENT_BYTES])
{
	char *path = mount_path(a, mount, NULL);
	int r = read_mount(out, path, mount), mended;

	/* One that is gone was taken away: the operator's way to end it. */
	if (r == ERR_DAMAGED) {
		mended = mend_mount(out, a, mount);
		if (mended == 0)
			log_warn("the record of a mount was damaged and has "
				 "been put back from a copy");
		else if (mended == 1)
			(void)read_mount(out, path, mount); /* words it again */
		r = mended == 1 ? r : mended;
	}
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
		char *path = mount_path(a, ids.data + i, NULL);

		r = read_mount(&m, path, ids.data + i);
		free(path);
		/* Gone since it was listed, or for the audit to tell. */
		if (r == 1 || r == ERR_DAMAGED) {
			r = 0;
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

static void
tell(account_found_fn *found, void *arg, const char *folder,
    const uint8_t id[IDENT_BYTES], const char *tail, const char *what)
{
	char hex[ID_TEXT_BYTES], where[128];

	hex_encode(hex, id, IDENT_BYTES);
	(void)snprintf(where, sizeof(where), "%s/%s%s", folder, hex, tail);
	found(arg, where, what);
}

static int
audit_vault(const struct account *a, const uint8_t id[IDENT_BYTES],
    account_found_fn *found, void *arg)
{
	struct header h;
	int r = read_vault(&h, a, id);

	if (r != 1 && r != ERR_DAMAGED)
		return r;
	r = account_vault(&h, a, id);
	if (r == 0)
		tell(found, arg, "vaults", id, "/vault.json",
		    "was damaged or lost; put back from a copy");
	else if (r == 1 || r == ERR_DAMAGED)
		tell(found, arg, "vaults", id, "/vault.json",
		    "is damaged or lost, and there is no copy; register one "
		    "of its directories again with a new invitation (or move "
		    "away what stands in its place)");
	return r == 1 || r == ERR_DAMAGED ? 0 : r;
}

/* The copy that is needed when the record itself is damaged. */
static int
audit_copy(const struct account *a, const struct account_mount *m,
    account_found_fn *found, void *arg)
{
	char *path = mount_path(a, m->mount, m->vault), where[80];
	char hex[ID_TEXT_BYTES];
	struct account_mount copy;
	struct header h;
	int r = read_mount(&copy, path, m->mount);

	free(path);
	if (r != 1 && r != ERR_DAMAGED)
		return r;
	r = account_vault(&h, a, m->vault);
	/* That has been told. */
	if (r != 0)
		return r == 1 || r == ERR_DAMAGED ? 0 : r;
	r = write_mount(a, m, &h);
	if (r < 0)
		return r;
	hex_encode(hex, m->vault, IDENT_BYTES);
	(void)snprintf(where, sizeof(where), "vaults/%s/mounts", hex);
	tell(found, arg, where, m->mount, ".json",
	    "was damaged or lost; put back from mounts/");
	return 0;
}

static int
audit_mount(const struct account *a, const uint8_t id[IDENT_BYTES],
    account_found_fn *found, void *arg)
{
	char *path = mount_path(a, id, NULL);
	struct account_mount m;
	int r = read_mount(&m, path, id);

	free(path);
	if (r == 0)
		return audit_copy(a, &m, found, arg);
	if (r != ERR_DAMAGED)
		return r == 1 ? 0 : r; /* gone since it was listed */
	r = account_mount(&m, a, id);
	if (r != 0 && r != ERR_DAMAGED)
		return r;
	tell(found, arg, "mounts", id, ".json",
	    r == 0 ? "was damaged; put back from a copy"
		   : "is damaged, and there is no copy; register that "
		     "directory again with a new invitation (or move away "
		     "what stands in its place)");
	return 0;
}

int
account_audit(const struct account *a, account_found_fn *found, void *arg)
{
	struct buf vaults = BUF_INIT, mounts = BUF_INIT;
	int r = list_ids(&vaults, a, "vaults", "");
	size_t i;

	if (r == 0)
		r = list_ids(&mounts, a, "mounts", ".json");
	for (i = 0; r == 0 && i < vaults.len; i += IDENT_BYTES)
		r = audit_vault(a, vaults.data + i, found, arg);
	for (i = 0; r == 0 && i < mounts.len; i += IDENT_BYTES)
		r = audit_mount(a, mounts.data + i, found, arg);
	buf_release(&vaults);
	buf_release(&mounts);
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

	/* Before an invitation is used up. */
	known = guard_put(a->guard, 0);
	if (known < 0)
		return known;
	enroll_mount_id(mount, mount_public);
	known = account_mount(&m, a, mount);
	/* What is no longer legible is written anew. */
	if (known < 0 && known != ERR_DAMAGED)
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
mount_to_json(
    struct json *j, const struct account_mount *m, const struct header *h)
{
	struct json *copy = json_new_object();
	int r = copy == NULL ? ERR_NOMEM : 0;

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
		r = header_to_json(copy, h);
	if (r != 0) {
		json_free(copy);
		return r;
	}
	return json_set(j, "header", copy);
}

/* In both places; the record itself last, for that is what counts. */
static int
write_mount(const struct account *a, const struct account_mount *m,
    const struct header *h)
{
	char *path = mount_path(a, m->mount, NULL), *dir = NULL;
	char *copy = mount_path(a, m->mount, m->vault);
	struct json *j = json_new_object();
	int r = path == NULL || copy == NULL || j == NULL ? ERR_NOMEM : 0;

	if (r == 0) {
		dir = id_path(a, "vaults", m->vault, "/mounts");
		r = dir == NULL ? ERR_NOMEM : fs_make_dirs(dir, 0700);
	}
	if (r == 0)
		r = mount_to_json(j, m, h);
	if (r == 0)
		r = statefile_write(copy, j, 0);
	if (r == 0)
		r = statefile_write(path, j, 0);
	json_free(j);
	free(copy);
	free(dir);
	free(path);
	return r;
}

/*
 * What is there may be of a try that died, or whose sync failed, so that nobody
 * knows whether the disk has it: what counts is written by who says so.  The
 * same bytes, for they may say more than this version knows.
 */
static int
write_again(const char *path)
{
	struct buf b = BUF_INIT;
	int r = fs_read_file(&b, AT_FDCWD, path, LIMIT_JSON_BYTES);

	if (r == 0)
		r = fs_write_file(AT_FDCWD, path, b.data, b.len, 0600, 0);
	else if (r == 1)
		r = err_set(ERR_IO, "%s is gone", path);
	buf_release(&b);
	return r;
}

static int
write_vault_again(const struct account *a, const uint8_t vault[IDENT_BYTES])
{
	char *path = id_path(a, "vaults", vault, "/vault.json");
	int r = path == NULL ? ERR_NOMEM : sync_vaults(a);

	if (r == 0)
		r = write_again(path);
	free(path);
	return r;
}

/* In both places, as write_mount(); which is for a copy that is no good. */
static int
write_mount_again(const struct account *a, const struct account_mount *m,
    const struct header *h)
{
	char *path = mount_path(a, m->mount, NULL);
	char *copy = mount_path(a, m->mount, m->vault);
	struct account_mount other;
	int r = path == NULL ? ERR_NOMEM : read_mount(&other, copy, m->mount);

	if (r == 0)
		r = write_again(copy);
	else if (r == 1 || r == ERR_DAMAGED)
		r = write_mount(a, m, h);
	if (r == 0)
		r = write_again(path);
	free(copy);
	free(path);
	return r;
}

int
account_add(struct account_mount *out, struct header *stored, int *created,
    struct account *a, const uint8_t mount_public[SIGN_PUBLIC_BYTES],
    const char *label, const struct header *h, enum enroll_mode mode)
{
	struct account_mount m, old;
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
	if (r == 0)
		r = fresh ? write_vault(a, h, FS_EXCLUSIVE)
			  : write_vault_again(a, h->vault);
	if (r == 0) {
		r = account_mount(&old, a, m.mount);
		if (r == 0)
			m = old; /* repeated: the first time counts */
		if (r == 0)
			r = write_mount_again(a, &m, stored);
		else if (r == 1 || r == ERR_DAMAGED)
			r = write_mount(a, &m, stored);
	}
	pool_lock_leave(&a->adding);
	if (r == 0) {
		*created = fresh;
		*out = m;
	}
	return r;
}
