#include "server/prune.h"

#include "base/clock.h"
#include "base/err.h"
#include "server/policy.h"
#include "store/envelope.h"
#include "store/guard.h"
#include "store/retire.h"
#include "store/stamps.h"
#include "store/vault.h"

#include <stdio.h>
#include <string.h>

/* A snapshot whose file is there. */
struct one {
	struct prune_item item;
	enum retire_state state;
	int damaged;
	int64_t stamp_ns;
	int64_t retired_ns;
	int signed_by_us; /* its tombstone */
};

struct work {
	const struct prune_options *o;
	struct vault *v;
	struct buf all; /* struct one */
	struct buf stamps;
	struct policy_terms terms;
	int64_t now_ns;
	int lent; /* the reserve's room, which is given back at the end */
	struct prune_passed passed; /* directories */
};

static const char *const names[] = {"keep", "retire", "wait", "remove", "back"};

const char *
prune_fate_name(enum prune_fate fate)
{
	return names[fate];
}

int
prune_pass(struct prune_passed *p, int code)
{
	if (code != ERR_DAMAGED)
		return code;
	if (p->n++ == 0)
		(void)snprintf(
		    p->why, sizeof(p->why), "%s", err_text()); /* cut is fine */
	return 0;
}

int
prune_passed(const struct prune_passed *p, int code)
{
	return code == 0 && p->n > 0 ? err_set(ERR_DAMAGED, "%s", p->why)
				     : code;
}

static int
collect(void *arg, const struct retire_root *r)
{
	struct work *w = arg;
	struct one one;

	memset(&one, 0, sizeof(one));
	memcpy(one.item.mount, r->mount, sizeof(one.item.mount));
	one.item.seq = r->seq;
	one.state = r->state;
	one.damaged = r->damaged;
	if (!r->damaged) {
		one.item.receive_ns = r->e->receive_ns;
		one.item.bytes = r->e->bytes;
	}
	if (r->tomb != NULL) {
		one.retired_ns = r->tomb->retired_ns;
		one.signed_by_us =
		    w->o == NULL || tomb_check_signature(r->tomb_bytes,
					account_public(w->o->account)) == 0;
	}
	return buf_append(&w->all, &one, sizeof(one));
}

/* The highest durable store time of the vault, and the newest label. */
struct highest {
	int64_t ns, receive_ns;
};

static int
note_tomb(void *arg, const struct retire_tomb *t)
{
	struct highest *h = arg;

	if (t->t.retired_ns > h->ns)
		h->ns = t->t.retired_ns;
	return 0;
}

static int
note_receive(void *arg, const struct retire_root *r)
{
	struct highest *h = arg;

	if (!r->damaged && r->e->receive_ns > h->receive_ns)
		h->receive_ns = r->e->receive_ns;
	return 0;
}

/*
 * What the vault knows of the time: a durable store time in it was one, also
 * when the clock's file is lost or an older copy.  Where there is none, a store
 * that had no clock yet, it is when the newest snapshot came.
 */
static int
meet(struct vault *v, struct storeclock *clock, int tombs)
{
	int64_t wall = clock_wall_ns();
	struct highest h = {0, 0};
	const struct stamp *s;
	struct buf stamps = BUF_INIT;
	size_t i;
	int rc = stamps_load(&stamps, v, NULL, NULL);

	s = (const struct stamp *)(const void *)stamps.data;
	for (i = 0; rc == 0 && i < stamps.len / sizeof(*s); i++)
		if (s[i].ns > h.ns)
			h.ns = s[i].ns;
	buf_release(&stamps);
	if (rc == 0 && (tombs || storeclock_is_unset(clock)))
		rc = retire_tombs(v, NULL, note_tomb, NULL, &h);
	if (rc == 0 && h.ns == 0 && storeclock_is_unset(clock)) {
		rc = retire_roots(v, NULL, note_receive, &h);
		h.ns = h.receive_ns > 0 && h.receive_ns < wall ? h.receive_ns
							       : wall;
	}
	if (rc == 0 && h.ns > 0)
		storeclock_meet(clock, h.ns);
	return rc;
}

