#include "lib/sweep_world.h"

#include "backend/mem.h"
#include "base/err.h"
#include "base/fs.h"
#include "server/policy.h"
#include "server/prune.h"
#include "sign/sign.h"
#include "store/backend.h"
#include "store/envelope.h"
#include "store/index.h"
#include "store/pack.h"
#include "store/retire.h"
#include "store/scrub.h"
#include "store/session.h"
#include "store/vault.h"
#include "store/verify.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* State k has the root 5000 + k over the trees 1000 + 10 k + i; each of those
 * refers to some of forty data objects that all states share, and the third
 * one to a tree of the next state. */
#define TREE(k, i) (1000 + 10 * (uint64_t)(k) + (uint64_t)(i))
#define ROOT(k) (5000 + (uint64_t)(k))
#define DATA 40
#define KIDS_MAX 4
/* A client that is refused so often gives up. */
#define TRIES 6

static uint32_t
children(uint64_t out[KIDS_MAX], uint64_t number)
{
	uint64_t k, i;
	uint32_t n = 0, j;

	if (number >= ROOT(0)) {
		for (j = 0; j < 3; j++)
			out[n++] = TREE(number - ROOT(0), j);
	} else if (number >= TREE(0, 0)) {
		k = (number - TREE(0, 0)) / 10;
		i = (number - TREE(0, 0)) % 10;
		for (j = 0; j < 3; j++)
			out[n++] = (k * 7 + i * 3 + j) % DATA;
		if (i == 2)
			out[n++] = TREE((k + 1) % SW_STATES, 0);
	}
	return n;
}

int
sw_start(void)
{
	if (sign_start() < 0)
		return 1;
	return getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0 &&
	       setenv("TMPDIR", "/dev/shm", 1) != 0;
}

/* splitmix64 */
unsigned
sw_random(uint64_t *seed, unsigned below)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ z >> 31) % below);
}

unsigned
sw_draw(struct sweep_world *w, unsigned below)
{
	return sw_random(&w->seed, below);
}

void
sw_make(struct sweep_world *w, uint64_t seed)
{
	unsigned i;
	int ret;

	memset(w, 0, sizeof(*w));
	w->seed = seed;
	memcpy(w->id, "a vault's name", 15);
	w->copy_bytes_max = 1 << 20;
	w->folder = fixture_folder();
	w->index_dir = fs_join(w->folder, "index");
	for (i = 0; i < SW_MOUNTS; i++)
		fixture_mount(&w->mounts[i].m, i + 1);
	ret = backend_mem_open(&w->b, seed);
	assert(ret == 0);
}

void
sw_end(struct sweep_world *w)
{
	sw_close(w);
	storeclock_close(w->clock);
	account_close(w->account);
	w->b->ops->close(w->b);
	free(w->index_dir);
	fixture_remove(w->folder);
}

int
sw_open(struct sweep_world *w)
{
	struct vault_options o = {.backend = w->b, .index_dir = w->index_dir};

	memcpy(o.id, w->id, 16);
	return vault_open(&w->v, &o);
}

void
sw_close(struct sweep_world *w)
{
	vault_close(w->v);
	w->v = NULL;
}

static void
pause_client(struct sweep_world *w)
{
	if (w->pause != NULL)
		w->pause(w->pause_arg);
}

static int
put(struct sweep_world *w, struct session *s, uint64_t number)
{
	struct buf b = BUF_INIT;
	uint64_t kids[KIDS_MAX];
	uint8_t id[32], refs[KIDS_MAX * 32];
	uint32_t n = children(kids, number), i;
	int ret;

	pause_client(w);
	for (i = 0; i < n; i++)
		fixture_id(refs + (size_t)i * 32, kids[i]);
	fixture_id(id, number);
	if (n > 0)
		fixture_meta(&b, id, refs, n, 60);
	else
		fixture_data(&b, id, NULL, 0, 400);
	ret = session_put(s, b.data, b.len, 0);
	buf_release(&b);
	return ret;
}

/* What a client remembers: the objects below its parent snapshot. */
static int
is_below(uint64_t number, uint64_t top)
{
	uint64_t kids[KIDS_MAX];
	uint32_t n = children(kids, top), i;

	if (number == top)
		return 1;
	for (i = 0; i < n; i++) {
		if (is_below(number, kids[i]))
			return 1;
	}
	return 0;
}

/* One session of a client. */
struct visit {
	struct sweep_world *w;
	struct session *s;
	const uint64_t *trusted; /* this root needs no asking; or NULL */
	struct buf missing; /* what a commit lacked: no "have" counts for it */
};

