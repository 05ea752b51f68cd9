#include "server/sessions.h"

#include "base/clock.h"
#include "base/err.h"
#include "store/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1000000ll
/* How often leases are looked at, at most. */
#define REAP_MS_MAX 5000u
/* Sessions of one mount that a log-in settles: more than a mount may have. */
#define SETTLE_MAX 16u

const struct sessions_limits sessions_limits_default = {
    .max = 256,
    .per_mount_max = 8,
    .lease_ms = 10 * 60 * 1000,
    .unproven_ms = 60 * 1000,
    .silent_ms = 60 * 1000,
    .life_ms = 7u * 24 * 3600 * 1000,
};

struct sessions {
	struct sessions_limits limits;
	struct pool_lock lock; /* of the list and the table's members */
	struct pool_cond stop;
	int stopping;
	struct session *first;
	unsigned count; /* not ended */
	unsigned closing; /* out of the list, their packs under way */
	struct pool_thread *reaper;
};

/* Nobody knows the session any more. */
static void
destroy(struct session *s)
{
	if (s == NULL)
		return;
	s->store->ops->close(s->store);
	mac_wipe(&s->keys);
	pool_lock_release(&s->serial);
	free(s);
}

/* Take `s` out of the list; with the lock. */
static void
unlink_session(struct sessions *ss, struct session *s)
{
	struct session **at = &ss->first;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	s->next = NULL;
}

/*
 * End `s`; with the lock.  Returns it when the caller must bury() it, after
 * leaving the lock, because closing packs takes time.
 */
static struct session *
end_locked(struct sessions *ss, struct session *s)
{
	if (!s->ended) {
		s->ended = 1;
		ss->count--;
	}
	if (s->users > 0)
		return NULL; /* the last sessions_give() does it */
	unlink_session(ss, s);
	ss->closing++;
	return s;
}

/* What end_locked() returned; NULL is fine. */
static void
bury(struct sessions *ss, struct session *s)
{
	if (s == NULL)
		return;
	destroy(s);
	pool_lock_enter(&ss->lock);
	ss->closing--;
	pool_lock_leave(&ss->lock);
}

static int
is_over(const struct sessions *ss, const struct session *s, int64_t now)
{
	unsigned ms = s->proven ? ss->limits.lease_ms : ss->limits.unproven_ms;

	if (s->ended)
		return 0;
	if (now - s->began_ns > NS_PER_MS * ss->limits.life_ms)
		return 1; /* in use or not: the last use ends it */
	return s->users == 0 && now - s->used_ns > NS_PER_MS * ms;
}

static void
reap(void *arg)
{
	struct sessions *ss = arg;
	unsigned period = ss->limits.unproven_ms / 4 + 1;
	struct session *s, *dead;

	if (period > REAP_MS_MAX)
		period = REAP_MS_MAX;
	pool_lock_enter(&ss->lock);
	while (!ss->stopping) {
		(void)pool_cond_wait_ms(
		    &ss->stop, &ss->lock, period); /* either way, look */
		do {
			int64_t now = clock_mono_ns();

			dead = NULL;
			for (s = ss->first; s != NULL; s = s->next)
				if (is_over(ss, s, now))
					break;
			if (s != NULL && !ss->stopping)
				dead = end_locked(ss, s);
			if (dead != NULL) {
				pool_lock_leave(&ss->lock);
				bury(ss, dead);
				pool_lock_enter(&ss->lock);
			}
		} while (dead != NULL);
	}
	pool_lock_leave(&ss->lock);
}

int
sessions_new(struct sessions **out, const struct sessions_limits *l)
{
	struct sessions *ss = calloc(1, sizeof(*ss));
	int r;

	if (ss == NULL)
		return err_nomem(sizeof(*ss));
	ss->limits = *l;
	pool_lock_init(&ss->lock);
	pool_cond_init(&ss->stop);
	r = pool_thread_start(&ss->reaper, reap, ss);
	if (r < 0) {
		sessions_free(ss);
		return r;
	}
	*out = ss;
	return 0;
}

