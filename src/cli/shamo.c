#include "cli/shamo.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/limits.h"
#include "hash/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 0 was the same, before it was frozen. */
#define SHAMO_FORMAT 1
#define SECRET_BYTES 32
#define SECRET_TEXT_BYTES (2 * SECRET_BYTES)

void
shamo_init(struct shamo *s)
{
	memset(s, 0, sizeof(*s));
}

void
shamo_release(struct shamo *s)
{
	free(s->dir);
	free(s->path);
	free(s->url);
	free(s->label);
	hash_wipe(s, sizeof(*s));
}

int
shamo_locate(struct shamo *s, const char *dir, const char *state_dir)
{
	struct stat st;

	if (stat(dir, &st) != 0)
		return err_errno(ERR_NOENT, "%s", dir);
	if (!S_ISDIR(st.st_mode))
		return err_set(ERR_NOENT, "%s is not a directory", dir);
	s->dir = realpath(dir, NULL);
	if (s->dir == NULL)
		return err_errno(ERR_NOENT, "%s", dir);
	s->path = state_dir != NULL ? fs_printf("%s", state_dir)
				    : fs_join(s->dir, ".shamo");
	return s->path == NULL ? ERR_NOMEM : 0;
}

/* Path of a file of the state; the caller frees it. */
static char *
file_path(const struct shamo *s, const char *name)
{
	return fs_join(s->path, name);
}

int
shamo_exists(const struct shamo *s)
{
	char *path = file_path(s, "config.json");
	int rc = 1;

	if (path == NULL)
		return ERR_NOMEM;
	if (access(path, F_OK) != 0)
		rc = errno == ENOENT || errno == ENOTDIR
			 ? 0
			 : err_errno(ERR_IO, "cannot look for %s", path);
	free(path);
	return rc;
}

/* A file of the state cannot be read or used, as the message says. */
static int
unusable(int rc, const struct shamo *s, const char *name)
{
	if (rc == ERR_NOMEM)
		return rc;
	if (rc != ERR_DAMAGED)
		return err_prefix(ERR_NOSTORE, "%s/%s", s->path, name);
	return err_set(ERR_NOSTORE,
	    "%s/%s is damaged (%s); move %s away and register the directory "
	    "again",
	    s->path, name, err_text(), s->path);
}

static int
read_state_file(
    struct buf *out, const struct shamo *s, const char *name, size_t len_max)
{
	char *path = file_path(s, name);
	int rc;

	if (path == NULL)
		return ERR_NOMEM;
	rc = fs_read_file(out, AT_FDCWD, path, len_max);
	free(path);
	return rc;
}

static int
write_state_file(
    const struct shamo *s, const char *name, const void *p, size_t len)
{
	char *path = file_path(s, name);
	int rc;

	if (path == NULL)
		return ERR_NOMEM;
	rc = fs_write_file(AT_FDCWD, path, p, len, 0600, 0);
	free(path);
	return rc;
}

static int
write_state_json(const struct shamo *s, const char *name, const struct json *j)
{
	struct buf text = BUF_INIT;
	int rc = json_encode_pretty(&text, j);

	if (rc == 0)
		rc = write_state_file(s, name, text.data, text.len);
	buf_release(&text);
	return rc;
}

static int
copy_text(char **out, const struct json *j, const char *name, size_t len_max)
{
	const char *text;
	int rc = json_get_text(&text, j, name, len_max);

	if (rc != 0)
		return rc;
	free(*out);
	*out = fs_printf("%s", text);
	return *out == NULL ? ERR_NOMEM : 0;
}

static int
decode_config(struct shamo *s, const struct json *j)
{
	int64_t format;
	int rc = json_get_int(&format, j, "format", 0, INT32_MAX);

	if (rc == 0 && format > SHAMO_FORMAT)
		return err_set(ERR_NOSTORE,
		    "was written by a newer shash (format %lld); use that one",
		    (long long)format);
	if (rc == 0)
		rc = copy_text(&s->url, j, "url", SHAMO_URL_BYTES);
	if (rc == 0)
		rc = copy_text(&s->label, j, "label", LIMIT_LABEL_BYTES);
	if (rc == 0)
		rc = json_get_hex(
		    s->store_public, sizeof(s->store_public), j, "store");
	if (rc == 0)
		rc = json_get_hex(s->vault, sizeof(s->vault), j, "vault");
	if (rc == 0)
		rc = json_get_hex(s->mount, sizeof(s->mount), j, "mount");
	return rc;
}