static int
was_missing(const struct visit *v, const uint8_t id[32])
{
	size_t i;

	for (i = 0; i < v->missing.len; i += 32) {
		if (memcmp(v->missing.data + i, id, 32) == 0)
			return 1;
	}
	return 0;
}

/* Ask, descend where it must, children first. */
static int
walk(struct visit *v, uint64_t number)
{
	uint64_t kids[KIDS_MAX];
	uint8_t id[32], bit;
	uint32_t n = children(kids, number), i;
	int ret;

	if (v->trusted != NULL && is_below(number, *v->trusted))
		return 0;
	pause_client(v->w);
	fixture_id(id, number);
	ret = session_have(v->s, &bit, id, 1);
	if (ret < 0 || (bit && !was_missing(v, id)))
		return ret;
	for (i = 0; i < n && ret == 0; i++)
		ret = walk(v, kids[i]);
	return ret < 0 ? ret : put(v->w, v->s, number);
}

static int
commit(struct buf *missing, struct sweep_world *w, struct session *s,
    struct sw_mount *m, uint64_t state)
{
	struct buf client = BUF_INIT;
	struct store_receipt receipt;
	struct sw_snapshot *snap;
	uint8_t root[32];
	int ret;

	pause_client(w);
	fixture_id(root, ROOT(state));
	fixture_snapshot(&client, &m->m, w->id, root);
	ret = session_commit(s, &receipt, missing, client.data, client.len);
	if (ret == 0) {
		assert(receipt.server_seq <= SW_SNAPSHOTS_MAX);
		snap = &m->snapshots[receipt.server_seq];
		snap->state = state;
		snap->acked = 1;
		snap->gone = 0;
		m->newest = receipt.server_seq;
	}
	buf_release(&client);
	return ret;
}

static int
one_session(
    struct sweep_world *w, struct sw_mount *m, uint64_t state, enum sw_way way)
{
	struct visit v = {.w = w, .missing = BUF_INIT};
	struct store_info info;
	uint64_t parent;
	unsigned tries;
	int ret, closed;

	pause_client(w);
	ret = session_open(&v.s, w->v, m->m.id, m->m.public_key);
	if (ret < 0)
		return ret;
	session_info(&info, v.s);
	m->m.client_seq = info.parent_client_seq;
	memcpy(m->m.previous, info.parent_hash, 32);
	if (way == SW_TRUST && info.has_parent &&
	    info.parent_server_seq == m->newest &&
	    m->snapshots[m->newest].acked) {
		parent = ROOT(m->snapshots[m->newest].state);
		v.trusted = &parent;
	}
	for (tries = 0; tries < TRIES; tries++) {
		ret = walk(&v, ROOT(state));
		if (ret == 0 && way != SW_LEAVE)
			ret = commit(&v.missing, w, v.s, m, state);
		/* What it knew was wrong: ask everything again. */
		v.trusted = NULL;
		if (ret != ERR_MISSING)
			break;
	}
	pause_client(w);
	closed = session_close(v.s);
	buf_release(&v.missing);
	return ret == 0 && way == SW_LEAVE ? closed : ret;
}

int
sw_backup(
    struct sweep_world *w, unsigned mount, uint64_t state, enum sw_way way)
{
	unsigned tries;
	int ret = ERR_STALE;

	for (tries = 0; tries < TRIES && ret == ERR_STALE; tries++)
		ret = one_session(w, &w->mounts[mount], state, way);
	return ret;
}

int
sw_commit(struct sweep_world *w, unsigned mount, uint64_t state)
{
	struct sw_mount *m = &w->mounts[mount];
	struct buf missing = BUF_INIT;
	struct store_info info;
	struct session *s;
	int ret = session_open(&s, w->v, m->m.id, m->m.public_key);

	if (ret < 0)
		return ret;
	session_info(&info, s);
	m->m.client_seq = info.parent_client_seq;
	memcpy(m->m.previous, info.parent_hash, 32);
	ret = commit(&missing, w, s, m, state);
	(void)session_close(s); /* it has put nothing */
	buf_release(&missing);
	return ret;
}

int
sw_delete(struct sweep_world *w, unsigned mount, uint64_t seq)
{
	struct tomb t = {.reason = TOMB_POLICY};
	struct sw_mount *m = &w->mounts[mount];
	int ret;

	/* From now on nobody relies on it. */
	m->snapshots[seq].gone = 1;
	ret = retire_put(w->v, m->m.id, seq, &t, m->m.seed);
	if (ret >= 0)
		ret = retire_remove(w->v, m->m.id, seq);
	return ret < 0 ? ret : 0;
}

