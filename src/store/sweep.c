#include "store/sweep.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "store/compact.h"
#include "store/discard.h"
#include "store/guard.h"
#include "store/index.h"
#include "store/mark.h"
#include "store/session.h"
#include "store/tally.h"
#include "store/vault.h"

#include <stdlib.h>
#include <string.h>

/* Numbers, or rows, that are looked up at once and then changed. */
#define BATCH 1024u
/* Rows of file ids that are looked at while packs wait for the index. */
#define FILES_MAX 262144u

struct victim {
	uint8_t name[32];
	uint64_t size;
};

struct sweep {
	struct sweep_options o;
	struct vault *v;
	enum sweep_state state;
	struct mark mark; /* of the last LEAVE */
	struct buf victims; /* struct victim */
	size_t next_victim;
	struct compact compact;
	uint8_t file_at[32]; /* FILES goes on behind this one */
	uint64_t before; /* WAIT: sessions numbered below this */
	int lent; /* the guard's reserve is ours */
	struct sweep_counts n;
};

int
sweep_new(struct sweep **out, const struct sweep_options *o)
{
	struct sweep *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_nomem(sizeof(*s));
	s->o = *o;
	s->v = o->vault;
	mark_init(&s->mark);
	*out = s;
	return 0;
}

static void
give_back(struct sweep *s)
{
	if (s->lent)
		guard_restore(s->v->guard);
	s->lent = 0;
}

void
sweep_free(struct sweep *s)
{
	if (s == NULL)
		return;
	give_back(s);
	mark_release(&s->mark);
	buf_release(&s->victims);
	compact_release(&s->compact);
	free(s);
}

enum sweep_state
sweep_state(const struct sweep *s)
{
	return s->state;
}

void
sweep_counts(struct sweep_counts *out, const struct sweep *s)
{
	*out = s->n;
}

static int
refuse_unknown(const struct sweep *s, const struct mark *m)
{
	if (m->unknown == 0 || s->o.give_up_lost)
		return 0;
	return err_set(ERR_DAMAGED,
	    "nobody can tell what %llu damaged or lost thing%s need%s, so "
	    "nothing is deleted; the first is %s: back up, or put it back from "
	    "a copy; --give_up_lost sweeps without",
	    (unsigned long long)m->unknown, m->unknown == 1 ? "" : "s",
	    m->unknown == 1 ? "s" : "", m->first);
}

/* Up to BATCH numbers below `*at` that nobody needs, the highest first. */
static int
list_dead(
    struct buf *out, uint32_t *at, struct index_txn *t, const struct mark *m)
{
	struct kv_slice key, value;
	struct kv_cursor *c;
	uint32_t num;
	int ret = kv_cursor_open(&c, t->kv, INDEX_NUM);

	if (ret < 0)
		return ret;
	buf_reset(out);
	ret = kv_cursor_seek(&key, &value, c, at, sizeof(*at));
	ret = ret == 0   ? kv_cursor_prev(&key, &value, c)
	      : ret == 1 ? kv_cursor_last(&key, &value, c)
			 : ret;
	while (ret == 0 && out->len < BATCH * sizeof(num)) {
		memcpy(&num, key.data, sizeof(num));
		*at = num;
		if (!mark_has_number(m, num))
			ret = buf_append(out, &num, sizeof(num));
		if (ret == 0)
			ret = kv_cursor_prev(&key, &value, c);
	}
	kv_cursor_close(c);
	return ret < 0 ? ret : 0;
}

/* Nonzero when one of the objects numbered from `from` on, which came since
 * the marking, needs what is about to leave. */
static int
is_used_again(struct index_txn *t, const struct mark *m, uint32_t from)
{
	struct kv_slice key, value;
	struct kv_cursor *c;
	uint32_t ref;
	size_t i;
	int ret = kv_cursor_open(&c, t->kv, INDEX_REFS), used = 0;

	if (ret < 0)
		return ret;
	for (ret = kv_cursor_seek(&key, &value, c, &from, sizeof(from));
	     ret == 0 && !used; ret = kv_cursor_next(&key, &value, c)) {
		if (value.len % sizeof(ref) != 0) {
			ret = index_is_damaged();
			break;
		}
		for (i = 0; i < value.len; i += sizeof(ref)) {
			memcpy(
			    &ref, (const uint8_t *)value.data + i, sizeof(ref));
			used |= !mark_has_number(m, ref);
		}
	}
	kv_cursor_close(c);
	return ret < 0 ? ret : used;
}

/*
 * Take dead numbers out, from the highest down: what refers to an object has a
 * higher number than it, so `have` is closed after each commit.  Returns 0
 * when none is left; 1 when there is more; ERR_*.
 */
