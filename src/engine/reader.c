#include "engine/reader.h"

#include "base/err.h"
#include "base/limits.h"
#include "engine/asker.h"
#include "engine/large.h"
#include "engine/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A file of the kernel's own may hold more than its size says. */
#define ODD_BYTES 4096u

/*
 * Append the content to `data`.  Returns 0; 1 when it reaches `len_max`;
 * ERR_SOURCE with errno; ERR_NOMEM.
 */
static int
read_content(struct buf *data, int fd, size_t size, size_t len_max)
{
	size_t before = data->len, room, total;
	ssize_t n;
	int r;

	for (;;) {
		total = data->len - before;
		room = total < size ? size - total + 1 : ODD_BYTES;
		r = buf_reserve(data, room);
		if (r != 0)
			return r;
		n = read(fd, data->data + data->len, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_SOURCE;
		data->len += (size_t)n;
		total += (size_t)n;
		if (total >= len_max)
			return 1;
		/* A file on a disk gives less than asked for at its end. */
		if (n == 0 || (total == size && (size_t)n < room))
			return 0;
	}
}

static int
has_holes(int fd, const struct stat *st)
{
	off_t hole;

	if ((uint64_t)st->st_blocks * 512 >= (uint64_t)st->st_size)
		return 0;
	hole = lseek(fd, 0, SEEK_HOLE);
	return hole >= 0 && hole < st->st_size && lseek(fd, 0, SEEK_SET) == 0;
}

/* Address and location of the content, which begins at `at`. */
static int
place_small(struct block *b, struct slot *s, size_t at)
{
	struct buf *data = block_data(b, s), *extra = block_extra(b, s);
	size_t len = data->len - at;
	int r = 0;

	hash_bytes(s->address, data->data + at, len);
	s->size = len;
	s->state = SLOT_READY;
	if (len == 0) {
		s->location = ENTRY_AT_NONE;
	} else if (len <= ENTRY_INLINE_BYTES) {
		s->location = ENTRY_AT_INLINE;
		s->data = (uint32_t)extra->len;
		r = buf_append(extra, data->data + at, len);
		data->len = at;
	} else {
		s->location = ENTRY_AT_BUNDLE;
		s->data = (uint32_t)at;
		s->state = SLOT_LAY;
	}
	return r;
}

/*
 * Read the open file once.  Returns 0; 1 large, 2 given up, 3 it changed;
 * ERR_NOMEM.
 */
static int
read_once(struct worker *w, struct block *b, struct slot *s, int fd,
    const struct stat *before)
{
	struct run *run = w->run;
	struct buf *data = block_data(b, s);
	struct stat after;
	size_t at = data->len;
	int r;

	r = read_content(data, fd, (size_t)before->st_size, run->small_bytes);
	if (r == ERR_SOURCE || (r >= 0 && fstat(fd, &after) != 0)) {
		source_give_up(w, b, s, errno);
		data->len = at;
		return 2;
	}
	if (r < 0)
		return r;
	source_fill(s, run, &after);
	if (r == 1 && source_same(before, &after)) {
		(void)err_set(ERR_SOURCE, "is larger than it says");
		source_give_up(w, b, s, 0);
		data->len = at;
		return 2;
	}
	if (r == 1) {
		data->len = at;
		return 1;
	}
	(void)atomic_fetch_add(&run->notes.counts->bytes_read, data->len - at);
	r = place_small(b, s, at);
	if (r != 0)
		return r;
	return source_same(before, &after) ? 0 : 3;
}

int
reader_small(struct worker *w, struct block *b, struct slot *s)
{
	struct notes_counts *counts = w->run->notes.counts;
	struct stat st;
	int tries, fd, r = 0;

	for (tries = 0; tries < 2; tries++) {
		if (source_open(&fd, &st, w, b, s) != 0)
			return 0;
		if ((uint64_t)st.st_size >= w->run->small_bytes ||
		    has_holes(fd, &st))
			r = 1;
		else
			r = read_once(w, b, s, fd, &st);
		if (r == 0 || r == 3) {
			int r2 = source_xattrs(w, b, s, fd);

			r = r2 != 0 ? r2 : r;
		}
		(void)close(fd); /* only read from */
		if (r != 3)
			break;
	}
	if (r == 3) {
		s->flags |= ENTRY_UNSTABLE;
		(void)atomic_fetch_add(&counts->unstable, 1);
		notes_say(&w->run->notes, s->dir, block_name(b, s), s->name_len,
		    "changed while it was read, twice");
	}
	if (r == 0 || r == 2 || r == 3)
		(void)atomic_fetch_add(&counts->files_read, 1);
	return r == 1 || r < 0 ? r : 0;
}

static int
read_symlink(struct worker *w, struct block *b, struct slot *s)
{
	struct buf *extra = block_extra(b, s);
	char target[LIMIT_TARGET_BYTES + 1];
	ssize_t n;

	n = readlinkat(s->dir->fd, block_name(b, s), target, sizeof(target));
	if (n < 0) {
		source_give_up(w, b, s, errno);
		return 0;
	}
	if (n == 0 || n > (ssize_t)LIMIT_TARGET_BYTES) {
		(void)err_set(ERR_SOURCE, "has a target of %zd bytes", n);
		source_give_up(w, b, s, 0);
		return 0;
	}
	s->size = (uint64_t)n;
	s->location = ENTRY_AT_TARGET;
	s->data = (uint32_t)extra->len;
	address_symlink(s->address, target, (size_t)n);
	return buf_append(extra, target, (size_t)n);
}

static int
read_slot(struct worker *w, struct block *b, struct slot *s)
{
	int r = 0;

	switch ((enum address_kind)s->kind) {
	case ADDRESS_FILE:
		r = reader_small(w, b, s);
		return r == 1 ? large_read(w, b, s) : r;
	case ADDRESS_DIR:
		return 0;
	case ADDRESS_SYMLINK:
		r = read_symlink(w, b, s);
		break;
	case ADDRESS_FIFO:
		s->size = 0;
		address_fifo(s->address);
		s->location = ENTRY_AT_NONE;
		break;
	case ADDRESS_CHARDEV:
	case ADDRESS_BLOCKDEV:
		s->size = 0;
		address_device(s->address, s->major, s->minor);
		s->location = ENTRY_AT_DEVICE;
		break;
	}
	if (r == 0 && s->state != SLOT_GONE) {
		s->state = SLOT_READY;
		r = source_xattrs(w, b, s, -1);
	}
	return r;
}

void
reader_run(struct crew_task *task, void *context)
{
	struct block *b =
	    (struct block *)(void *)((char *)task -
				     offsetof(struct block, task));
	struct worker *w = context;
	struct run *run = w->run;
	uint32_t i;
	int r = fate_check(&run->fate);

	if (r == 0 && b->small_bytes > 0)
		r = buf_reserve(&b->data, b->small_bytes + ODD_BYTES);
	for (i = 0; r == 0 && i < b->nslots; i++) {
		struct slot *s = &b->slots[i];

		/* A large file's slot is another task's. */
		if (s->large == NULL && s->op == SLOT_ENTRY &&
		    s->state == SLOT_NEW)
			r = read_slot(w, b, s);
		if (r == 0 && (i & 31) == 31)
			r = fate_check(&run->fate);
	}
	if (r != 0)
		(void)fate_fail(&run->fate, r);
	if (r == 0 && run->asker != NULL)
		asker_submit(run->asker, b);
	else
		flow_finished(run->flow, b);
}