/* A policy, and a store that is some days older. */
static int
next_policy(struct sweep_world *w)
{
	struct keep_policy p = {0};
	struct policy_terms t = {sw_draw(w, 3), POLICY_GRACE_DAYS};
	char *dir;
	int ret = 0;

	if (w->account == NULL) {
		dir = fs_join(w->folder, "store");
		ret = account_open(&w->account, dir, ACCOUNT_CREATE);
		if (ret == 0)
			ret = storeclock_open(&w->clock, dir);
		free(dir);
	}
	if (ret < 0)
		return ret;
	p.count[sw_draw(w, 2) ? KEEP_LAST : KEEP_DAILY] = 1 + sw_draw(w, 4);
	storeclock_meet(w->clock,
	    storeclock_now(w->clock) +
		(int64_t)sw_draw(w, POLICY_GRACE_DAYS + 2) * KEEP_NS_PER_DAY);
	return policy_write(account_dir(w->account), NULL, &p, &t);
}

/* From now on nobody relies on what is removed. */
static int
see_pruned(void *arg, const struct prune_item *item)
{
	struct sweep_world *w = arg;
	unsigned m;

	for (m = 0; m < SW_MOUNTS && item->fate == PRUNE_REMOVE; m++) {
		if (memcmp(w->mounts[m].m.id, item->mount, 16) == 0 &&
		    item->seq <= SW_SNAPSHOTS_MAX)
			w->mounts[m].snapshots[item->seq].gone = 1;
	}
	pause_client(w);
	return 0;
}

int
sw_prune(struct sweep_world *w, int now)
{
	struct prune_options o = {.now = now, .found = see_pruned, .arg = w};
	int ret = next_policy(w);

	if (ret < 0)
		return ret;
	o.account = w->account;
	o.clock = w->clock;
	return prune_vault(w->v, &o);
}

int
sw_unprune(struct sweep_world *w)
{
	return prune_undo(w->v, NULL, 0, see_pruned, w);
}

static void
see_damage(void *arg, const char *where, const char *what)
{
	(void)arg; /* the counts say how many */
	(void)where;
	(void)what;
}

int
sw_scrub(struct sweep_world *w, struct scrub_counts *n, unsigned packs)
{
	unsigned i = 0;
	int ret;

	memset(n, 0, sizeof(*n));
	do
		ret = scrub_step(n, w->v, see_damage, NULL);
	while (ret == 1 && ++i != packs);
	return ret < 0 ? ret : 0;
}

void
sw_copy_index(struct sweep_world *w, int back)
{
	char *here = fs_join(w->index_dir, "data.mdb");
	char *aside = fs_join(w->folder, "old.mdb");
	const char *from = back ? aside : here, *to = back ? here : aside;
	struct buf b = BUF_INIT;
	int ret = 0;

	if (access(from, F_OK) == 0 &&
	    fs_read_file(&b, AT_FDCWD, from, 1 << 30) == 0)
		ret =
		    fs_write_file(AT_FDCWD, to, b.data, b.len, 0600, FS_NOSYNC);
	assert(ret == 0);
	/* With the sum of another it would not be used. */
	if (back)
		fixture_unclosed_index(w->index_dir);
	buf_release(&b);
	free(here);
	free(aside);
}

int
sw_sweep_begin(struct sweep **out, struct sweep_world *w)
{
	struct sweep_options o = {
	    .vault = w->v, .copy_bytes_max = w->copy_bytes_max};

	return sweep_new(out, &o);
}

int
sw_sweep(struct sweep_world *w, struct sweep_counts *out)
{
	struct sweep *s;
	int ret = sw_sweep_begin(&s, w);

	if (ret < 0)
		return ret;
	ret = sweep_run(s);
	if (out != NULL)
		sweep_counts(out, s);
	sweep_free(s);
	return ret;
}

/* Objects of the tree below `number` that do not come back. */
static unsigned
count_lost(struct session *s, uint64_t number)
{
	struct fixture_reading r = {0};
	uint64_t kids[KIDS_MAX];
	uint8_t id[32];
	uint32_t n = children(kids, number), i;
	unsigned lost;

	fixture_id(id, number);
	if (session_get(s, id, 1, fixture_read_one, &r) != 0)
		return 1;
	lost = r.records != 1;
	for (i = 0; i < n; i++)
		lost += count_lost(s, kids[i]);
	return lost;
}

