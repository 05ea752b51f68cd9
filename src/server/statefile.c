#include "server/statefile.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/limits.h"
#include "hash/hash.h"

#include <fcntl.h>
#include <string.h>

#define CHECKSUM "checksum"

/* Of the members as they stand, the checksum apart. */
static int
checksum(uint8_t out[HASH_BYTES], const struct json *j)
{
	struct buf b = BUF_INIT;
	int r = json_encode(&b, j);

	if (r == 0)
		hash_bytes(out, b.data, b.len);
	hash_wipe(b.data, b.len); /* invitations are secret */
	buf_release(&b);
	return r;
}

int
statefile_load(struct json **out, const char *path)
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

int
statefile_check(struct json *j, const char *path)
{
	uint8_t want[HASH_BYTES], is[HASH_BYTES];
	int r = json_get_hex(want, sizeof(want), j, CHECKSUM);

	if (r == 0) {
		json_drop(j, CHECKSUM);
		r = checksum(is, j);
	}
	if (r == 0 && memcmp(want, is, sizeof(is)) != 0)
		r = err_set(ERR_DAMAGED, "the checksum does not match");
	return r == 0 ? 0 : err_prefix(r, "%s", path);
}

int
statefile_read(struct json **out, const char *path)
{
	struct json *j = NULL;
	int r = statefile_load(&j, path);

	if (r != 0)
		return r;
	r = statefile_check(j, path);
	if (r == 0)
		*out = j;
	else
		json_free(j);
	return r;
}

int
statefile_write(const char *path, struct json *j, unsigned flags)
{
	uint8_t sum[HASH_BYTES];
	struct buf b = BUF_INIT;
	int r;

	json_drop(j, CHECKSUM); /* of an earlier file */
	r = checksum(sum, j);
	if (r == 0)
		r = json_set_hex(j, CHECKSUM, sum, sizeof(sum));
	if (r == 0)
		r = json_encode_pretty(&b, j);
	if (r == 0)
		r = fs_write_file(AT_FDCWD, path, b.data, b.len, 0600, flags);
	hash_wipe(b.data, b.len);
	buf_release(&b);
	return r;
}
