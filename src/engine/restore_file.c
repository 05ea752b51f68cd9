#include "engine/restore_file.h"

#include "engine/restore_direct.h"
#include "engine/restore_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Zeros that a hole is hashed as. */
#define ZEROS_BYTES (64u << 10)
static const uint8_t zeros[ZEROS_BYTES];

static void *
copy(const void *p, size_t len)
{
	uint8_t *out = malloc(len + 1);

	if (out != NULL) {
		memcpy(out, p, len);
		out[len] = '\0';
	}
	return out;
}

/* Copy where the content is.  ERR_NOMEM. */
static int
copy_location(struct restore_file *f, const struct entry *e)
{
	f->location = e->location;
	memcpy(f->id, e->id, sizeof(f->id));
	f->member = e->member;
	f->level = e->level;
	f->major = e->major;
	f->minor = e->minor;
	if (e->location == ENTRY_AT_EXTENTS) {
		f->nextents = e->nextents;
		f->extents =
		    copy(e->extents, e->nextents * sizeof(struct extent));
		if (f->extents == NULL)
			return err_nomem(sizeof(e->extents));
	}
	if (e->location == ENTRY_AT_INLINE || e->location == ENTRY_AT_TARGET) {
		f->data = copy(e->data, (size_t)e->size);
		if (f->data == NULL)
			return err_nomem(e->size);
	}
	return 0;
}

static void
tail_init(struct restore_file *f)
{
	memset(&f->tail, 0, sizeof(f->tail));
	memset(&f->tail_piece, 0, sizeof(f->tail_piece));
	f->tail.file = f;
	f->tail.is_last = 1;
	f->tail.pieces = &f->tail_piece;
}

int
restore_file_new(struct restore_file **out, struct restore_job *job,
    struct restore_link *links, struct restore_dir *dir, const struct entry *e)
{
	struct restore_file *f = calloc(1, sizeof(*f) + e->name_len + 1);
	int rc;

	if (f == NULL)
		return err_nomem(sizeof(*f) + e->name_len + 1);
	f->job = job;
	f->links = links;
	f->dir = dir;
	f->kind = e->kind;
	f->unstable = (e->flags & ENTRY_UNSTABLE) != 0;
	f->size = e->size;
	memcpy(f->address, e->address, sizeof(f->address));
	memcpy(f->name, e->name, e->name_len);
	f->fd = -1;
	tail_init(f);
	rc = copy_location(f, e);
	if (rc == 0)
		rc = restore_meta_init(&f->meta, e);
	if (rc != 0) {
		restore_file_free(f);
		return rc;
	}
	restore_dir_add(dir);
	*out = f;
	return 0;
}

void
restore_file_free(struct restore_file *f)
{
	restore_meta_release(&f->meta);
	free(f->extents);
	free(f->data);
	free(f->own_hash);
	restore_direct_free(f->direct);
	restore_file_forget(f);
	free(f);
}

static void
failed(struct restore_file *f, const char *what)
{
	f->bad = 1;
	restore_job_failed(f->job, f->dir, f->name, what);
}

void
restore_file_damaged(struct restore_file *f, const char *why)
{
	f->bad = 1;
	restore_job_damaged(f->job, f->dir, f->name, why);
}

void
restore_file_doubt(struct restore_file *f, const char *why)
{
	/* Other places lead to no object. */
	int in_objects = f->location == ENTRY_AT_BUNDLE ||
			 f->location == ENTRY_AT_EXTENTS ||
			 f->location == ENTRY_AT_MAP;

	if (f->doubted || !in_objects) {
		restore_file_damaged(f, why);
		return;
	}
	f->bad = 1;
	f->again = 1;
}

/* Its own name, or the temporary one. */
static const char *
made_name(const struct restore_file *f)
{
	return f->replaces ? f->temp : f->name;
}

static void
begin_content(struct restore_file *f, int dirfd)
{
	f->fd = openat(dirfd, made_name(f),
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    restore_meta_create_mode(f->job, &f->meta));
	if (f->fd < 0) {
		failed(f, "make the file");
		return;
	}
	f->made = 1;
	hash_init(f->hash);
	if (f->size >= RESTORE_DIRECT_BYTES_MIN &&
	    restore_direct_new(&f->direct, f->fd, f->size) == 0)
		restore_job_direct(f->job);
	if (f->location == ENTRY_AT_INLINE)
		restore_file_write(f, f->data, (size_t)f->size);
}

/* Make a FIFO or device.  0; 1: privileges lack (counted); -1 with errno. */
static int
make_node(struct restore_file *f, int dirfd)
{
	mode_t type = f->kind == ADDRESS_FIFO      ? S_IFIFO
		      : f->kind == ADDRESS_CHARDEV ? S_IFCHR
						   : S_IFBLK;

	if (mknodat(dirfd, made_name(f), type | 0600,
		makedev(f->major, f->minor)) == 0)
		return 0;
	if (errno != EPERM || f->kind == ADDRESS_FIFO)
		return -1;
	restore_job_count(f->job, &f->job->result.lack_device, 1);
	return 1;
}