int
prune_stamp(struct vault *v, struct storeclock *clock)
{
	int64_t now;
	int pending, rc = stamps_pending(&pending, v);

	if (rc == 0 && pending)
		rc = meet(v, clock, 0);
	if (rc != 0 || !pending)
		return rc;
	now = storeclock_now(clock);
	rc = storeclock_save(clock);
	return rc == 0 ? stamps_make(v, storeclock_from(clock), now) : rc;
}

/* One without a stamp has the next one's, or has just arrived. */
static void
find_stamps(struct work *w)
{
	struct one *all = (struct one *)(void *)w->all.data;
	size_t i = w->all.len / sizeof(*all);
	int64_t next = w->now_ns;

	while (i-- > 0) {
		if (i + 1 == w->all.len / sizeof(*all) ||
		    memcmp(all[i].item.mount, all[i + 1].item.mount,
			IDENT_BYTES) != 0)
			next = w->now_ns;
		if (stamps_find(&all[i].stamp_ns, &w->stamps, all[i].item.mount,
			all[i].item.seq) != 0)
			all[i].stamp_ns = next;
		next = all[i].stamp_ns;
	}
}

/* What a policy says of the live ones among `n` of one mount. */
static int
apply(struct work *w, struct one *mine, size_t n)
{
	struct buf items = BUF_INIT;
	struct keep_policy p;
	struct keep_item *k, item;
	size_t i, at = 0;
	int rc = policy_effective(
	    &p, account_dir(w->o->account), mine[0].item.mount);

	for (i = 0; i < n && rc == 0; i++) {
		if (mine[i].state != RETIRE_LIVE)
			continue;
		memset(&item, 0, sizeof(item));
		item.stamp_ns = mine[i].stamp_ns;
		item.damaged = mine[i].damaged;
		rc = buf_append(&items, &item, sizeof(item));
	}
	k = (struct keep_item *)(void *)items.data;
	if (rc == 0 && items.len > 0)
		keep_apply(k, items.len / sizeof(*k), &p,
		    (int64_t)w->terms.floor_days * KEEP_NS_PER_DAY, w->now_ns);
	for (i = 0; i < n && rc == 0; i++) {
		if (mine[i].state != RETIRE_LIVE)
			continue;
		mine[i].item.reasons = k[at++].reasons;
		if (mine[i].item.reasons == 0)
			mine[i].item.fate =
			    w->o->now ? PRUNE_REMOVE : PRUNE_RETIRE;
	}
	buf_release(&items);
	return rc;
}

/* What becomes of one that waits. */
static void
look_at_grace(const struct work *w, struct one *one)
{
	int64_t grace = (int64_t)w->terms.grace_days * KEEP_NS_PER_DAY;
	int64_t left = one->retired_ns + grace - w->now_ns;

	if (one->state != RETIRE_RETIRED)
		return;
	one->item.fate = PRUNE_WAIT;
	one->item.left_ns = left > 0 ? left : 0;
	if ((left <= 0 || w->o->now) && one->signed_by_us)
		one->item.fate = PRUNE_REMOVE;
}

/* Steps 2 and 3 for one snapshot. */
static int
act(struct work *w, const struct one *one)
{
	const struct prune_item *i = &one->item;
	struct tomb t = {0};
	int rc = 0;

	if (i->fate != PRUNE_RETIRE && i->fate != PRUNE_REMOVE)
		return 0;
	if (one->state == RETIRE_LIVE) {
		t.reason = TOMB_POLICY;
		t.stamp_ns = one->stamp_ns;
		t.retired_ns = w->now_ns;
		t.wall_ns = clock_wall_ns();
		rc = retire_put(
		    w->v, i->mount, i->seq, &t, account_seed(w->o->account));
	}
	if (rc == 0 && i->fate == PRUNE_REMOVE)
		rc = retire_remove(w->v, i->mount, i->seq);
	/* 1: it changed meanwhile; the next prune looks again. */
	return rc < 0 ? rc : 0;
}

/* On a full disk in the room of the reserve: nonzero when there is some now, to
 * try again in. */
