#include "engine/cache_last.h"

#include "base/err.h"
#include "base/fs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define NAME "last"

/* What the checksum is told as the record's key. */
static const uint8_t *const key = (const uint8_t *)NAME;
static const size_t key_len = sizeof(NAME) - 1;

int
cache_last_read(struct cache_head *out, const char *dir,
    const uint8_t check_key[HASH_BYTES])
{
	char *path = fs_join(dir, NAME);
	struct buf b = BUF_INIT;
	int rc = path == NULL ? ERR_NOMEM : 0;

	if (rc == 0)
		rc = fs_read_file(
		    &b, AT_FDCWD, path, CACHE_HEAD_BYTES + CACHE_CHECK_BYTES);
	if (rc == 0)
		rc = cache_record_head_decode(
		    out, check_key, key, key_len, b.data, b.len);
	buf_release(&b);
	free(path);
	return rc != 0;
}

int
cache_last_write(const char *dir, const uint8_t check_key[HASH_BYTES],
    const struct cache_head *head)
{
	char *path = fs_join(dir, NAME);
	struct buf b = BUF_INIT;
	int rc = path == NULL ? ERR_NOMEM : 0;

	if (rc == 0)
		rc =
		    cache_record_head_encode(&b, head, check_key, key, key_len);
	if (rc == 0)
		rc = fs_write_file(
		    AT_FDCWD, path, b.data, b.len, 0600, FS_NOSYNC);
	buf_release(&b);
	free(path);
	return rc;
}