static int
leave(struct sweep *s, struct index_txn *t)
{
	struct buf dead = BUF_INIT;
	uint32_t at = s->mark.n, num, left = 0, known = t->next_num;
	size_t i;
	int ret = 0;

	do {
		ret = list_dead(&dead, &at, t, &s->mark);
		for (i = 0; i < dead.len && ret >= 0; i += sizeof(num)) {
			memcpy(&num, dead.data + i, sizeof(num));
			ret = index_retire(t, num);
			if (ret >= 0)
				ret = index_step(t);
			/* A pack may have come in between. */
			if (ret == 1 && t->next_num != known) {
				ret = is_used_again(t, &s->mark, known);
				known = t->next_num;
				if (ret == 1)
					goto out;
			}
			left++;
		}
		if (ret >= 0)
			ret = left >= SWEEP_LEAVE_MAX;
	} while (ret == 0 && dead.len > 0);
out:
	buf_release(&dead);
	return ret;
}

/* Packs of which nothing is needed where the index says it is. */
static int
plan(struct sweep *s, const struct tally *y)
{
	const struct tally_pack *p = (const void *)y->packs.data;
	size_t i, n = y->packs.len / sizeof(*p);
	struct victim add;
	int ret = 0;

	s->n.bytes = y->bytes;
	s->n.dead = y->dead;
	buf_reset(&s->victims);
	for (i = 0; i < n && ret == 0; i++) {
		if (p[i].keep || p[i].live > 0)
			continue;
		memcpy(add.name, p[i].p.name, sizeof(add.name));
		add.size = p[i].p.size;
		s->n.dead_packs++;
		s->n.dead_bytes += add.size;
		ret = buf_append(&s->victims, &add, sizeof(add));
	}
	if (ret == 0 && !s->o.dry_run)
		ret = compact_choose(&s->compact, y, s->o.copy_bytes_max);
	return ret;
}

/* Count, once nothing more leaves; with v->change. */
static int
count(struct sweep *s)
{
	struct tally y = {0};
	struct index_txn t;
	int ret = index_begin(&t, s->v->index, 0);

	if (ret < 0)
		return ret;
	ret = tally_make(&y, &t, &s->mark);
	if (ret == 0)
		ret = plan(s, &y);
	tally_release(&y);
	index_abort(&t);
	return ret;
}

static int
mark(struct sweep *s, struct index_txn *t)
{
	int ret;

	mark_release(&s->mark);
	ret = mark_all(&s->mark, s->v, t);
	s->n.snapshots = s->mark.snapshots;
	return ret == 0 ? refuse_unknown(s, &s->mark) : ret;
}

static int
do_leave(struct sweep *s)
{
	struct index_txn t;
	int ret;

	pool_lock_enter(&s->v->change);
	ret = index_begin(&t, s->v->index, !s->o.dry_run);
	if (ret < 0)
		goto out;
	ret = mark(s, &t);
	if (ret == 0 && !s->o.dry_run)
		ret = leave(s, &t);
	if (ret >= 0 && !s->o.dry_run) {
		int more = ret;

		ret = index_commit(&t);
		if (ret == 0)
			ret = more;
	}
	index_abort(&t);
	if (ret == 0)
		ret = count(s);
out:
	pool_lock_leave(&s->v->change);
	if (ret != 0)
		return ret < 0 ? ret : SWEEP_MORE;
	s->state = s->o.dry_run ? SWEEP_DONE : SWEEP_FILES;
	return s->o.dry_run ? 0 : SWEEP_MORE;
}

/* File ids whose bundle left, from `file_at` on: at most BATCH of them.
 * Returns 0; 1 when the end was reached; ERR_*. */
static int
list_files(struct buf *out, struct sweep *s, struct index_txn *t)
{
	struct kv_slice key, value;
	struct kv_cursor *c;
	uint32_t n = 0;
	int ret = kv_cursor_open(&c, t->kv, INDEX_FILE);

	if (ret < 0)
		return ret;
	for (ret = kv_cursor_seek(
		 &key, &value, c, s->file_at, sizeof(s->file_at));
	     ret == 0 && out->len < (size_t)BATCH * 32 && n < FILES_MAX;
	     ret = kv_cursor_next(&key, &value, c), n++) {
		if (key.len != 32)
			continue;
		memcpy(s->file_at, key.data, 32);
		if (value.len < 4 ||
		    !mark_has_number(&s->mark, bytes_get32(value.data)))
			ret = buf_append(out, key.data, 32);
		if (ret < 0)
			break;
	}
	kv_cursor_close(c);
	return ret;
}

static int
do_files(struct sweep *s)
{
	struct buf stale = BUF_INIT;
	struct index_txn t;
	size_t i;
	int ret = index_begin(&t, s->v->index, 1), end;

	if (ret < 0)
		return ret;
	ret = list_files(&stale, s, &t);
	end = ret == 1;
	for (i = 0; i < stale.len && ret >= 0; i += 32)
		ret = kv_del(t.kv, INDEX_FILE, stale.data + i, 32);
	if (ret >= 0 && stale.len > 0)
		ret = index_commit(&t);
	index_abort(&t);
	if (ret >= 0 && end)
		s->state = SWEEP_COPY;
	buf_release(&stale);
	return ret < 0 ? ret : SWEEP_MORE;
}

