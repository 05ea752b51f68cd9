#include "engine/large.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/os.h"
#include "engine/ahead.h"
#include "engine/cuts.h"
#include "engine/hasher.h"
#include "engine/reader.h"
#include "engine/sealer.h"
#include "engine/source.h"
#include "object/extent.h"
#include "object/object.h"
#include "seal/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Long enough for another thread to be worth waking. */
#define READ_BYTES (1u << 20)
/* Small enough to stay in the nearest caches. */
#define ZERO_BYTES (64u << 10)

static const uint8_t zeros[ZERO_BYTES];

struct piece {
	uint8_t *p; /* with room before it: for what the last one left uncut */
	struct ahead ahead;
};

struct large {
	struct run *run;
	/*
	 * A ring of pieces of the file.  One is cut while those behind it are
	 * read and those before it are hashed, each by whoever is free: three
	 * passes of about the same length keep two processors busy only when
	 * none of them waits for its turn in each piece.
	 */
	struct piece pieces[HASHER_PIECES];
	uint64_t begun; /* pieces that were begun to be read */
	uint64_t joined; /* of them, those that have been in the window */
	uint64_t at; /* of the file: where the next one to begin starts */
	size_t room;
	uint8_t *data; /* window of the file: what is not cut */
	size_t len;
	size_t passed; /* of it, without a cut */
	struct hasher hasher;
	struct extent_writer *extents; /* NULL in a scan */
	struct worker *worker; /* it belongs to */
	struct cuts *cuts;
	struct object chunk;
};

void
large_free(struct large *l)
{
	unsigned i;

	if (l == NULL)
		return;
	for (i = 0; i < HASHER_PIECES; i++) {
		ahead_release(&l->pieces[i].ahead);
		free(l->pieces[i].p);
	}
	hasher_release(&l->hasher);
	extent_writer_free(l->extents);
	cuts_free(l->cuts);
	object_release(&l->chunk);
	free(l);
}

/* `arg`: a worker. */
static int
emit_map(void *arg, struct object *o)
{
	struct worker *w = arg;

	return sealer_offer(w->run->sealer, o, w);
}

static int
large_new(struct large **out, struct worker *w)
{
	/* The state of a hash is aligned to more than malloc() does. */
	struct large *l = aligned_alloc(_Alignof(struct large), sizeof(*l));
	struct piece *p;
	int r = 0;

	if (l == NULL)
		return err_nomem(sizeof(*l));
	memset(l, 0, sizeof(*l));
	object_init(&l->chunk, OBJECT_CHUNK);
	hasher_init(&l->hasher, w->run->crew);
	l->run = w->run;
	l->worker = w;
	/* What chunker_cut() leaves is shorter than the longest chunk. */
	if (w->run->store != NULL)
		l->room = w->run->chunker.max_bytes;
	for (p = l->pieces; p < l->pieces + HASHER_PIECES; p++) {
		ahead_init(&p->ahead, w->run->crew);
		p->p = malloc(l->room + READ_BYTES);
		if (p->p == NULL)
			r = err_nomem(l->room + READ_BYTES);
	}
	if (r == 0 && w->run->store != NULL)
		r = extent_writer_new(&l->extents, emit_map, w);
	if (r == 0 && w->run->store != NULL)
		r = cuts_new(&l->cuts, w->run);
	if (r != 0) {
		large_free(l);
		return r;
	}
	*out = l;
	return 0;
}

static int
add_chunk(struct large *l, const uint8_t *p, size_t len)
{
	struct extent e = {.hole = 0, .length = len};
	int r;

	object_reset(&l->chunk, OBJECT_CHUNK);
	r = buf_append(&l->chunk.payload, p, len);
	if (r == 0)
		r = sealer_offer(l->run->sealer, &l->chunk, l->worker);
	if (r != 0)
		return r;
	memcpy(e.id, l->chunk.id, OBJECT_ID_BYTES);
	cuts_note(l->cuts, e.id, len);
	return extent_writer_add(l->extents, &e);
}

/* Cut what is in the window; the rest stays. */
static int
cut(struct large *l, int final)
{
	struct extent e = {.hole = 0};
	enum cuts_answer known;
	size_t at = 0, n;
	int r;

	if (l->extents == NULL)
		at = l->len;
	while (at < l->len) {
		known = cuts_try(
		    &n, e.id, l->cuts, l->data + at, l->len - at, final);
		if (known == CUTS_MORE)
			break;
		if (known == CUTS_FOUND) {
			e.length = n;
			r = extent_writer_add(l->extents, &e);
			if (r != 0)
				return r;
			at += n;
			l->passed = 0;
			continue;
		}
		n = chunker_cut(&l->run->chunker, &l->passed, l->data + at,
		    l->len - at, final);
		if (n == 0)
			break;
		r = add_chunk(l, l->data + at, n);
		if (r != 0)
			return r;
		at += n;
	}
	l->data += at;
	l->len -= at;
	return 0;
}

static struct piece *
piece(struct large *l, uint64_t number)
{
	return &l->pieces[number % HASHER_PIECES];
}

