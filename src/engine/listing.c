#include "engine/listing.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/limits.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES (64u << 10)
#define RUN_BYTES (32u << 10) /* read ahead in each run */

/*
 * A packed name: type u8, length u8, name, NUL.  In memory and in the
 * temporary file alike.
 */
#define HEAD_BYTES 2u
#define PACKED_BYTES_MAX (HEAD_BYTES + LIMIT_NAME_BYTES + 1)

/* A sorted run in the temporary file. */
struct run {
	uint64_t at; /* of what is not in `data` yet */
	uint64_t end;
	size_t pos, len; /* of what is in `data` */
	uint8_t *data; /* RUN_BYTES */
};

struct listing {
	struct buf names; /* packed */
	struct buf order; /* const uint8_t * each */
	size_t next; /* in `order` */
	size_t names_max;
	int small; /* no more than these */
	const char *temp_dir;
	int temp; /* -1: none */
	uint64_t temp_len;
	struct buf runs; /* struct run each */
	unsigned marks;
	uint8_t current[PACKED_BYTES_MAX];
};

static size_t
packed_len(const uint8_t *p)
{
	return HEAD_BYTES + p[1] + 1u;
}

static int
compare_packed(const uint8_t *a, const uint8_t *b)
{
	size_t n = a[1] < b[1] ? a[1] : b[1];
	int c = memcmp(a + HEAD_BYTES, b + HEAD_BYTES, n);

	return c != 0 ? c : (int)a[1] - (int)b[1];
}

static int
compare(const void *a, const void *b)
{
	return compare_packed(
	    *(const uint8_t *const *)a, *(const uint8_t *const *)b);
}

static size_t
count_held(const struct listing *l)
{
	return l->order.len / sizeof(uint8_t *);
}

/*
 * While names are collected `order` holds offsets, since `names` moves as it
 * grows; here they become pointers.
 */
static void
sort_names(struct listing *l)
{
	size_t i, n = count_held(l);
	uint8_t **order = (uint8_t **)(void *)l->order.data;
	uintptr_t offset;

	for (i = 0; i < n; i++) {
		memcpy(&offset, &order[i], sizeof(offset));
		order[i] = l->names.data + offset;
	}
	if (n > 0)
		qsort(order, n, sizeof(*order), compare);
}