/* The address of an entry without content, from what it will be made of. */
static int
check_special(struct restore_file *f)
{
	uint8_t address[HASH_BYTES];

	if (f->kind == ADDRESS_SYMLINK)
		address_symlink(
		    address, (const char *)f->data, (size_t)f->size);
	else if (f->kind == ADDRESS_FIFO)
		address_fifo(address);
	else
		address_device(address, f->major, f->minor);
	if (memcmp(address, f->address, sizeof(address)) == 0 &&
	    (f->kind != ADDRESS_SYMLINK ||
		strlen((const char *)f->data) == f->size))
		return 0;
	restore_file_damaged(f, "its content has another address");
	return -1;
}

static void
make_special(struct restore_file *f, int dirfd)
{
	int rc;

	if (check_special(f) != 0)
		return;
	if (f->kind == ADDRESS_SYMLINK)
		rc = symlinkat((const char *)f->data, dirfd, made_name(f));
	else
		rc = make_node(f, dirfd);
	if (rc > 0) {
		f->bad = 1; /* counted */
		return;
	}
	if (rc < 0) {
		failed(f, "make it");
		return;
	}
	f->made = 1;
	restore_meta_set_at(f->job, &f->meta, dirfd, f->dir, made_name(f));
}

void
restore_file_begin(struct restore_file *f, struct hash *hash)
{
	int dirfd;

	if (hash == NULL && f->kind == ADDRESS_FILE) {
		f->own_hash =
		    aligned_alloc(_Alignof(struct hash), sizeof(struct hash));
		hash = f->own_hash;
		if (hash == NULL) {
			(void)restore_job_stop(
			    f->job, err_nomem(sizeof(*hash)));
			return;
		}
	}
	f->hash = hash;
	if (f->replaces)
		restore_dir_temp_name(f->temp);
	dirfd = restore_dir_pin(f->dir);
	if (dirfd < 0) {
		failed(f, "open its directory");
		return;
	}
	if (f->kind == ADDRESS_FILE)
		begin_content(f, dirfd);
	else
		make_special(f, dirfd);
	restore_dir_unpin(f->dir);
}

/* Returns nonzero when `len` more bytes are too many. */
static int
is_too_long(struct restore_file *f, uint64_t len)
{
	if (len <= f->size - f->at)
		return 0;
	restore_file_damaged(f, "its content is longer than it says");
	return 1;
}

/* Tell how far it is, unless it was as far before. */
static void
tell_progress(struct restore_file *f)
{
	if (f->own_hash == NULL || f->at <= f->told)
		return;
	restore_job_progress(f->job, 0, f->at - f->told);
	f->told = f->at;
}