unsigned
sw_count_lost(struct sweep_world *w, uint64_t state)
{
	const struct fixture_mount *m = &w->mounts[0].m;
	struct session *s;
	unsigned lost;
	int ret = session_open(&s, w->v, m->id, m->public_key);

	assert(ret == 0);
	lost = count_lost(s, ROOT(state));
	(void)session_close(s); /* it has put nothing */
	return lost;
}

struct check {
	struct sweep_world *w;
	struct session *s;
	uint64_t seen[SW_MOUNTS][SW_SNAPSHOTS_MAX + 2];
	unsigned wrong;
};

static void
complain(struct check *c, unsigned mount, uint64_t seq, const char *what)
{
	c->wrong++;
	if (c->w->hurt == SW_HURT_QUIET)
		return;
	(void)fprintf(stderr, "mount %u, snapshot %llu: %s\n", mount,
	    (unsigned long long)seq, what);
}

static int
check_snapshot(void *arg, const struct retire_root *r)
{
	const struct sw_snapshot *known;
	struct check *c = arg;
	uint8_t id[32];
	uint64_t k;
	unsigned m;

	for (m = 0; m < SW_MOUNTS; m++) {
		if (memcmp(c->w->mounts[m].m.id, r->mount, 16) == 0)
			break;
	}
	if (m == SW_MOUNTS || r->seq > SW_SNAPSHOTS_MAX || r->damaged) {
		complain(c, m, r->seq, "is damaged");
		return 0;
	}
	known = &c->w->mounts[m].snapshots[r->seq];
	c->seen[m][r->seq] = 1;
	for (k = 0; k < SW_STATES; k++) {
		fixture_id(id, ROOT(k));
		if (memcmp(id, r->e->refs, 32) == 0)
			break;
	}
	if (k == SW_STATES || (known->acked && known->state != k))
		complain(c, m, r->seq, "is another");
	/* One that is retired, for its deletion was cut off, is whole, too. */
	else if (count_lost(c->s, ROOT(k)) != 0)
		complain(c, m, r->seq, "is not whole");
	return 0;
}

static unsigned
must(int ret, const char *what)
{
	if (ret != 0)
		(void)fprintf(stderr, "%s: %d: %s\n", what, ret, err_text());
	return ret != 0;
}

unsigned
sw_wrong(struct sweep_world *w)
{
	struct check *c = calloc(1, sizeof(*c));
	const struct fixture_mount *first = &w->mounts[0].m;
	unsigned m, wrong;
	uint64_t seq;

	assert(c != NULL);
	c->w = w;
	if (session_open(&c->s, w->v, first->id, first->public_key) != 0) {
		(void)fprintf(stderr, "no session: %s\n", err_text());
		free(c);
		return 1;
	}
	c->wrong += must(retire_roots(w->v, NULL, check_snapshot, c), "roots");
	for (m = 0; m < SW_MOUNTS; m++) {
		for (seq = 1; seq <= SW_SNAPSHOTS_MAX; seq++) {
			const struct sw_snapshot *s =
			    &w->mounts[m].snapshots[seq];

			if (s->acked && !s->gone && !c->seen[m][seq])
				complain(c, m, seq, "is gone");
		}
	}
	c->wrong += must(session_close(c->s), "close");
	wrong = c->wrong;
	free(c);
	return wrong;
}

static void
found(void *arg, const char *where, const char *what)
{
	unsigned *n = arg;

	/* What was deleted leaves gaps that tombstones explain. */
	if (strstr(what, "before it") != NULL)
		return;
	(*n)++;
	(void)fprintf(stderr, "verify: %s: %s\n", where, what);
}

static unsigned
verify(struct sweep_world *w)
{
	struct verify_options o = {.vault = w->v, .found = found};
	struct verify_counts n;
	unsigned wrong = 0;

	if (w->hurt)
		return 0;
	o.arg = &wrong;
	if (verify_vault(&n, &o) != 0)
		wrong++;
	return wrong;
}

/*
 * Torn packs go: the rest of a round, and another one, find them; what stood
 * in two of them needs a second turn.
 */
static unsigned
mend(struct sweep_world *w)
{
	struct scrub_counts n;
	unsigned wrong = 0, k;

	for (k = 0; k < 3 && w->torn; k++) {
		wrong += must(sw_scrub(w, &n, 0), "scrub");
		wrong += must(sw_scrub(w, &n, 0), "scrub");
		wrong += must(sw_sweep(w, NULL), "sweep");
	}
	return wrong;
}

