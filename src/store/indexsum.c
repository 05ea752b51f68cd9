#include "store/indexsum.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/kv.h"
#include "hash/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD_BYTES (8 + HASH_BYTES)
#define SUM_BYTES (HEAD_BYTES + HASH_BYTES)
#define PIECE_BYTES ((size_t)1 << 20)

static void
hash_zeros(struct hash *h, uint64_t n)
{
	static const uint8_t zeros[4096];
	size_t len;

	for (; n > 0; n -= len) {
		len = n < sizeof(zeros) ? (size_t)n : sizeof(zeros);
		hash_update(h, zeros, len);
	}
}

/* Length and hash of all up to the last byte that is not zero. */
static int
hash_file(uint8_t head[HEAD_BYTES], int fd, uint8_t *piece)
{
	uint64_t n = 0, zeros = 0;
	struct hash h;
	ssize_t got;
	size_t len;

	hash_init(&h);
	while ((got = read(fd, piece, PIECE_BYTES)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		for (len = (size_t)got; len > 0 && piece[len - 1] == 0;)
			len--;
		if (len > 0) {
			hash_zeros(&h, zeros);
			hash_update(&h, piece, len);
			n += zeros + len;
			zeros = 0;
		}
		zeros += (size_t)got - len;
	}
	bytes_put64(head, n);
	hash_final(&h, head + 8);
	return 0;
}

/* Returns 0; 1: there is no index; ERR_*. */
static int
measure(uint8_t head[HEAD_BYTES], const char *dir)
{
	char *path = fs_join(dir, KV_DATA_NAME);
	uint8_t *piece = malloc(PIECE_BYTES);
	int fd = -1, ret = 0;

	if (path == NULL || piece == NULL) {
		ret = err_nomem(PIECE_BYTES);
		goto out;
	}
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		ret = 1;
	else if (fd < 0 || hash_file(head, fd, piece) != 0)
		/* What cannot be read is as bad as what is wrong. */
		ret = errno == EIO || errno == EISDIR || errno == ELOOP ||
			      errno == ENOTDIR
			  ? err_errno(ERR_DAMAGED, "%s: cannot read", path)
			  : err_errno(ERR_IO, "%s: cannot read", path);
out:
	if (fd >= 0)
		(void)close(fd); /* nothing was written */
	free(piece);
	free(path);
	return ret;
}

/* Returns 0; 1: there is none; ERR_DAMAGED; ERR_*. */
static int
read_sum(uint8_t head[HEAD_BYTES], const char *dir)
{
	struct buf b = BUF_INIT;
	uint8_t check[HASH_BYTES];
	char *path = fs_join(dir, "sum");
	int ret;

	if (path == NULL)
		return ERR_NOMEM;
	ret = fs_read_file(&b, AT_FDCWD, path, SUM_BYTES);
	if (ret == 0 && b.len == SUM_BYTES) {
		hash_bytes(check, b.data, HEAD_BYTES);
		if (memcmp(check, b.data + HEAD_BYTES, HASH_BYTES) == 0)
			memcpy(head, b.data, HEAD_BYTES);
		else
			ret = ERR_DAMAGED;
	} else if (ret == 0 || ret == ERR_IO) {
		ret = ERR_DAMAGED;
	}
	if (ret == ERR_DAMAGED)
		ret = err_set(ERR_DAMAGED, "%s: cannot be used", path);
	buf_release(&b);
	free(path);
	return ret;
}

int
indexsum_check(const char *dir)
{
	uint8_t want[HEAD_BYTES], is[HEAD_BYTES];
	int ret = read_sum(want, dir);

	if (ret == 0)
		ret = measure(is, dir);
	if (ret == 0 && memcmp(want, is, HEAD_BYTES) != 0)
		ret = err_set(ERR_DAMAGED, "%s: is not what was closed", dir);
	return ret;
}

int
indexsum_forget(const char *dir)
{
	char *path = fs_join(dir, "sum");
	int ret = 0;

	if (path == NULL)
		return ERR_NOMEM;
	if (unlink(path) != 0 && errno != ENOENT)
		ret = err_errno(ERR_IO, "%s: cannot remove", path);
	free(path);
	return ret;
}

int
indexsum_note(const char *dir)
{
	uint8_t sum[SUM_BYTES];
	char *path;
	int ret = measure(sum, dir);

	if (ret != 0)
		return ret < 0 ? ret : 0;
	hash_bytes(sum + HEAD_BYTES, sum, HEAD_BYTES);
	path = fs_join(dir, "sum");
	if (path == NULL)
		return ERR_NOMEM;
	ret = fs_write_file(AT_FDCWD, path, sum, sizeof(sum), 0600, FS_NOSYNC);
	free(path);
	return ret;
}