/*
 * Begin to read, up to `end`, into every piece that is free: what it held is
 * hashed, and it is not the one that the window is in.
 */
static void
read_ahead(struct large *l, int fd, uint64_t end)
{
	unsigned busy = hasher_pending(&l->hasher);
	struct piece *p;
	size_t want;

	if (busy == 0 && l->len > 0)
		busy = 1;
	while (l->at < end && l->begun < l->joined - busy + HASHER_PIECES) {
		want = end - l->at < READ_BYTES ? (size_t)(end - l->at)
						: READ_BYTES;
		p = piece(l, l->begun++);
		ahead_begin(&p->ahead, p->p + l->room, want, fd, l->at);
		l->at += want;
	}
}

/* Give up what was begun and has not joined. */
static void
read_no_more(struct large *l)
{
	while (l->begun > l->joined)
		(void)ahead_wait(&piece(l, --l->begun)->ahead);
}

/*
 * The next piece joins the window; `*at` becomes where it ends.  Returns 0, 1
 * at the end of the file, or ERR_SOURCE with errno set.
 */
static int
join(uint64_t *at, struct large *l)
{
	struct piece *next = piece(l, l->joined);
	ssize_t n = ahead_wait(&next->ahead);
	uint8_t *p = next->p + l->room;

	l->joined++;
	if (n < 0)
		return ERR_SOURCE;
	*at += (uint64_t)n;
	if ((size_t)n < next->ahead.len) {
		read_no_more(l); /* they begin somewhere else now */
		l->at = *at;
	}
	hasher_add(&l->hasher, p, (size_t)n);
	if (l->len > 0)
		memcpy(p - l->len, l->data, l->len);
	l->data = p - l->len;
	l->len += (size_t)n;
	(void)atomic_fetch_add(&l->run->notes.counts->bytes_read, (uint64_t)n);
	return n == 0;
}

/*
 * Read the data between `*pos` and `end`.  `*pos` becomes where it really
 * ends.  ERR_SOURCE with errno set.
 */
static int
read_data(struct large *l, int fd, uint64_t *pos, uint64_t end)
{
	int r;

	l->at = *pos;
	l->len = 0;
	l->passed = 0;
	do {
		/* At least one piece must be free. */
		if (l->begun == l->joined)
			hasher_wait(&l->hasher, HASHER_PIECES - 1);
		read_ahead(l, fd, end);
		r = join(pos, l);
		if (r < 0)
			return r;
		if (r == 1)
			end = *pos;
		r = fate_check(&l->run->fate);
		if (r == 0)
			r = cut(l, *pos == end);
		if (r != 0)
			return r;
	} while (*pos < end);
	return 0;
}

static int
add_hole(struct large *l, uint64_t len)
{
	struct extent e = {.hole = 1, .length = len};
	uint64_t left;
	unsigned i;
	size_t n;
	int r;

	for (left = len, i = 0; left > 0; left -= n, i++) {
		n = left < ZERO_BYTES ? (size_t)left : ZERO_BYTES;
		hasher_add(&l->hasher, zeros, n);
		r = i % 64 == 0 ? fate_check(&l->run->fate) : 0;
		if (r != 0)
			return r;
	}
	if (l->extents == NULL)
		return 0;
	cuts_hole(l->cuts, len);
	return extent_writer_add(l->extents, &e);
}

/*
 * A stretch of data at or behind `pos`; `size` when there is none.  Zeros that
 * were only reserved are data, too: they have their place on the disk.
 */
static void
next_stretch(
    uint64_t *begin, uint64_t *end, int fd, uint64_t pos, uint64_t size)
{
	off_t at = lseek(fd, (off_t)pos, SEEK_DATA);
	uint64_t from, to;

	*end = size;
	*begin = pos;
	if (at < 0 && errno == ENXIO)
		*begin = size;
	else if (at >= 0)
		*begin = (uint64_t)at < size ? (uint64_t)at : size;
	if (*begin > pos && os_next_extent(&from, &to, fd, pos) == 0 &&
	    from < *begin && to > pos) {
		*end = to < *begin ? to : *begin;
		*begin = from > pos ? from : pos;
		return;
	}
	if (*begin == size)
		return;
	at = lseek(fd, (off_t)*begin, SEEK_HOLE);
	if (at > (off_t)*begin && (uint64_t)at < size)
		*end = (uint64_t)at;
}

/* Where the data at or behind `pos` begins, and the next hole behind it. */
static void
next_data(uint64_t *begin, uint64_t *end, int fd, uint64_t pos, uint64_t size)
{
	uint64_t from, to;

	next_stretch(begin, end, fd, pos, size);
	while (*end < size) {
		next_stretch(&from, &to, fd, *end, size);
		if (from > *end)
			break;
		*end = to;
	}
}

/*
 * Read the file once; `*size` becomes what was read.  Only a file with fewer
 * blocks than bytes is looked through for holes, so that zeros that have
 * their place on the disk stay data.
 */