void
sessions_free(struct sessions *ss)
{
	struct session *s;

	if (ss == NULL)
		return;
	pool_lock_enter(&ss->lock);
	ss->stopping = 1;
	pool_cond_wake_all(&ss->stop);
	pool_lock_leave(&ss->lock);
	pool_thread_join(ss->reaper);
	while ((s = ss->first) != NULL) {
		assert(s->users == 0);
		ss->first = s->next;
		destroy(s);
	}
	pool_cond_release(&ss->stop);
	pool_lock_release(&ss->lock);
	free(ss);
}

/* Whether `s` may make room for any mount's. */
static int
is_spare(const struct sessions *ss, const struct session *s, int64_t now)
{
	return !s->proven ||
	       now - s->used_ns > NS_PER_MS * ss->limits.silent_ms;
}

/*
 * The session of `mount` (NULL: of any, when it is spare) that was unused for
 * the longest time; those that proved nothing come first.
 */
static struct session *
find_victim(struct sessions *ss, const uint8_t *mount)
{
	struct session *s, *best = NULL;
	int64_t now = clock_mono_ns();

	for (s = ss->first; s != NULL; s = s->next) {
		if (s->users > 0 || s->ended)
			continue;
		if (mount != NULL ? memcmp(s->mount, mount, IDENT_BYTES) != 0
				  : !is_spare(ss, s, now))
			continue;
		if (best == NULL || s->proven < best->proven ||
		    (s->proven == best->proven && s->used_ns < best->used_ns))
			best = s;
	}
	return best;
}

static unsigned
count_mount(const struct sessions *ss, const uint8_t mount[IDENT_BYTES])
{
	const struct session *s;
	unsigned n = 0;

	for (s = ss->first; s != NULL; s = s->next)
		n += !s->ended && memcmp(s->mount, mount, IDENT_BYTES) == 0;
	return n;
}

int
sessions_add(struct sessions *ss, const struct mac_session *keys,
    const uint8_t mount[IDENT_BYTES], const uint8_t vault[IDENT_BYTES],
    struct store *store)
{
	struct session *s = calloc(1, sizeof(*s)), *victim = NULL;
	int r = 0;

	if (s == NULL) {
		store->ops->close(store);
		return err_nomem(sizeof(*s));
	}
	s->keys = *keys;
	memcpy(s->mount, mount, IDENT_BYTES);
	memcpy(s->vault, vault, IDENT_BYTES);
	s->store = store;
	pool_lock_init(&s->serial);

	pool_lock_enter(&ss->lock);
	if (count_mount(ss, mount) >= ss->limits.per_mount_max)
		victim = find_victim(ss, mount);
	else if (ss->count >= ss->limits.max)
		victim = find_victim(ss, NULL);
	if (victim != NULL)
		victim = end_locked(ss, victim);
	if (count_mount(ss, mount) >= ss->limits.per_mount_max ||
	    ss->count >= ss->limits.max) {
		r = err_set(ERR_BUSY, "too many sessions");
	} else {
		s->began_ns = s->used_ns = clock_mono_ns();
		s->next = ss->first;
		ss->first = s;
		ss->count++;
		s = NULL;
	}
	pool_lock_leave(&ss->lock);
	bury(ss, victim);
	destroy(s);
	return r;
}

/* End a use that says nothing about the client: the lease stays as it is. */
static void
let_go(struct sessions *ss, struct session *s)
{
	struct session *dead = NULL;

	pool_lock_enter(&ss->lock);
	assert(s->users > 0);
	s->users--;
	if (s->ended && s->users == 0)
		dead = end_locked(ss, s);
	pool_lock_leave(&ss->lock);
	bury(ss, dead);
}

