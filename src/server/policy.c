#include "server/policy.h"

#include "base/err.h"
#include "base/fs.h"
#include "base/hex.h"
#include "server/statefile.h"
#include "store/guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *
path_of(const char *dir, const uint8_t *mount)
{
	char hex[2 * IDENT_BYTES + 1];

	if (mount == NULL)
		return fs_printf("%s/keep/default.json", dir);
	hex_encode(hex, mount, IDENT_BYTES);
	return fs_printf("%s/keep/%s.json", dir, hex);
}

/* 0; 1 when there is no file; ERR_*. */
static int
load(struct json **out, const char *dir, const uint8_t *mount)
{
	char *path = path_of(dir, mount);
	int rc = path == NULL ? ERR_NOMEM : statefile_read(out, path);

	free(path);
	return rc;
}

static int
get_count(uint32_t *out, const struct json *j, const char *name, int64_t max)
{
	int64_t n = 0;
	int rc = json_has(j, name) ? json_get_int(&n, j, name, 0, max) : 0;

	*out = (uint32_t)n;
	return rc;
}

int
policy_read(struct keep_policy *out, const char *dir, const uint8_t *mount)
{
	struct keep_policy p = {0};
	struct json *j = NULL;
	uint32_t within = 0;
	int rc = load(&j, dir, mount), i;

	if (rc < 0)
		return rc;
	if (rc == 1)
		memset(out, 0, sizeof(*out));
	if (rc != 0)
		return rc;
	for (i = 0; i < KEEP_COUNTS && rc == 0; i++)
		rc = get_count(&p.count[i], j, keep_name((enum keep_count)i),
		    KEEP_COUNT_MAX);
	if (rc == 0)
		rc = get_count(
		    &within, j, "within_s", (int64_t)POLICY_DAYS_MAX * 86400);
	json_free(j);
	p.within_ns = (int64_t)within * 1000000000;
	if (rc == 0)
		*out = p;
	return rc == 0 ? 0 : err_prefix(rc, "a policy in %s/keep", dir);
}

int
policy_effective(
    struct keep_policy *out, const char *dir, const uint8_t mount[IDENT_BYTES])
{
	int rc = policy_read(out, dir, mount);

	if (rc == 1)
		rc = policy_read(out, dir, NULL);
	return rc == 1 ? 0 : rc;
}

int
policy_terms(struct policy_terms *out, const char *dir)
{
	struct policy_terms t = {POLICY_FLOOR_DAYS, POLICY_GRACE_DAYS};
	struct json *j = NULL;
	int rc = load(&j, dir, NULL);

	if (rc < 0)
		return rc;
	if (rc == 0 && json_has(j, "floor_days"))
		rc = get_count(&t.floor_days, j, "floor_days", POLICY_DAYS_MAX);
	if (rc == 0 && json_has(j, "grace_days"))
		rc = get_count(&t.grace_days, j, "grace_days", POLICY_DAYS_MAX);
	json_free(j);
	if (rc < 0)
		return err_prefix(rc, "%s/keep/default.json", dir);
	/* Whoever wrote less than the least meant harm, or erred. */
	if (t.grace_days < POLICY_GRACE_DAYS_MIN)
		t.grace_days = POLICY_GRACE_DAYS_MIN;
	*out = t;
	return 0;
}

/* One file of the folder: the store's policy, a directory's, or none. */
static int
audit_file(
    const char *dir, const char *name, account_found_fn *found, void *arg)
{
	uint8_t mount[IDENT_BYTES];
	struct policy_terms t;
	struct keep_policy p;
	char where[80];
	int rc = 0;

	if (strcmp(name, "default.json") == 0) {
		rc = policy_read(&p, dir, NULL);
		if (rc >= 0)
			rc = policy_terms(&t, dir);
	} else if (strlen(name) == 2 * IDENT_BYTES + 5 &&
		   strcmp(name + 2 * IDENT_BYTES, ".json") == 0 &&
		   hex_decode(mount, sizeof(mount), name, 2 * IDENT_BYTES) ==
		       0) {
		rc = policy_read(&p, dir, mount);
	}
	if (rc != ERR_DAMAGED)
		return rc < 0 ? rc : 0;
	(void)snprintf(
	    where, sizeof(where), "keep/%.70s", name); /* it is shorter */
	found(arg, where,
	    "is damaged: nothing is retired by it; set it anew with 'shash "
	    "keep'");
	return 0;
}

int
policy_audit(const char *dir, account_found_fn *found, void *arg)
{
	char *path = fs_join(dir, "keep");
	const struct dirent *e;
	DIR *folder = NULL;
	int rc = path == NULL ? ERR_NOMEM : 0;

	if (rc == 0)
		folder = opendir(path);
	if (rc == 0 && folder == NULL && errno != ENOENT)
		rc = err_errno(ERR_IO, "cannot list %s", path);
	while (rc == 0 && folder != NULL) {
		errno = 0;
		e = readdir(folder);
		if (e == NULL && errno != 0)
			rc = err_errno(ERR_IO, "cannot list %s", path);
		if (e == NULL)
			break;
		rc = audit_file(dir, e->d_name, found, arg);
	}
	if (folder != NULL)
		(void)closedir(folder); /* only read from */
	free(path);
	return rc;
}

int
policy_is_used(const char *dir)
{
	char *path = fs_join(dir, "keep");
	/* Without memory: look closer. */
	int used = path == NULL || access(path, F_OK) == 0;

	free(path);
	return used;
}

static int
make_folder(const char *dir)
{
	char *path = fs_join(dir, "keep");
	int rc = path == NULL ? ERR_NOMEM : fs_make_dirs(path, 0700);

	if (rc == 0)
		rc = fs_sync_dir(AT_FDCWD, dir);
	free(path);
	return rc;
}

static int
put(const char *dir, const char *path, struct json *j)
{
	int rc = make_folder(dir);

	return rc == 0 ? statefile_write(path, j, 0) : rc;
}

int
policy_write(const char *dir, const uint8_t *mount, const struct keep_policy *p,
    const struct policy_terms *terms)
{
	char *path = path_of(dir, mount);
	struct json *j = json_new_object();
	int rc = path == NULL || j == NULL ? ERR_NOMEM : 0, i;

	for (i = 0; i < KEEP_COUNTS && rc == 0; i++)
		rc =
		    json_set_int(j, keep_name((enum keep_count)i), p->count[i]);
	if (rc == 0)
		rc = json_set_int(j, "within_s", p->within_ns / 1000000000);
	if (rc == 0 && terms != NULL)
		rc = json_set_int(j, "floor_days", terms->floor_days);
	if (rc == 0 && terms != NULL)
		rc = json_set_int(j, "grace_days", terms->grace_days);
	if (rc == 0)
		rc = put(dir, path, j);
	/* Who wants less kept on a full disk must be able to say so. */
	if (rc == ERR_NOSPACE) {
		guard_spare(dir);
		rc = put(dir, path, j);
	}
	json_free(j);
	free(path);
	return rc;
}

int
policy_reset(const char *dir, const uint8_t mount[IDENT_BYTES])
{
	char *path = path_of(dir, mount);
	char *folder = fs_join(dir, "keep");
	int rc = path == NULL || folder == NULL ? ERR_NOMEM : 0;

	if (rc == 0 && unlink(path) != 0) {
		if (errno != ENOENT)
			rc = err_errno(ERR_IO, "%s", path);
	} else if (rc == 0) {
		rc = fs_sync_dir(AT_FDCWD, folder);
	}
	free(folder);
	free(path);
	return rc;
}