static int
read_content(uint64_t *size, struct large *l, int fd, const struct stat *st)
{
	uint64_t pos = 0, begin, end, expected = (uint64_t)st->st_size;
	int sparse = (uint64_t)st->st_blocks * 512 < expected;
	int r = 0, saved;

	hasher_begin(&l->hasher);
	if (l->extents != NULL)
		extent_writer_reset(l->extents);
	while (r == 0 && pos < expected) {
		begin = pos;
		end = expected;
		if (sparse)
			next_data(&begin, &end, fd, pos, expected);
		if (begin > pos) {
			r = add_hole(l, begin - pos);
			pos = begin;
			continue;
		}
		r = read_data(l, fd, &pos, end);
		if (pos < end)
			break; /* it has become shorter */
	}
	saved = errno;
	hasher_wait(&l->hasher, 0); /* an error left them at work */
	read_no_more(l);
	errno = saved;
	*size = pos;
	return r;
}

/* Take over the result into the slot. */
static int
place(struct large *l, struct slot *s, uint64_t size)
{
	struct extent_result res;
	size_t bytes;
	int r;

	hasher_final(&l->hasher, s->address);
	s->size = size;
	s->state = SLOT_READY;
	s->location = ENTRY_AT_NONE;
	if (l->extents == NULL || size == 0)
		return 0;
	r = extent_writer_finish(&res, l->extents);
	if (r != 0)
		return r;
	if (res.count == 0) {
		s->location = ENTRY_AT_MAP;
		s->level = res.level;
		memcpy(s->id, res.map, OBJECT_ID_BYTES);
		return 0;
	}
	bytes = res.count * sizeof(struct extent);
	free(s->large->extents);
	s->large->extents = malloc(bytes);
	if (s->large->extents == NULL)
		return err_nomem(bytes);
	memcpy(s->large->extents, res.list, bytes);
	s->large->nextents = res.count;
	s->location = ENTRY_AT_EXTENTS;
	return 0;
}

static int
is_small(const struct run *run, int fd, const struct stat *st)
{
	off_t hole;

	if ((uint64_t)st->st_size >= run->small_bytes)
		return 0;
	if ((uint64_t)st->st_blocks * 512 >= (uint64_t)st->st_size)
		return 1;
	hole = lseek(fd, 0, SEEK_HOLE);
	return hole < 0 || hole >= st->st_size;
}

/*
 * One attempt.  Returns 0; 1 the file is small by now; 2 given up; 3 it
 * changed; errors as large_read().
 */
static int
read_once(struct worker *w, struct block *b, struct slot *s)
{
	struct large *l = w->large;
	struct stat st, after;
	uint64_t size;
	int fd, r;

	if (source_open(&fd, &st, w, b, s) != 0)
		return 2;
	if (is_small(w->run, fd, &st)) {
		(void)close(fd); /* only read from */
		return 1;
	}
	if (l->cuts != NULL)
		cuts_begin(
		    l->cuts, s->old ? block_old_leaf(b, s) : NULL, s->old);
	r = read_content(&size, l, fd, &st);
	if (r == ERR_SOURCE || (r == 0 && fstat(fd, &after) != 0)) {
		source_give_up(w, b, s, errno);
		r = 2;
	} else if (r == 0) {
		source_fill(s, w->run, &after);
		r = place(l, s, size);
		if (r == 0)
			r = source_xattrs(w, b, s, fd);
		if (r == 0 && !source_same(&st, &after))
			r = 3;
	}
	(void)close(fd); /* only read from */
	return r;
}

int
large_read(struct worker *w, struct block *b, struct slot *s)
{
	struct notes_counts *counts = w->run->notes.counts;
	int tries, r = 0;

	if (w->large == NULL)
		r = large_new(&w->large, w);
	if (r == 0 && s->large == NULL)
		r = block_make_large(b, s);
	if (r != 0)
		return r;
	for (tries = 0; tries < 2; tries++) {
		r = read_once(w, b, s);
		if (r == 1) {
			r = reader_small(w, b, s);
			if (r == 0 && s->state == SLOT_LAY &&
			    w->run->store != NULL)
				object_file_id(
				    s->id, w->run->keys->file, s->address);
			if (r <= 0)
				return r;
		}
		if (r != 3)
			break;
	}
	if (r < 0)
		return r;
	if (r == 1) {
		(void)err_set(ERR_SOURCE, "changes its size all the time");
		source_give_up(w, b, s, 0);
		return 0;
	}
	(void)atomic_fetch_add(&counts->files_read, 1);
	if (r == 3) {
		s->flags |= ENTRY_UNSTABLE;
		(void)atomic_fetch_add(&counts->unstable, 1);
		notes_say(&w->run->notes, s->dir, block_name(b, s), s->name_len,
		    "changed while it was read, twice");
	}
	return 0;
}

void
large_run(struct crew_task *task, void *context)
{
	struct slot_large *l =
	    (struct slot_large *)(void *)((char *)task -
					  offsetof(struct slot_large, task));
	struct worker *w = context;
	struct run *run = w->run;
	struct block *b = l->block;
	int r = fate_check(&run->fate);

	if (r == 0)
		r = large_read(w, b, l->slot);
	if (r != 0)
		(void)fate_fail(&run->fate, r);
	flow_finished(run->flow, b);
}