void
sessions_settle(struct sessions *ss, const uint8_t mount[IDENT_BYTES])
{
	struct session *s, *held[SETTLE_MAX];
	unsigned i, n = 0;

	pool_lock_enter(&ss->lock);
	for (s = ss->first; s != NULL && n < SETTLE_MAX; s = s->next)
		if (!s->ended && s->proven &&
		    memcmp(s->mount, mount, IDENT_BYTES) == 0) {
			s->users++;
			held[n++] = s;
		}
	pool_lock_leave(&ss->lock);
	for (i = 0; i < n; i++) {
		struct store *store = held[i]->store;

		/* What fails here is that session's affair: it will see. */
		if (store->ops->settle != NULL)
			(void)store->ops->settle(store);
		let_go(ss, held[i]);
	}
}

static struct session *
find(struct sessions *ss, const uint8_t id[IDENT_BYTES])
{
	struct session *s;

	for (s = ss->first; s != NULL; s = s->next)
		if (!s->ended && memcmp(s->keys.session, id, IDENT_BYTES) == 0)
			return s;
	return NULL;
}

int
sessions_known(struct sessions *ss, const uint8_t id[IDENT_BYTES])
{
	int known;

	pool_lock_enter(&ss->lock);
	known = find(ss, id) != NULL;
	pool_lock_leave(&ss->lock);
	return known;
}

struct session *
sessions_take(struct sessions *ss, const uint8_t id[IDENT_BYTES])
{
	struct session *s;

	pool_lock_enter(&ss->lock);
	s = find(ss, id);
	if (s != NULL)
		s->users++;
	pool_lock_leave(&ss->lock);
	return s;
}

void
sessions_give(struct sessions *ss, struct session *s)
{
	struct session *dead = NULL;

	pool_lock_enter(&ss->lock);
	assert(s->users > 0);
	s->users--;
	/* A request that proved nothing does not prolong the lease. */
	if (s->proven)
		s->used_ns = clock_mono_ns();
	if (s->ended && s->users == 0)
		dead = end_locked(ss, s);
	pool_lock_leave(&ss->lock);
	bury(ss, dead);
}

static void
set_bit(struct session *s, uint64_t number, int on)
{
	uint32_t i = (uint32_t)(number % SESSIONS_WINDOW);

	if (on)
		s->seen[i / 8] |= (uint8_t)(1u << (i % 8));
	else
		s->seen[i / 8] &= (uint8_t) ~(1u << (i % 8));
}

static int
accept_locked(struct session *s, uint64_t number)
{
	uint32_t i = (uint32_t)(number % SESSIONS_WINDOW);
	uint64_t n;

	if (number == 0 || (s->newest >= SESSIONS_WINDOW &&
			       number <= s->newest - SESSIONS_WINDOW))
		return SESSIONS_SEEN;
	if (number <= s->newest) {
		if ((s->seen[i / 8] >> (i % 8) & 1) != 0)
			return SESSIONS_SEEN;
	} else if (number - s->newest >= SESSIONS_WINDOW) {
		memset(s->seen, 0, sizeof(s->seen));
	} else {
		/* What lay a window back makes room for what is skipped. */
		for (n = s->newest + 1; n < number; n++)
			set_bit(s, n, 0);
	}
	set_bit(s, number, 1);
	if (number > s->newest)
		s->newest = number;
	if (s->proven)
		return 0;
	s->proven = 1;
	return SESSIONS_FIRST;
}

int
sessions_accept(struct sessions *ss, struct session *s, uint64_t number)
{
	int r;

	pool_lock_enter(&ss->lock);
	r = accept_locked(s, number);
	pool_lock_leave(&ss->lock);
	return r;
}

void
sessions_end(struct sessions *ss, struct session *s)
{
	pool_lock_enter(&ss->lock);
	if (!s->ended) {
		s->ended = 1;
		ss->count--;
	}
	pool_lock_leave(&ss->lock);
}

unsigned
sessions_count(struct sessions *ss, const uint8_t *vault)
{
	const struct session *s;
	unsigned n;

	pool_lock_enter(&ss->lock);
	/* Of those that are closing nobody asks which vault they have. */
	n = vault == NULL ? ss->count : ss->closing;
	for (s = ss->first; s != NULL && vault != NULL; s = s->next)
		n += memcmp(s->vault, vault, IDENT_BYTES) == 0;
	pool_lock_leave(&ss->lock);
	return n;
}