/* A file of 64 hexadecimal digits.  0; 1 when there is none. */
static int
read_secret(
    uint8_t secret[SECRET_BYTES], const struct shamo *s, const char *name)
{
	struct buf text = BUF_INIT;
	int rc = read_state_file(&text, s, name, 2 * SECRET_TEXT_BYTES);

	if (rc == 0) {
		size_t len = text.len;

		while (len > 0 && text.data[len - 1] == '\n')
			len--;
		if (hex_decode(secret, SECRET_BYTES, (const char *)text.data,
			len) != 0)
			rc = err_set(ERR_DAMAGED, "it is no key");
	}
	if (rc < 0)
		rc = unusable(rc, s, name);
	if (text.data != NULL)
		hash_wipe(text.data, text.cap);
	buf_release(&text);
	return rc;
}

static int
write_secret(
    const struct shamo *s, const char *name, const uint8_t secret[SECRET_BYTES])
{
	char text[SECRET_TEXT_BYTES + 2];
	int rc;

	hex_encode(text, secret, SECRET_BYTES);
	text[SECRET_TEXT_BYTES] = '\n';
	rc = write_state_file(s, name, text, SECRET_TEXT_BYTES + 1);
	hash_wipe(text, sizeof(text));
	return rc;
}

int
shamo_load_seed(struct shamo *s)
{
	return read_secret(s->mount_seed, s, "mount.key");
}

int
shamo_sync(const struct shamo *s)
{
	char *path = file_path(s, "config.json"); /* any name in it */
	int rc = ERR_NOMEM;

	if (path != NULL) {
		fs_clear_temps(path);
		rc = fs_sync_name(path);
	}
	free(path);
	return rc;
}

int
shamo_load_pending(uint8_t master[32], const struct shamo *s)
{
	return read_secret(master, s, "pending.key");
}

int
shamo_save_pending(const uint8_t master[32], const struct shamo *s)
{
	return write_secret(s, "pending.key", master);
}

void
shamo_drop_pending(const struct shamo *s)
{
	char *path = file_path(s, "pending.key");

	/* It may be absent; if it cannot go, the next register uses it. */
	if (path != NULL)
		(void)unlink(path);
	free(path);
}

/* Nothing is registered here; below which directory that is are we? */
static int
not_registered(const struct shamo *s)
{
	char *above = fs_printf("%s", s->dir), *slash, *config;
	int found = 0;

	while (above != NULL && !found &&
	       (slash = strrchr(above, '/')) != NULL && slash != above) {
		*slash = '\0';
		config = fs_printf("%s/.shamo/config.json", above);
		found = config != NULL && access(config, F_OK) == 0;
		free(config);
	}
	if (found)
		(void)err_set(ERR_NOSTORE,
		    "%s is not registered, but %s above it is: --dir %s",
		    s->dir, above, above);
	else
		(void)err_set(ERR_NOSTORE,
		    "%s is not registered; run: shash register --dir %s "
		    "--url URL --invitation I",
		    s->dir, s->dir);
	free(above);
	return ERR_NOSTORE;
}

int
shamo_load(struct shamo *s)
{
	struct buf text = BUF_INIT;
	struct json *j = NULL;
	int rc = read_state_file(&text, s, "config.json", LIMIT_JSON_BYTES);

	if (rc == 1) {
		rc = not_registered(s);
		goto out;
	}
	if (rc == 0)
		rc = json_decode(&j, (const char *)text.data, text.len);
	if (rc == 0)
		rc = decode_config(s, j);
	if (rc != 0) {
		rc = unusable(rc, s, "config.json");
		goto out;
	}
	rc = shamo_load_seed(s);
	if (rc == 1)
		rc = err_set(ERR_NOSTORE,
		    "%s/mount.key is missing; register the directory again",
		    s->path);
out:
	json_free(j);
	buf_release(&text);
	return rc;
}

int
shamo_save_seed(const struct shamo *s)
{
	int rc = fs_make_dirs(s->path, 0700);

	if (rc == 0)
		rc = write_state_file(s, ".gitignore", "*\n", 2);
	return rc != 0 ? rc : write_secret(s, "mount.key", s->mount_seed);
}

int
shamo_save(const struct shamo *s)
{
	struct json *j = json_new_object();
	int rc = j == NULL ? ERR_NOMEM : 0;

	if (rc == 0)
		rc = json_set_int(j, "format", SHAMO_FORMAT);
	if (rc == 0)
		rc = json_set_text(j, "url", s->url);
	if (rc == 0)
		rc = json_set_text(j, "label", s->label);
	if (rc == 0)
		rc = json_set_hex(
		    j, "store", s->store_public, sizeof(s->store_public));
	if (rc == 0)
		rc = json_set_hex(j, "vault", s->vault, sizeof(s->vault));
	if (rc == 0)
		rc = json_set_hex(j, "mount", s->mount, sizeof(s->mount));
	if (rc == 0)
		rc = write_state_json(s, "config.json", j);
	json_free(j);
	return rc;
}