/* The packs that were copied go, too. */
static int
add_copied(struct sweep *s, const struct buf *done)
{
	const struct tally_pack *p = (const void *)s->compact.packs.data;
	size_t i, k, n = s->compact.packs.len / sizeof(*p);
	struct victim add;
	int ret = 0;

	for (i = 0; i < done->len && ret == 0; i += sizeof(add.name)) {
		memcpy(add.name, done->data + i, sizeof(add.name));
		for (k = 0; k < n; k++) {
			if (memcmp(p[k].p.name, add.name, 32) == 0)
				add.size = p[k].p.size;
		}
		ret = buf_append(&s->victims, &add, sizeof(add));
	}
	return ret;
}

/* From now on nobody is told of what left: who was told is waited for. */
static void
begin_wait(struct sweep *s)
{
	const struct victim *k = (const void *)s->victims.data;
	size_t i;

	pool_lock_enter(&s->v->lock);
	s->before = s->v->next_session;
	pool_lock_leave(&s->v->lock);
	for (i = 0; i < s->victims.len / sizeof(*k); i++) {
		s->n.waiting_packs++;
		s->n.waiting_bytes += k[i].size;
	}
	s->state = SWEEP_WAIT;
}

static int
do_copy(struct sweep *s)
{
	struct buf done = BUF_INIT;
	int ret = compact_step(&done, &s->compact, s->v, &s->mark), added;

	added = add_copied(s, &done);
	buf_release(&done);
	s->n.copied_packs = s->compact.made_packs;
	s->n.copied_bytes = s->compact.made_bytes;
	/* A full disk still gets rid of what is dead. */
	if (ret == ERR_NOSPACE)
		ret = 0;
	if (ret < 0 || added < 0)
		return ret < 0 ? ret : added;
	if (ret == 0)
		begin_wait(s);
	return SWEEP_MORE;
}

static int
do_wait(struct sweep *s)
{
	if (s->victims.len > 0) {
		s->n.sessions = session_count_before(s->v, s->before);
		if (s->n.sessions > 0)
			return SWEEP_WAITS;
	}
	s->state = SWEEP_REMOVE;
	return SWEEP_MORE;
}

static int
remove_some(struct sweep *s, const struct mark *m)
{
	const struct victim *k = (const void *)s->victims.data;
	size_t n = s->victims.len / sizeof(*k), end = s->next_victim;
	uint64_t size;
	int ret;

	end = n - end > SWEEP_REMOVE_MAX ? end + SWEEP_REMOVE_MAX : n;
	for (; s->next_victim < end; s->next_victim++) {
		ret = discard_pack(&size, s->v, m, k[s->next_victim].name);
		if (ret < 0)
			return ret;
		s->n.waiting_packs--;
		s->n.waiting_bytes -= k[s->next_victim].size;
		if (ret == 0) {
			s->n.freed_packs++;
			s->n.freed_bytes += size;
		}
	}
	return end == n ? 0 : SWEEP_MORE;
}

static int
do_remove(struct sweep *s)
{
	struct mark now;
	struct index_txn t;
	int ret = 0;

	mark_init(&now);
	pool_lock_enter(&s->v->change);
	if (s->victims.len > 0) {
		ret = index_begin(&t, s->v->index, 0);
		if (ret < 0)
			goto out;
		ret = mark_open(&now, s->v, &t);
		index_abort(&t);
	}
	if (ret == 0)
		ret = refuse_unknown(s, &now);
	if (ret == 0)
		ret = remove_some(s, &now);
out:
	pool_lock_leave(&s->v->change);
	mark_release(&now);
	if (ret == 0)
		s->state = SWEEP_DONE;
	return ret;
}

static int
step(struct sweep *s)
{
	switch (s->state) {
	case SWEEP_LEAVE:
		return do_leave(s);
	case SWEEP_FILES:
		return do_files(s);
	case SWEEP_COPY:
		return do_copy(s);
	case SWEEP_WAIT:
		return do_wait(s);
	case SWEEP_REMOVE:
		return do_remove(s);
	case SWEEP_DONE:
		break;
	}
	return 0;
}

int
sweep_step(struct sweep *s)
{
	int ret = guard_check(s->v->guard);

	if (ret < 0)
		return ret;
	ret = step(s);
	/* On a full disk in the room of the reserve: each step can be done
	 * again. */
	if (ret == ERR_NOSPACE && !s->lent && s->v->guard != NULL) {
		guard_release(s->v->guard);
		s->lent = 1;
		ret = step(s);
	}
	if (ret != SWEEP_MORE)
		give_back(s);
	return ret;
}

int
sweep_run(struct sweep *s)
{
	int ret;

	do
		ret = sweep_step(s);
	while (ret == SWEEP_MORE);
	return ret;
}