/* A file without a name where it costs no memory. */
static int
open_temp(const char *dir)
{
	static const char *const places[] = {"/var/tmp", "/tmp"};
	size_t i;
	int fd = -1;

	if (dir != NULL)
		fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	for (i = 0; fd < 0 && i < 2; i++)
		fd = open(places[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(ERR_IO,
		    "cannot make a temporary file to sort a directory in");
	return fd;
}

/* Sort what is held, write it to the temporary file, forget it. */
static int
spill(struct listing *l)
{
	struct run run = {l->temp_len, l->temp_len, 0, 0, NULL};
	uint8_t **order = (uint8_t **)(void *)l->order.data;
	struct buf out = BUF_INIT;
	size_t i, n = count_held(l);
	int r = 0;

	if (l->temp < 0) {
		l->temp = open_temp(l->temp_dir);
		if (l->temp < 0)
			return l->temp;
	}
	sort_names(l);
	r = buf_reserve(&out, l->names.len);
	for (i = 0; r == 0 && i < n; i++)
		r = buf_append(&out, order[i], packed_len(order[i]));
	if (r == 0)
		r = fs_pwrite_all(l->temp, out.data, out.len, run.at);
	if (r == 0) {
		run.end = run.at + out.len;
		l->temp_len = run.end;
		r = buf_append(&l->runs, &run, sizeof(run));
	}
	buf_release(&out);
	buf_reset(&l->names);
	buf_reset(&l->order);
	return r;
}

static int
add_name(struct listing *l, unsigned char type, const char *name)
{
	size_t len = strlen(name);
	uintptr_t offset = l->names.len;
	uint8_t *p;
	int r;

	if (name[0] == '.' &&
	    (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')))
		return 0;
	if (len == 0 || len > LIMIT_NAME_BYTES)
		return err_set(ERR_SOURCE, "a name of %zu bytes", len);
	/* Both names have 12 bytes. */
	if (len == 12 && memcmp(name, LISTING_RULES_NAME, len) == 0)
		l->marks |= LISTING_RULES;
	if (len == 12 && memcmp(name, LISTING_TAG_NAME, len) == 0)
		l->marks |= LISTING_TAG;
	r = buf_extend(&p, &l->names, HEAD_BYTES + len + 1);
	if (r != 0)
		return r;
	p[0] = type;
	p[1] = (uint8_t)len;
	memcpy(p + HEAD_BYTES, name, len + 1);
	return buf_append(&l->order, &offset, sizeof(offset));
}

/* The names read so far are as many as may be held. */
static int
give_way(struct listing *l)
{
	return l->small ? 1 : spill(l);
}

static int
read_names(struct listing *l, int fd)
{
	_Alignas(struct dirent64) char data[READ_BYTES];
	ssize_t n, at;
	int r = 0;

	while (r == 0) {
		n = getdents64(fd, data, sizeof(data));
		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(
			    ERR_SOURCE, "cannot read the directory");
		for (at = 0; r == 0 && at < n;) {
			const struct dirent64 *d =
			    (const struct dirent64 *)(void *)(data + at);

			r = add_name(l, d->d_type, d->d_name);
			at += d->d_reclen;
			if (r == 0 && count_held(l) >= l->names_max)
				r = give_way(l);
		}
	}
	return r;
}

/* The first name of a run that is left, or NULL. */
static const uint8_t *
run_head(const struct run *run)
{
	return run->pos < run->len ? run->data + run->pos : NULL;
}

/* Have a whole name in `data` unless the run is at its end. */
static int
run_fill(struct run *run, int fd)
{
	size_t left = run->len - run->pos, more;
	int r;

	if (left >= PACKED_BYTES_MAX || run->at == run->end)
		return 0;
	memmove(run->data, run->data + run->pos, left);
	more = RUN_BYTES - left;
	if (more > run->end - run->at)
		more = (size_t)(run->end - run->at);
	r = fs_pread_all(fd, run->data + left, more, run->at);
	if (r != 0)
		return r < 0 ? r : err_set(ERR_IO, "a temporary file shrank");
	run->at += more;
	run->pos = 0;
	run->len = left + more;
	return 0;
}

static int
start_merge(struct listing *l)
{
	struct run *runs = (struct run *)(void *)l->runs.data;
	size_t i, n = l->runs.len / sizeof(*runs);
	int r = 0;

	for (i = 0; r == 0 && i < n; i++) {
		runs[i].data = malloc(RUN_BYTES);
		if (runs[i].data == NULL)
			return err_nomem(RUN_BYTES);
		r = run_fill(&runs[i], l->temp);
	}
	return r;
}

/* Runs are few (one per 2^17 names), so a linear look at each is enough. */
static int
next_merged(struct listing_name *out, struct listing *l)
{
	struct run *runs = (struct run *)(void *)l->runs.data;
	size_t i, n = l->runs.len / sizeof(*runs), best = n;

	for (i = 0; i < n; i++)
		if (run_head(&runs[i]) != NULL &&
		    (best == n || compare_packed(run_head(&runs[i]),
				      run_head(&runs[best])) < 0))
			best = i;
	if (best == n)
		return 1;
	memcpy(l->current, run_head(&runs[best]),
	    packed_len(run_head(&runs[best])));
	runs[best].pos += packed_len(l->current);
	out->type = l->current[0];
	out->len = l->current[1];
	out->name = (const char *)l->current + HEAD_BYTES;
	return run_fill(&runs[best], l->temp);
}

static int new (struct listing **out, int fd, const char *temp_dir,
    size_t names_max, int small)
{
	struct listing *l = calloc(1, sizeof(*l));
	int r;

	if (l == NULL)
		return err_nomem(sizeof(*l));
	l->temp = -1;
	l->names_max = names_max;
	l->small = small;
	l->temp_dir = temp_dir;
	r = read_names(l, fd);
	if (r == 0 && l->runs.len > 0) {
		if (count_held(l) > 0)
			r = spill(l);
		buf_release(&l->names);
		buf_release(&l->order);
		if (r == 0)
			r = start_merge(l);
	} else if (r == 0) {
		sort_names(l);
	}
	if (r != 0) {
		listing_free(l);
		return r;
	}
	*out = l;
	return 0;
}

int
listing_new(
    struct listing **out, int fd, const char *temp_dir, size_t names_max)
{
	assert(names_max >= 2);
	return new (out, fd, temp_dir, names_max, 0);
}

int
listing_new_small(struct listing **out, int fd, size_t names_max)
{
	return new (out, fd, NULL, names_max + 1, 1);
}

void
listing_free(struct listing *l)
{
	struct run *runs;
	size_t i;

	if (l == NULL)
		return;
	runs = (struct run *)(void *)l->runs.data;
	for (i = 0; i < l->runs.len / sizeof(*runs); i++)
		free(runs[i].data);
	buf_release(&l->runs);
	buf_release(&l->names);
	buf_release(&l->order);
	if (l->temp >= 0)
		(void)close(l->temp); /* nothing in it is kept */
	free(l);
}

size_t
listing_held(const struct listing *l)
{
	return count_held(l);
}

unsigned
listing_marks(const struct listing *l)
{
	return l->marks;
}

int
listing_next(struct listing_name *out, struct listing *l)
{
	int r;

	if (l->runs.len > 0)
		return next_merged(out, l);
	r = listing_peek(out, l, l->next);
	if (r == 0)
		l->next++;
	return r;
}

size_t
listing_at(const struct listing *l)
{
	return l->next;
}

int
listing_peek(struct listing_name *out, const struct listing *l, size_t i)
{
	const uint8_t *p;

	if (l->runs.len > 0 || i >= count_held(l))
		return 1;
	p = ((uint8_t **)(void *)l->order.data)[i];
	out->type = p[0];
	out->len = p[1];
	out->name = (const char *)p + HEAD_BYTES;
	return 0;
}
