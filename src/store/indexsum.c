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
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_BYTES (8 + HASH_BYTES)
#define SUM_BYTES (HEAD_BYTES + HASH_BYTES)
#define UNCLOSED "unclosed"
#define PIECE_BYTES ((size_t)1 << 20)

static int
remove_file(const char *dir, const char *name)
{
	char *path = fs_join(dir, name);
	int ret = 0;

	if (path == NULL)
		return ERR_NOMEM;
	if (unlink(path) != 0 && errno != ENOENT)
		ret = err_errno(ERR_IO, "%s: cannot remove", path);
	free(path);
	return ret;
}

static int
write_file(const char *dir, const char *name, const void *p, size_t len)
{
	char *path = fs_join(dir, name);
	int ret = ERR_NOMEM;

	if (path != NULL)
		ret = fs_write_file(AT_FDCWD, path, p, len, 0600, FS_NOSYNC);
	free(path);
	return ret;
}

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

/* There is no sum.  Returns 1, or ERR_DAMAGED the second time. */
static int
check_unclosed(const char *dir)
{
	char *path = fs_join(dir, UNCLOSED);
	int there;

	if (path == NULL)
		return ERR_NOMEM;
	there = access(path, F_OK) == 0;
	free(path);
	return !there ? 1
		      : err_set(
			    ERR_DAMAGED, "%s: not closed, twice in a row", dir);
}

/* LMDB's other file holds nothing, but must be one. */
static int
check_lock(const char *dir)
{
	char *path = fs_join(dir, KV_LOCK_NAME);
	struct stat st;
	int bad;

	if (path == NULL)
		return ERR_NOMEM;
	bad = lstat(path, &st) == 0 && !S_ISREG(st.st_mode);
	if (bad)
		(void)err_set(ERR_DAMAGED, "%s: is no file", path); /* below */
	free(path);
	return bad ? ERR_DAMAGED : 0;
}

/* As indexsum_look(); `*unclosed` when it was not closed. */
static int
compare(int *unclosed, const char *dir)
{
	uint8_t want[HEAD_BYTES], is[HEAD_BYTES];
	int ret = check_lock(dir);

	*unclosed = 0;
	if (ret == 0)
		ret = measure(is, dir);
	if (ret != 0)
		return ret;
	ret = read_sum(want, dir);
	if (ret == 1) {
		*unclosed = 1;
		return check_unclosed(dir);
	}
	if (ret == 0 && memcmp(want, is, HEAD_BYTES) != 0)
		ret = err_set(ERR_DAMAGED, "%s: is not what was closed", dir);
	return ret;
}

int
indexsum_look(const char *dir)
{
	int unclosed;

	return compare(&unclosed, dir);
}

int
indexsum_check(const char *dir)
{
	int unclosed, ret = compare(&unclosed, dir);

	/* Where it cannot be written the next one tries again. */
	if (ret == 1 && unclosed)
		(void)write_file(dir, UNCLOSED, "", 0);
	return ret;
}

int
indexsum_forget(const char *dir)
{
	return remove_file(dir, "sum");
}

int
indexsum_note(const char *dir)
{
	uint8_t sum[SUM_BYTES];
	int ret = measure(sum, dir);

	if (ret != 0)
		return ret < 0 ? ret : 0;
	hash_bytes(sum + HEAD_BYTES, sum, HEAD_BYTES);
	ret = write_file(dir, "sum", sum, sizeof(sum));
	return ret == 0 ? remove_file(dir, UNCLOSED) : ret;
}

void
indexsum_spoil(const char *dir)
{
	/* What cannot be written either is met again, and spoilt again. */
	(void)remove_file(dir, "sum");
	(void)write_file(dir, UNCLOSED, "", 0);
}