unsigned
sw_wrong_later(struct sweep_world *w)
{
	unsigned wrong = sw_wrong(w);

	wrong += mend(w);
	wrong += must(sw_sweep(w, NULL), "sweep");
	wrong += sw_wrong(w);
	wrong += verify(w);
	wrong += must(sw_backup(w, 0, 2, SW_TRUST), "backup");
	wrong += must(sw_backup(w, 1, 3, SW_ASK), "backup");
	wrong += must(sw_sweep(w, NULL), "sweep");
	wrong += sw_wrong(w);
	wrong += must(vault_reindex(w->v), "reindex");
	wrong += sw_wrong(w);
	wrong += must(sw_sweep(w, NULL), "sweep");
	wrong += sw_wrong(w);
	return wrong + verify(w);
}

int
sw_heal(struct sweep_world *w, uint64_t states)
{
	struct scrub_counts n;
	unsigned k;
	int ret = 0;

	if (states == 0)
		return 0;
	w->hurt = SW_HURT_QUIET;
	/* Reading it all finds the damage; also that in what no snapshot
	 * needs just now, which the rest of a round and another one do. */
	(void)sw_wrong(w); /* that is expected */
	for (k = 0; k < 2 && ret == 0; k++)
		ret = sw_scrub(w, &n, 0);
	w->hurt = SW_HURT;
	for (k = 0; k < SW_STATES && ret == 0; k++) {
		if (states >> k & 1)
			ret = sw_backup(w, 0, k, SW_ASK);
	}
	/* Other trees over what was healed come back when it is opened. */
	sw_close(w);
	return ret == 0 ? sw_open(w) : ret;
}

static int
add_bytes(void *arg, const char *name, uint64_t size)
{
	uint64_t *n = arg;

	(void)name;
	*n += size;
	return 0;
}

uint64_t
sw_bytes(struct sweep_world *w)
{
	uint64_t n = 0;
	int ret = w->b->ops->list(w->b, "packs", add_bytes, &n);

	assert(ret == 0);
	return n;
}

int
sw_has(struct sweep_world *w, uint64_t state)
{
	uint8_t id[32], bit = 0;
	int ret;

	fixture_id(id, ROOT(state));
	ret = vault_have(w->v, &bit, id, 1);
	assert(ret == 0);
	return bit;
}

void
sw_flip(struct sweep_world *w, uint64_t number)
{
	char path[PACK_PATH_BYTES];
	struct index_object o;
	struct index_pack p;
	struct index_txn t;
	uint8_t id[32];
	int ret;

	fixture_id(id, number);
	ret = index_begin(&t, w->v->index, 0);
	assert(ret == 0);
	ret = index_find(&o, &t, id);
	if (ret == 0)
		ret = index_pack(&p, &t, o.pack);
	index_abort(&t);
	if (ret != 0)
		return;
	pack_path(path, p.name);
	ret = backend_mem_flip(w->b, path, o.offset + o.length - 1, 1);
	assert(ret == 0);
}

struct frame {
	unsigned n, wanted;
	char *name;
	uint64_t size;
};

static int
pick_pack(void *arg, const char *name, uint64_t size)
{
	struct frame *f = arg;

	if (f->n++ == f->wanted) {
		memcpy(f->name, name, strlen(name) + 1);
		f->size = size;
	}
	return 0;
}

int
sw_frame(char name[BACKEND_NAME_MAX], uint64_t *offset, struct sweep_world *w)
{
	struct frame f = {.wanted = UINT_MAX, .name = name};
	int ret = w->b->ops->list(w->b, "packs", pick_pack, &f);

	if (ret < 0 || f.n == 0)
		return 1;
	f.wanted = sw_draw(w, f.n);
	f.n = 0;
	ret = w->b->ops->list(w->b, "packs", pick_pack, &f);
	if (ret < 0 || f.n <= f.wanted)
		return 1;
	/* The smallest footer is longer than this. */
	*offset = sw_draw(w, 2) ? sw_draw(w, PACK_HEADER_BYTES)
				: f.size - 1 - sw_draw(w, 140);
	return 0;
}

void
sw_damage(struct sweep_world *w, uint64_t number)
{
	uint8_t id[32];

	sw_flip(w, number);
	fixture_id(id, number);
	(void)vault_damaged(w->v, id, NULL); /* a cut may end it */
}

uint64_t
sw_pick(struct sweep_world *w, uint64_t state)
{
	uint64_t kids[KIDS_MAX], at = ROOT(state);
	uint32_t n;

	while ((n = children(kids, at)) > 0 && sw_draw(w, 4) != 0)
		at = kids[sw_draw(w, n)];
	return at;
}