static int
lend(struct work *w, int rc)
{
	if (rc != ERR_NOSPACE || w->lent || w->v->guard == NULL)
		return 0;
	guard_release(w->v->guard);
	w->lent = 1;
	return 1;
}

/* All snapshots of one mount. */
static int
prune_mount(struct work *w, struct one *mine, size_t n)
{
	int64_t grace = (int64_t)w->terms.grace_days * KEEP_NS_PER_DAY;
	size_t i;
	int rc = apply(w, mine, n);

	/* Its own policy is damaged: all of it stays, and the others' turn
	 * comes. */
	if (rc == ERR_DAMAGED)
		return prune_pass(&w->passed, rc);
	for (i = 0; i < n && rc == 0; i++) {
		look_at_grace(w, &mine[i]);
		if (mine[i].item.fate == PRUNE_RETIRE)
			mine[i].item.left_ns = grace;
		rc = w->o->found(w->o->arg, &mine[i].item);
		if (rc == 0 && !w->o->dry_run)
			rc = act(w, &mine[i]);
		if (lend(w, rc))
			rc = act(w, &mine[i]);
	}
	return rc;
}

static int
prune_now(struct vault *v, const struct prune_options *o)
{
	struct work w = {.o = o, .v = v, .all = BUF_INIT, .stamps = BUF_INIT};
	struct one *all;
	size_t i, n, from = 0;
	int rc = policy_terms(&w.terms, account_dir(o->account));

	if (rc == 0)
		rc = meet(v, o->clock, 1);
	if (rc == 0 && !o->dry_run) {
		rc = prune_stamp(v, o->clock);
		if (lend(&w, rc))
			rc = prune_stamp(v, o->clock);
	}
	if (rc == 0)
		rc = stamps_load(&w.stamps, v, NULL, NULL);
	if (rc == 0)
		rc = retire_roots(v, NULL, collect, &w);
	w.now_ns = storeclock_now(o->clock);
	if (rc == 0 && !o->dry_run) {
		rc = storeclock_save(o->clock);
		if (lend(&w, rc))
			rc = storeclock_save(o->clock);
	}
	find_stamps(&w);
	all = (struct one *)(void *)w.all.data;
	n = w.all.len / sizeof(*all);
	for (i = 1; i <= n && rc == 0; i++) {
		if (i < n && memcmp(all[i].item.mount, all[i - 1].item.mount,
				 IDENT_BYTES) == 0)
			continue;
		rc = prune_mount(&w, all + from, i - from);
		from = i;
	}
	if (rc == 0 && !o->dry_run)
		rc = stamps_trim(v);
	if (w.lent)
		guard_restore(v->guard);
	buf_release(&w.all);
	buf_release(&w.stamps);
	return prune_passed(&w.passed, rc);
}

int
prune_vault(struct vault *v, const struct prune_options *o)
{
	/* Stamps and tombstones are files too.  Else backups go on. */
	int lent = !o->dry_run && guard_put(v->guard, 0) == ERR_NOSPACE, rc;

	if (lent)
		guard_release(v->guard);
	rc = prune_now(v, o);
	if (lent)
		guard_restore(v->guard);
	return rc;
}

int
prune_undo(struct vault *v, const uint8_t *mount, uint64_t seq,
    prune_found_fn *found, void *arg)
{
	struct work w = {.v = v, .all = BUF_INIT};
	struct one *all;
	size_t i;
	int rc = retire_roots(v, mount, collect, &w);

	all = (struct one *)(void *)w.all.data;
	for (i = 0; i < w.all.len / sizeof(*all) && rc == 0; i++) {
		if (all[i].state != RETIRE_RETIRED ||
		    (seq != 0 && all[i].item.seq != seq))
			continue;
		rc = retire_undo(v, all[i].item.mount, all[i].item.seq);
		if (rc == 0) {
			all[i].item.fate = PRUNE_BACK;
			rc = found(arg, &all[i].item);
		} else if (rc == 1) {
			rc = 0; /* its grace ended just now */
		}
	}
	buf_release(&w.all);
	return rc;
}