/* Write through the page cache.  0, or -1 with errno. */
static int
write_cached(struct restore_file *f, const uint8_t *p, size_t len)
{
	uint64_t at = f->at;
	ssize_t n;

	while (len > 0) {
		n = pwrite(f->fd, p, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

void
restore_file_write(struct restore_file *f, const uint8_t *p, size_t len)
{
	int rc;

	if (is_too_long(f, len))
		return;
	hash_update(f->hash, p, len);
	rc = f->direct != NULL ? restore_direct_write(f->direct, p, len)
			       : write_cached(f, p, len);
	if (rc != 0)
		failed(f, "write it");
	f->at += len;
	f->ends_in_hole = 0;
	tell_progress(f);
}

void
restore_file_hole(struct restore_file *f, uint64_t len)
{
	size_t n;

	if (is_too_long(f, len))
		return;
	if (f->direct != NULL && restore_direct_skip(f->direct, len) != 0)
		failed(f, "write it");
	f->at += len;
	f->ends_in_hole = 1;
	tell_progress(f);
	while (len > 0 && !restore_job_stopped(f->job)) {
		n = len < ZEROS_BYTES ? (size_t)len : ZEROS_BYTES;
		hash_update(f->hash, zeros, n);
		len -= n;
	}
}

/* Everything is written: is it what it should be? */
static void
check_content(struct restore_file *f)
{
	uint8_t address[HASH_BYTES];

	hash_final(f->hash, address);
	if (f->at != f->size)
		restore_file_damaged(f, "its content is shorter than it says");
	else if (memcmp(address, f->address, sizeof(address)) != 0)
		restore_file_doubt(f, "its content has another address");
	else if (f->direct != NULL && restore_direct_end(f->direct) != 0)
		failed(f, "write it");
	else if (f->ends_in_hole && ftruncate(f->fd, (off_t)f->size) != 0)
		failed(f, "set its size");
}

/* Close the file, with its metadata unless it is bad. */
static void
close_content(struct restore_file *f, struct stat *st)
{
	if (!f->bad && fstat(f->fd, st) != 0)
		failed(f, "look at it");
	if (!f->bad)
		restore_meta_set(f->job, &f->meta, f->fd, st, f->dir, f->name);
	restore_direct_free(f->direct);
	f->direct = NULL;
	/* A network file system may tell only now that a write failed. */
	if (close(f->fd) != 0 && !f->bad)
		failed(f, "close it");
	f->fd = -1;
}

/* Take away what is not as it should be. */
static void
remove_made(struct restore_file *f)
{
	int dirfd = restore_dir_pin(f->dir);

	if (dirfd < 0 || unlinkat(dirfd, made_name(f), 0) != 0)
		restore_job_failed(
		    f->job, f->dir, f->name, "remove what is damaged");
	if (dirfd >= 0)
		restore_dir_unpin(f->dir);
}

/* It is complete: give it its name. */
static void
put_in_place(struct restore_file *f)
{
	int dirfd = restore_dir_pin(f->dir);

	if (dirfd < 0 || renameat(dirfd, f->temp, dirfd, f->name) != 0)
		failed(f, "replace what is there");
	if (dirfd >= 0)
		restore_dir_unpin(f->dir);
}

static void
count(struct restore_file *f)
{
	struct restore_result *r = &f->job->result;

	if (f->bad || !f->made)
		return;
	if (f->kind != ADDRESS_FILE) {
		restore_job_count(f->job, &r->others, 1);
		return;
	}
	restore_job_count(f->job, &r->files, 1);
	restore_job_count(f->job, &r->bytes, f->size);
	if (f->unstable)
		restore_job_count(f->job, &r->unstable, 1);
}

/* It is done, well or not: tell what was not told while it was written. */
static void
progress(struct restore_file *f)
{
	restore_job_progress(
	    f->job, 1, f->kind == ADDRESS_FILE ? f->size - f->told : 0);
}

/* Find out what a link must lead to. */
static int
look(struct restore_file *f, struct stat *st)
{
	int dirfd = restore_dir_pin(f->dir), rc;

	if (dirfd < 0)
		return -1;
	rc = fstatat(dirfd, f->name, st, AT_SYMLINK_NOFOLLOW);
	restore_dir_unpin(f->dir);
	return rc;
}

void
restore_file_start_over(struct restore_file *f)
{
	f->doubted = 1;
	f->again = f->bad = f->made = f->ends_in_hole = 0;
	f->at = 0;
	f->hash = NULL;
	free(f->own_hash);
	f->own_hash = NULL;
	tail_init(f);
}

int
restore_file_finish(struct restore_file *f)
{
	struct stat st;
	int ok;

	memset(&st, 0, sizeof(st));
	if (restore_job_stopped(f->job))
		f->bad = 1;
	if (f->fd >= 0) {
		if (!f->bad)
			check_content(f);
		close_content(f, &st);
	}
	if (f->replaces && f->made && !f->bad)
		put_in_place(f);
	if (f->bad && f->made)
		remove_made(f);
	if (f->again && !restore_job_stopped(f->job))
		return 1;
	count(f);
	ok = !f->bad && f->made;
	if (f->link_first) {
		if (ok && f->kind != ADDRESS_FILE)
			ok = look(f, &st) == 0;
		restore_link_result(
		    f->links, f->link, ok, st.st_dev, st.st_ino);
	}
	if (f->kind == ADDRESS_FILE)
		restore_sync_wrote(f->job->sync, f->size);
	progress(f);
	restore_dir_done(f->dir);
	return 0;
}

void
restore_file_forget(struct restore_file *f)
{
	if (f->fd >= 0)
		(void)close(f->fd); /* only read */
	f->fd = -1;
}

void
restore_file_keep(struct restore_file *f, const struct stat *st)
{
	int dirfd;

	if (f->fd >= 0) {
		restore_meta_set(f->job, &f->meta, f->fd, st, f->dir, f->name);
		restore_file_forget(f);
	} else if ((dirfd = restore_dir_pin(f->dir)) >= 0) {
		restore_meta_set_at(f->job, &f->meta, dirfd, f->dir, f->name);
		restore_dir_unpin(f->dir);
	}
	restore_job_count(f->job, &f->job->result.unchanged, 1);
	if (f->link_first)
		restore_link_result(
		    f->links, f->link, 1, st->st_dev, st->st_ino);
	progress(f);
	restore_dir_done(f->dir);
}

void
restore_file_linked(struct restore_file *f)
{
	f->made = 1;
	if (f->kind == ADDRESS_FILE)
		restore_job_count(f->job, &f->job->result.links, 1);
	count(f);
	progress(f);
	restore_dir_done(f->dir);
}

void
restore_file_drop(struct restore_file *f)
{
	restore_dir_done(f->dir);
}
