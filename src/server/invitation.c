#include "server/invitation.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/limits.h"
#include "hash/hash.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static char *
invitation_path(const char *dir, const uint8_t id[IDENT_BYTES])
{
	char hex[2 * IDENT_BYTES + 1];

	hex_encode(hex, id, IDENT_BYTES);
	return fs_printf("%s/invitations/%s.json", dir, hex);
}

/* `mount_public` is NULL while nobody used it; `expires_ns` is 0 for one that
 * does not expire. */
static int
write_invitation(const char *dir, const struct enroll_keys *keys,
    int64_t expires_ns, const uint8_t *mount_public)
{
	char *path = invitation_path(dir, keys->id);
	struct json *j = json_new_object();
	struct buf b = BUF_INIT;
	int r = path == NULL || j == NULL ? ERR_NOMEM : 0;

	if (r == 0)
		r = json_set_hex(
		    j, "client_key", keys->client, sizeof(keys->client));
	if (r == 0)
		r = json_set_hex(
		    j, "server_key", keys->server, sizeof(keys->server));
	if (r == 0)
		r = json_set_int(j, "time_ns", clock_wall_ns());
	if (r == 0 && expires_ns != 0)
		r = json_set_int(j, "expires_ns", expires_ns);
	if (r == 0 && mount_public != NULL)
		r = json_set_hex(j, "used_by", mount_public, SIGN_PUBLIC_BYTES);
	if (r == 0)
		r = json_encode_pretty(&b, j);
	if (r == 0)
		r = fs_write_file(AT_FDCWD, path, b.data, b.len, 0600,
		    mount_public == NULL ? FS_EXCLUSIVE : 0);
	hash_wipe(b.data, b.len);
	buf_release(&b);
	json_free(j);
	free(path);
	return r;
}

int
invitation_make(
    char uuid[ENROLL_UUID_LEN + 1], const char *dir, int64_t expires_ns)
{
	char text[ENROLL_UUID_LEN + 1];
	struct enroll_keys keys;
	struct account *a;
	int r = account_open(&a, dir, ACCOUNT_CREATE);

	if (r < 0)
		return r;
	account_close(a);
	enroll_uuid(text);
	r = enroll_keys(&keys, text);
	if (r == 0)
		r = write_invitation(dir, &keys, expires_ns, NULL);
	if (r == 0)
		memcpy(uuid, text, sizeof(text));
	hash_wipe(&keys, sizeof(keys));
	hash_wipe(text, sizeof(text));
	return r;
}

/* Whether its time is over; one that was used has none any more. */
static int
check_time(const struct json *j)
{
	int64_t now = clock_wall_ns(), expires = INT64_MAX;
	char words[32];
	int r = 0;

	if (json_has(j, "expires_ns"))
		r = json_get_int(&expires, j, "expires_ns", 1, INT64_MAX);
	if (r < 0 || now < expires)
		return r;
	return err_set(ERR_REFUSED,
	    "the invitation expired %s ago; ask for a new one (shash invite)",
	    duration_words(words, (now - expires) / 1000000000));
}

int
invitation_find(struct enroll_keys *out, const struct account *a,
    const uint8_t id[IDENT_BYTES],
    const uint8_t mount_public[SIGN_PUBLIC_BYTES])
{
	char *path = invitation_path(account_dir(a), id);
	uint8_t used_by[SIGN_PUBLIC_BYTES];
	struct buf b = BUF_INIT;
	struct enroll_keys keys;
	struct json *j = NULL;
	int r;

	if (path == NULL)
		return ERR_NOMEM;
	r = fs_read_file(&b, AT_FDCWD, path, LIMIT_JSON_BYTES);
	if (r == 1)
		r = err_set(ERR_REFUSED, "there is no such invitation");
	if (r < 0)
		goto out;
	r = json_decode(&j, (const char *)b.data, b.len);
	if (r == 0)
		r = json_get_hex(
		    keys.client, sizeof(keys.client), j, "client_key");
	if (r == 0)
		r = json_get_hex(
		    keys.server, sizeof(keys.server), j, "server_key");
	if (r == 0 && json_has(j, "used_by")) {
		r = json_get_hex(used_by, sizeof(used_by), j, "used_by");
		if (r == 0 &&
		    memcmp(used_by, mount_public, sizeof(used_by)) != 0) {
			r = err_set(
			    ERR_REFUSED, "the invitation has been used");
			goto out;
		}
	} else if (r == 0) {
		r = check_time(j);
		if (r == ERR_REFUSED)
			goto out;
	}
	if (r < 0) {
		r = err_prefix(r, "%s", path);
		goto out;
	}
	memcpy(keys.id, id, IDENT_BYTES);
	memset(keys.client_seed, 0, sizeof(keys.client_seed));
	*out = keys;
out:
	json_free(j);
	hash_wipe(b.data, b.len);
	hash_wipe(&keys, sizeof(keys));
	buf_release(&b);
	free(path);
	return r;
}

int
invitation_use(const struct account *a, const struct enroll_keys *keys,
    const uint8_t mount_public[SIGN_PUBLIC_BYTES])
{
	return write_invitation(account_dir(a), keys, 0, mount_public);
}