/* Nonzero when the directory lies on a network file system. */
static int
is_network(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), network;

	if (fd < 0)
		return 0;
	network = fs_is_network(fd);
	(void)close(fd); /* only looked at */
	return network;
}

/* The directory of this user's caches of ours. */
static char *
user_caches(void)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (base != NULL && base[0] == '/')
		return fs_join(base, "hashstore");
	if (home != NULL && home[0] == '/')
		return fs_join(home, ".cache/hashstore");
	(void)err_set(ERR_NOENT,
	    "neither HOME nor XDG_CACHE_HOME says where caches are kept");
	return NULL;
}

char *
shamo_cache_path(const struct shamo *s)
{
	char hex[2 * sizeof(s->mount) + 1], *caches, *path = NULL;

	if (!is_network(s->path))
		return fs_join(s->path, "cache");
	caches = user_caches();
	if (caches == NULL || fs_make_dirs(caches, 0700) != 0)
		goto out;
	if (is_network(caches)) {
		(void)err_set(ERR_IO,
		    "%s lies on a network file system too; XDG_CACHE_HOME can "
		    "name a local place",
		    caches);
		goto out;
	}
	hex_encode(hex, s->mount, sizeof(s->mount));
	path = fs_join(caches, hex);
out:
	free(caches);
	return path;
}

/* What of it is for people. */
static int
decode_news(struct shamo_head *h, const struct json *j)
{
	int64_t seq = 0, files = 0, bytes = 0;
	int rc = json_get_hex(h->address, sizeof(h->address), j, "key");

	if (rc == 0)
		rc = json_get_int(&seq, j, "server_seq", 0, INT64_MAX);
	if (rc == 0)
		rc = json_get_int(
		    &h->receive_ns, j, "receive_ns", INT64_MIN, INT64_MAX);
	if (rc == 0)
		rc = json_get_int(&files, j, "files", 0, INT64_MAX);
	if (rc == 0)
		rc = json_get_int(&bytes, j, "bytes", 0, INT64_MAX);
	h->server_seq = (uint64_t)seq;
	h->files = (uint64_t)files;
	h->bytes = (uint64_t)bytes;
	return rc;
}

int
shamo_load_head(struct shamo_head *out, const struct shamo *s)
{
	struct buf text = BUF_INIT;
	struct shamo_head h = {0};
	struct json *j = NULL;
	int64_t seq = 0;
	int rc = read_state_file(&text, s, "head.json", LIMIT_JSON_BYTES);

	if (rc == 0)
		rc = json_decode(&j, (const char *)text.data, text.len);
	if (rc == 0)
		rc = json_get_int(&seq, j, "client_seq", 1, INT64_MAX);
	if (rc == 0)
		rc =
		    json_get_hex(h.snapshot, sizeof(h.snapshot), j, "snapshot");
	if (rc == 0 && json_has(j, "key"))
		rc = decode_news(&h, j);
	json_free(j);
	buf_release(&text);
	if (rc < 0)
		return err_prefix(rc, "%s/head.json", s->path);
	if (rc == 0) {
		h.client_seq = (uint64_t)seq;
		*out = h;
	}
	return rc;
}

int
shamo_save_head(const struct shamo *s, const struct shamo_head *h)
{
	struct json *j = json_new_object();
	int rc = j == NULL ? ERR_NOMEM : 0;

	if (rc == 0)
		rc = json_set_int(j, "client_seq", (int64_t)h->client_seq);
	if (rc == 0)
		rc = json_set_hex(
		    j, "snapshot", h->snapshot, sizeof(h->snapshot));
	if (rc == 0)
		rc = json_set_hex(j, "key", h->address, sizeof(h->address));
	if (rc == 0)
		rc = json_set_int(j, "server_seq", (int64_t)h->server_seq);
	if (rc == 0)
		rc = json_set_int(j, "receive_ns", h->receive_ns);
	if (rc == 0)
		rc = json_set_int(j, "files", (int64_t)h->files);
	if (rc == 0)
		rc = json_set_int(j, "bytes", (int64_t)h->bytes);
	if (rc == 0)
		rc = write_state_json(s, "head.json", j);
	json_free(j);
	return rc;
}

int
shamo_lock(int *fd, const struct shamo *s)
{
	char *path = file_path(s, "lock");
	int rc;

	if (path == NULL)
		return ERR_NOMEM;
	rc = fs_lock_file(fd, path);
	free(path);
	if (rc == ERR_BUSY)
		return err_set(ERR_BUSY,
		    "another backup of %s is running; wait for its end",
		    s->dir);
	if (rc == ERR_DAMAGED)
		return err_set(ERR_NOSTORE, "%s: take it away", err_text());
	return rc;
}
