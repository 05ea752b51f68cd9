#include "server/storeid.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "hash/hash.h"
#include "proto/ident.h"
#include "server/statefile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Making a store, in this order, while holding flock() of the folder itself:
 * the folders, server.key, and store.json last.  Without store.json a folder
 * is no store; a crash in between leaves what the next attempt goes on with.
 */

#define STORE_FORMAT 1

/* Folders of a store, and all else that may be there before store.json. */
static const char *const folders[] = {
    "invitations", "mounts", "vaults", "index", "incoming"};
static const char *const leftovers[] = {"server.key", "lock", "control",
    "clock.json", "keep", "reserve", "lost+found"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

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

/* Nothing but what a file system has at its top: also what is not there. */
static int
is_bare(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int bare = 1;

	while (d != NULL && bare && (e = readdir(d)) != NULL)
		bare =
		    e->d_name[0] == '.' || strcmp(e->d_name, "lost+found") == 0;
	if (d != NULL)
		closedir(d);
	return bare;
}

/* Whoever named none meant another one; a place for a disk is empty. */
static const char *
hint(const char *dir)
{
	if (strcmp(dir, ".") == 0)
		return "; name it with --store_dir D";
	return is_bare(dir) ? "; is its disk mounted?" : "";
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
			    "%s is neither a store nor empty%s", dir,
			    hint(dir));
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
	} else if (r == 1 || r == ERR_DAMAGED ||
		   (r == 0 && b.len != SIGN_SEED_BYTES)) {
		r = err_set(ERR_DAMAGED,
		    "%s, the store's key, is %s; put it back from a copy", path,
		    r == 1 ? "gone" : "damaged");
	} else if (r == 0) {
		memcpy(seed, b.data, SIGN_SEED_BYTES);
	}
	hash_wipe(b.data, b.len);
	buf_release(&b);
	free(path);
	return r;
}

/* Whatever it is: also a symlink that leads nowhere. */
static int
is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
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
		r = statefile_write(path, j, FS_EXCLUSIVE);
	json_free(j);
	return r;
}

/* With the folder's lock held and store.json absent. */
static int
make_content(const char *dir, const char *store_json)
{
	char *vaults = fs_join(dir, "vaults");
	uint8_t seed[SIGN_SEED_BYTES];
	int fresh = vaults != NULL && is_bare(vaults);
	size_t i;
	int r = vaults == NULL ? ERR_NOMEM : check_empty(dir);

	free(vaults);
	for (i = 0; i < COUNT(folders) && r == 0; i++) {
		char *path = fs_join(dir, folders[i]);

		r = path == NULL ? ERR_NOMEM : fs_make_dirs(path, 0700);
		free(path);
	}
	if (r < 0)
		return r;
	/* The vaults there are have a key already: one that is lost. */
	r = obtain_seed(seed, dir, fresh);
	if (r == 0)
		r = write_store_json(store_json, seed);
	if (r == 0 && fresh)
		log_info("%s is a new store", dir);
	hash_wipe(seed, sizeof(seed));
	return r;
}

int
storeid_make(const char *dir)
{
	char *path = fs_join(dir, "store.json");
	int fd = -1, r;

	if (path == NULL)
		return ERR_NOMEM;
	if (is_there(path)) {
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
	if (!is_there(path))
		r = make_content(dir, path);
out:
	if (fd >= 0)
		close(fd); /* gives the lock back */
	free(path);
	return r;
}

/* There is nothing in store.json that server.key does not say. */
static int
damaged(int code)
{
	char why[ERR_TEXT_MAX];

	(void)snprintf(why, sizeof(why), "%s", err_text()); /* cut is fine */
	return err_set(code,
	    "%s; put it back from a copy, or take it away: the next start "
	    "makes "
	    "it anew",
	    why);
}

int
storeid_read(uint8_t public_key[SIGN_PUBLIC_BYTES],
    uint8_t seed[SIGN_SEED_BYTES], const char *dir)
{
	uint8_t named[SIGN_PUBLIC_BYTES];
	char *path = fs_join(dir, "store.json");
	struct json *j = NULL;
	const char *product;
	int64_t format;
	int r;

	if (path == NULL)
		return ERR_NOMEM;
	r = statefile_load(&j, path);
	if (r == ERR_DAMAGED)
		r = damaged(r);
	if (r == 1)
		r = err_set(ERR_NOSTORE, "%s is not a store%s", dir, hint(dir));
	if (r < 0)
		goto out;
	r = json_get_text(&product, j, "product", 32);
	if (r == 0)
		r = json_get_int(&format, j, "format", 0, INT64_MAX);
	if (r < 0) {
		r = err_prefix(r, "%s", path);
		goto out;
	}
	if (strcmp(product, IDENT_PRODUCT) != 0 || format != STORE_FORMAT) {
		r = err_set(ERR_NOSTORE,
		    "%s is a store of format %lld, this shash knows %d: use "
		    "a%s shash",
		    dir, (long long)format, STORE_FORMAT,
		    format > STORE_FORMAT ? " newer" : "n older");
		goto out;
	}
	/* Of a newer format it might be another checksum. */
	r = statefile_check(j, path);
	if (r == ERR_DAMAGED)
		r = damaged(r);
	if (r == 0)
		r = json_get_hex(named, sizeof(named), j, "store");
	if (r == 0)
		r = obtain_seed(seed, dir, 0);
	if (r < 0)
		goto out;
	sign_public(public_key, seed);
	if (memcmp(public_key, named, sizeof(named)) != 0)
		r = err_set(ERR_DAMAGED,
		    "%s: store.json and server.key do not belong together; "
		    "put both back from a copy",
		    dir);
out:
	json_free(j);
	free(path);
	return r;
}
