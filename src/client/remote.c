#include "client/remote.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/pool.h"
#include "hash/hash.h"
#include "net/http_client.h"
#include "proto/body.h"
#include "proto/enroll.h"
#include "proto/login.h"
#include "store/record.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(STORE_ID_BYTES == BODY_ID_BYTES, "ids");
_Static_assert(STORE_NAME_BYTES == IDENT_BYTES, "names");
_Static_assert(STORE_GENERATION_BYTES == IDENT_GENERATION_BYTES, "generation");

#define HAVE_ANSWER_MAX (37u * LIMIT_HAVE_IDS)
#define COMMIT_ANSWER_MAX (64u + BODY_ID_BYTES * LIMIT_MISSING_IDS)

struct remote {
	struct store base; /* first */
	struct channel *channel;
	struct header header;
	struct remote_options o; /* with copies of what it points to */
	char *url;
	struct pool_lock renewing; /* held over a log-in; before `lock` */
	struct pool_lock lock;
	unsigned sessions; /* that followed the first */
	struct pool_cond stop;
	int stopping;
	struct pool_thread *heart; /* NULL without heartbeats */
};

static struct remote *
remote_of(struct store *s)
{
	return (struct remote *)s;
}

/* A checked answer that makes no sense: the server's bug, not damage. */
static int
bad_answer(int r)
{
	return r == ERR_DAMAGED ? err_prefix(ERR_FAIL, "server") : r;
}

/* The round trip of the log-in, checked; `kept` as for channel_plain(). */
static int
log_in(struct login_answer *a, struct mac_session *keys,
    struct http_client **kept, const struct remote_options *o,
    const struct channel_policy *p)
{
	uint8_t secret[SIGN_DH_BYTES];
	struct buf body = BUF_INIT, answer = BUF_INIT;
	struct login_request rq;
	int r;

	memset(&rq, 0, sizeof(rq));
	memcpy(rq.store, o->store_public, sizeof(rq.store));
	memcpy(rq.mount, o->mount, sizeof(rq.mount));
	sign_dh_pair(secret, rq.dh);
	login_request_make(&rq, o->mount_seed);
	r = login_request_encode(&body, &rq);
	if (r == 0)
		r = channel_plain(&answer, kept, o->url, ROUTE_LOGIN, &body, p);
	if (r == 0)
		r = login_answer_decode(a, answer.data, answer.len);
	if (r == ERR_DAMAGED)
		r = err_set(
		    ERR_UNREACHABLE, "%s is not a hashstore server", o->url);
	if (r == 0) {
		r = login_answer_check(a, &rq, o->store_public);
		if (r == ERR_REFUSED)
			r = err_set(r,
			    "%s is another store than the one "
			    "that was registered",
			    o->url);
	}
	if (r == 0)
		r = login_session(keys, &rq, a, secret, a->dh);
	hash_wipe(secret, sizeof(secret));
	buf_release(&body);
	buf_release(&answer);
	return r;
}

/* Which session it is: the first, the second... */
static unsigned
sessions_of(struct remote *m)
{
	unsigned n;

	pool_lock_enter(&m->lock);
	n = m->sessions;
	pool_lock_leave(&m->lock);
	return n;
}

/* Log in anew after session number `session` ended, unless another thread did
 * so already. */
static int
renew(struct remote *m, unsigned session)
{
	struct mac_session keys;
	struct login_answer a;
	int r = 0;

	memset(&keys, 0, sizeof(keys));
	pool_lock_enter(&m->renewing);
	if (sessions_of(m) == session) {
		r = log_in(&a, &keys, NULL, &m->o, channel_policy(m->channel));
		if (r == 0) {
			channel_rekey(m->channel, &keys);
			pool_lock_enter(&m->lock);
			m->sessions++;
			pool_lock_leave(&m->lock);
		}
	}
	pool_lock_leave(&m->renewing);
	mac_wipe(&keys);
	return r;
}

/*
 * As retry_again(), for calls that only read: what they read is checked by its
 * content, so any session will do, and one that ended is replaced.
 */
static int
again(struct remote *m, struct retry *t, int *r, unsigned session)
{
	int ended = *r == ERR_STALE && m->o.renew;

	if (ended)
		*r = err_set(
		    ERR_UNREACHABLE, "the server has ended the session");
	if (!retry_again(t, r))
		return 0;
	if (ended)
		*r = renew(m, session);
	return !ended || *r == 0;
}

static int
remote_have(struct store *s, uint8_t *bitmap, const uint8_t *ids, uint32_t n)
{
	struct remote *m = remote_of(s);
	struct buf body = BUF_INIT, answer = BUF_INIT;
	int r;

	if (n == 0)
		return 0;
	if (n > LIMIT_HAVE_IDS)
		return err_set(ERR_LIMIT, "too many ids at once");
	r = body_have_encode(&body, BODY_OBJECTS, ids, n);
	if (r == 0)
		r = channel_call(&answer, m->channel, ROUTE_HAVE, body.data,
		    body.len, HAVE_ANSWER_MAX);
	if (r == 0)
		r = bad_answer(body_have_answer_decode(
		    bitmap, n, answer.data, answer.len));
	buf_release(&body);
	buf_release(&answer);
	return r;
}

static int
remote_have_files(struct store *s, struct store_member *out,
    const uint8_t *file_ids, uint32_t n)
{
	struct remote *m = remote_of(s);
	struct buf body = BUF_INIT, answer = BUF_INIT;
	struct body_member *members = NULL;
	uint32_t i;
	int r;

	if (n == 0)
		return 0;
	if (n > LIMIT_HAVE_IDS)
		return err_set(ERR_LIMIT, "too many ids at once");
	members = calloc(n, sizeof(*members));
	if (members == NULL)
		return err_nomem(n * sizeof(*members));
	r = body_have_encode(&body, BODY_FILES, file_ids, n);
	if (r == 0)
		r = channel_call(&answer, m->channel, ROUTE_HAVE, body.data,
		    body.len, HAVE_ANSWER_MAX);
	if (r == 0)
		r = bad_answer(body_files_answer_decode(
		    members, n, answer.data, answer.len));
	for (i = 0; i < n && r == 0; i++) {
		out[i].found = members[i].found;
		out[i].member = members[i].member;
		memcpy(out[i].bundle, members[i].bundle, STORE_ID_BYTES);
	}
	buf_release(&body);
	buf_release(&answer);
	free(members);
	return r;
}

static int
remote_put(struct store *s, const uint8_t *records, size_t len)
{
	struct remote *m = remote_of(s);
	struct buf answer = BUF_INIT;
	int r;

	if (len > LIMIT_PUT_BYTES)
		return err_set(ERR_LIMIT, "too many records at once");
	r = channel_call(&answer, m->channel, ROUTE_PUT, records, len, 0);
	buf_release(&answer);
	return r;
}

/* What a get still waits for. */
struct wanted {
	uint8_t id[STORE_ID_BYTES];
	int there;
};

struct fetch {
	struct wanted *wanted; /* sorted */
	uint32_t n;
	uint32_t left;
	int sealed; /* who gets them proves the records themselves */
	store_got_fn *got;
	void *arg;
};

static int
compare_wanted(const void *a, const void *b)
{
	return memcmp(((const struct wanted *)a)->id,
	    ((const struct wanted *)b)->id, STORE_ID_BYTES);
}

/* The entry of `id` that has not come yet (ids may repeat), or NULL. */
static struct wanted *
find_wanted(const struct fetch *f, const uint8_t *id)
{
	uint32_t low = 0, high = f->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (memcmp(f->wanted[mid].id, id, STORE_ID_BYTES) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < f->n; low++) {
		if (memcmp(f->wanted[low].id, id, STORE_ID_BYTES) != 0)
			return NULL;
		if (!f->wanted[low].there)
			return &f->wanted[low];
	}
	return NULL;
}

/* The answer's MAC covers a record's checksum, and that the record. */
static int
check_record(const struct body_item *i)
{
	if (i->record != NULL && record_check_bytes(i->record, i->len) != 0)
		return err_set(
		    ERR_UNREACHABLE, "the server's answer fails its check");
	return 0;
}

static int
on_items(void *arg, const uint8_t *p, size_t len)
{
	static const enum store_got got[] = {
	    [BODY_ITEM_RECORD] = STORE_GOT_RECORD,
	    [BODY_ITEM_ABSENT] = STORE_GOT_ABSENT,
	    [BODY_ITEM_DAMAGED] = STORE_GOT_DAMAGED,
	};
	struct fetch *f = arg;
	struct body_items it;
	struct body_item i;
	struct wanted *w;
	int r;

	body_items_init(&it, p, len);
	while ((r = body_items_next(&i, &it)) == 0) {
		r = f->sealed ? 0 : check_record(&i);
		if (r < 0)
			return r;
		w = find_wanted(f, i.id);
		if (w == NULL)
			return err_set(ERR_FAIL,
			    "server: an object that nobody asked for");
		w->there = 1;
		f->left--;
		r = f->got(f->arg, got[i.status], i.id, i.record, i.len);
		if (r != 0)
			return r;
	}
	return r == 1 ? 0 : bad_answer(r);
}

/* Ask for everything that has not come yet. */
static int
fetch_rest(struct remote *m, struct fetch *f)
{
	struct buf ids = BUF_INIT, body = BUF_INIT;
	uint32_t i;
	int r = 0;

	for (i = 0; i < f->n && r == 0; i++)
		if (!f->wanted[i].there)
			r = buf_append(&ids, f->wanted[i].id, STORE_ID_BYTES);
	if (r == 0)
		r = body_get_encode(&body, ids.data, f->left);
	if (r == 0)
		r = channel_try(
		    m->channel, ROUTE_GET, body.data, body.len, on_items, f);
	if (r == 0 && f->left > 0)
		r = err_set(ERR_FAIL, "server: an object was left out");
	buf_release(&ids);
	buf_release(&body);
	return r;
}

/* `f` says what to do with them. */
static int
get_all(struct remote *m, struct fetch *f, const uint8_t *ids)
{
	uint32_t n = f->n;
	struct retry t;
	unsigned session;
	uint32_t i;
	int r;

	if (n == 0)
		return 0;
	if (n > LIMIT_GET_IDS)
		return err_set(ERR_LIMIT, "too many ids at once");
	f->wanted = calloc(n, sizeof(*f->wanted));
	if (f->wanted == NULL)
		return err_nomem(n * sizeof(*f->wanted));
	for (i = 0; i < n; i++)
		memcpy(f->wanted[i].id, ids + (size_t)i * STORE_ID_BYTES,
		    STORE_ID_BYTES);
	qsort(f->wanted, n, sizeof(*f->wanted), compare_wanted);
	retry_init(&t, &channel_policy(m->channel)->retry);
	do {
		uint32_t before = f->left;

		session = sessions_of(m);
		r = fetch_rest(m, f);
		if (f->left < before)
			retry_reset(&t);
	} while (again(m, &t, &r, session));
	free(f->wanted);
	return r;
}

static int
remote_get(struct store *s, const uint8_t *ids, uint32_t n, store_got_fn *got,
    void *arg)
{
	struct fetch f = {.n = n, .left = n, .got = got, .arg = arg};

	return get_all(remote_of(s), &f, ids);
}

static int
remote_get_sealed(struct store *s, const uint8_t *ids, uint32_t n,
    store_got_fn *got, void *arg)
{
	struct fetch f = {
	    .n = n, .left = n, .sealed = 1, .got = got, .arg = arg};

	return get_all(remote_of(s), &f, ids);
}

static int
remote_get_other(struct store *s, const uint8_t id[STORE_ID_BYTES],
    const uint8_t *bad, uint32_t n, store_got_fn *got, void *arg)
{
	struct remote *m = remote_of(s);
	struct wanted one = {.there = 0};
	struct fetch f = {
	    .wanted = &one, .n = 1, .left = 1, .got = got, .arg = arg};
	struct buf body = BUF_INIT;
	struct retry t;
	unsigned session;
	int r;

	if (n > LIMIT_OTHER_SUMS)
		return err_set(ERR_LIMIT, "too many bad records");
	memcpy(one.id, id, STORE_ID_BYTES);
	r = body_other_encode(&body, id, bad, n);
	if (r < 0)
		goto out;
	retry_init(&t, &channel_policy(m->channel)->retry);
	do {
		session = sessions_of(m);
		r = channel_try(
		    m->channel, ROUTE_OTHER, body.data, body.len, on_items, &f);
		/* It came whole; only the end of the stream did not. */
		if (r == ERR_UNREACHABLE && f.left == 0)
			r = 0;
	} while (again(m, &t, &r, session));
	if (r == 0 && f.left > 0)
		r = err_set(ERR_FAIL, "server: an object was left out");
out:
	buf_release(&body);
	return r;
}

static int
remote_commit(struct store *s, struct store_receipt *receipt,
    struct buf *missing, const uint8_t *snapshot, size_t len)
{
	struct remote *m = remote_of(s);
	struct buf answer = BUF_INIT;
	struct body_commit c;
	int r;

	if (len > LIMIT_SNAPSHOT_BYTES)
		return err_set(ERR_LIMIT, "the snapshot is too large");
	r = channel_call(&answer, m->channel, ROUTE_COMMIT, snapshot, len,
	    COMMIT_ANSWER_MAX);
	if (r == 0)
		r = bad_answer(body_commit_decode(&c, answer.data, answer.len));
	if (r == 0 && c.missing) {
		r = buf_append(missing, c.ids, (size_t)c.count * BODY_ID_BYTES);
		if (r == 0)
			r = err_set(ERR_MISSING,
			    "the store lacks %u objects of the snapshot",
			    c.count);
	} else if (r == 0) {
		receipt->server_seq = c.server_seq;
		receipt->receive_ns = c.receive_ns;
	}
	buf_release(&answer);
	return r;
}

struct listing {
	store_snapshot_fn *snapshot;
	store_mount_fn *mount;
	void *arg;
	unsigned long found;
	/* The last of them.  Answers are sorted by this, and another try goes
	 * on behind it. */
	uint8_t mount_id[IDENT_BYTES];
	uint64_t seq;
	int again;
};

/* Whether it was handed out by an earlier try; else it is the last one now. */
static int
was_found(struct listing *l, const uint8_t mount[IDENT_BYTES], uint64_t seq)
{
	int order = memcmp(mount, l->mount_id, IDENT_BYTES);

	if (l->again && l->found > 0 &&
	    (order < 0 || (order == 0 && seq <= l->seq)))
		return 1;
	memcpy(l->mount_id, mount, IDENT_BYTES);
	l->seq = seq;
	l->found++;
	return 0;
}

static int
on_files(void *arg, const uint8_t *p, size_t len)
{
	struct listing *l = arg;
	struct store_snapshot s;
	struct body_items it;
	struct body_file f;
	int r;

	body_items_init(&it, p, len);
	while ((r = body_files_next(&f, &it)) == 0) {
		if (was_found(l, f.mount, f.seq))
			continue;
		memcpy(s.mount, f.mount, sizeof(s.mount));
		s.seq = f.seq;
		s.file = f.file;
		s.len = f.len;
		r = l->snapshot(l->arg, &s);
		if (r != 0)
			return r;
	}
	return r == 1 ? 0 : bad_answer(r);
}

static int
on_mounts(void *arg, const uint8_t *p, size_t len)
{
	struct listing *l = arg;
	uint8_t name[IDENT_BYTES];
	struct body_items it;
	struct body_mount m;
	int r;

	body_items_init(&it, p, len);
	while ((r = body_mounts_next(&m, &it)) == 0) {
		if (was_found(l, m.mount, 0))
			continue;
		/* A key that its name does not follow from proves nothing: what
		 * it signed is then of a mount that is not known. */
		enroll_mount_id(name, m.public_key);
		if (memcmp(name, m.mount, sizeof(name)) != 0)
			continue;
		r = l->mount(l->arg, m.mount, m.public_key, m.label);
		if (r != 0)
			return r;
	}
	return r == 1 ? 0 : bad_answer(r);
}

static int
list(struct remote *m, enum route route, const struct buf *body,
    channel_data_fn *data, struct listing *l)
{
	struct store_info *info = &m->base.info;
	struct retry t;
	unsigned session;
	int64_t begun_ns, took_ns;
	int r;

	retry_init(&t, &channel_policy(m->channel)->retry);
	do {
		unsigned long before = l->found;

		session = sessions_of(m);
		begun_ns = clock_mono_ns();
		r = channel_try(
		    m->channel, route, body->data, body->len, data, l);
		took_ns = clock_mono_ns() - begun_ns;
		if (l->found > before)
			retry_reset(&t);
		l->again = 1;
	} while (again(m, &t, &r, session));
	/* The log-in alone would take a store on a busy machine for a far
	 * one, for which a restore takes twice the memory. */
	if (r == 0 && took_ns < info->answer_ns)
		info->answer_ns = took_ns;
	return r;
}

static int
list_files(struct store *s, const uint8_t *mount, int tombs,
    store_snapshot_fn *found, void *arg)
{
	struct listing l = {.snapshot = found, .arg = arg};
	struct buf body = BUF_INIT;
	int r = body_snapshots_encode(&body, mount, tombs);

	if (r == 0)
		r = list(remote_of(s), ROUTE_SNAPSHOTS, &body, on_files, &l);
	buf_release(&body);
	return r;
}

static int
remote_snapshots(struct store *s, const uint8_t mount[STORE_NAME_BYTES],
    store_snapshot_fn *found, void *arg)
{
	return list_files(s, mount, 0, found, arg);
}

static int
remote_tombs(struct store *s, const uint8_t mount[STORE_NAME_BYTES],
    store_snapshot_fn *found, void *arg)
{
	return list_files(s, mount, 1, found, arg);
}

static int
remote_mounts(struct store *s, store_mount_fn *found, void *arg)
{
	struct listing l = {.mount = found, .arg = arg};
	struct buf body = BUF_INIT;

	return list(remote_of(s), ROUTE_MOUNTS, &body, on_mounts, &l);
}

static int
remote_report(struct store *s, const uint8_t id[STORE_ID_BYTES])
{
	struct buf answer = BUF_INIT;
	int r = channel_call(&answer, remote_of(s)->channel, ROUTE_REPORT, id,
	    STORE_ID_BYTES, 0);

	buf_release(&answer);
	return r;
}

static int
on_nothing(void *arg, const uint8_t *p, size_t len)
{
	(void)arg;
	(void)p;
	(void)len;
	return 0;
}

/*
 * A client may work for a long time without a request: the session must not
 * end meanwhile.  Asks for nothing when nothing was asked for a while.
 */
static void
beat(void *arg)
{
	struct remote *m = arg;
	unsigned ms = channel_policy(m->channel)->heartbeat_ms;
	int64_t silent_ns;
	struct buf body = BUF_INIT;
	int r = body_have_encode(&body, BODY_OBJECTS, NULL, 0);

	pool_lock_enter(&m->lock);
	while (r == 0 && !m->stopping) {
		silent_ns = clock_mono_ns() - channel_used_ns(m->channel);
		if (silent_ns < ms * 1000000ll) {
			(void)pool_cond_wait_ms(&m->stop, &m->lock,
			    ms - (unsigned)(silent_ns / 1000000)); /* look */
			continue;
		}
		pool_lock_leave(&m->lock);
		/* The next call tells what is wrong. */
		(void)channel_try(m->channel, ROUTE_HAVE, body.data, body.len,
		    on_nothing, NULL);
		pool_lock_enter(&m->lock);
	}
	pool_lock_leave(&m->lock);
	buf_release(&body);
}

static void
stop_heart(struct remote *m)
{
	pool_lock_enter(&m->lock);
	m->stopping = 1;
	pool_cond_wake_all(&m->stop);
	pool_lock_leave(&m->lock);
	channel_cancel(m->channel, 1);
	pool_thread_join(m->heart);
	channel_cancel(m->channel, 0);
}

static void
remote_free(struct remote *m)
{
	hash_wipe(&m->o, sizeof(m->o));
	free(m->url);
	free(m);
}

static void
remote_close(struct store *s)
{
	struct remote *m = remote_of(s);

	stop_heart(m);
	/* One try: without it the session ends by its lease. */
	(void)channel_try(m->channel, ROUTE_LOGOUT, NULL, 0, on_nothing, NULL);
	channel_close(m->channel);
	pool_cond_release(&m->stop);
	pool_lock_release(&m->lock);
	pool_lock_release(&m->renewing);
	remote_free(m);
}

static const struct store_ops remote_ops = {
    .have = remote_have,
    .have_files = remote_have_files,
    .put = remote_put,
    .get = remote_get,
    .get_sealed = remote_get_sealed,
    .get_other = remote_get_other,
    .commit = remote_commit,
    .snapshots = remote_snapshots,
    .tombs = remote_tombs,
    .mounts = remote_mounts,
    .report = remote_report,
    .close = remote_close,
};

static void
fill_info(struct store_info *info, const struct remote_options *o,
    const struct login_answer *a)
{
	memcpy(info->store_public, o->store_public, sizeof(info->store_public));
	memcpy(info->vault, a->header.vault, sizeof(info->vault));
	memcpy(info->mount, o->mount, sizeof(info->mount));
	memcpy(info->generation, a->generation, sizeof(info->generation));
	info->has_parent = a->has_parent;
	info->parent_client_seq = a->parent_client_seq;
	info->parent_server_seq = a->parent_server_seq;
	memcpy(info->parent_hash, a->parent_hash, sizeof(info->parent_hash));
	info->write_path = "network";
}

int
remote_open(struct store **out, const struct remote_options *o)
{
	const struct channel_policy *p =
	    o->policy != NULL ? o->policy : &channel_policy_default;
	struct remote *m = calloc(1, sizeof(*m));
	struct http_client *kept = NULL;
	struct mac_session keys;
	struct login_answer a;
	int64_t begun_ns = clock_mono_ns();
	int r;

	if (m == NULL)
		return err_nomem(sizeof(*m));
	memset(&keys, 0, sizeof(keys));
	m->o = *o;
	m->url = fs_printf("%s", o->url);
	m->o.url = m->url;
	m->o.policy = NULL; /* the channel has it */
	r = m->url == NULL ? ERR_NOMEM : log_in(&a, &keys, &kept, o, p);
	if (r == 0)
		r = channel_open(
		    &m->channel, kept, o->url, p, &keys, o->store_public);
	else
		http_client_close(kept);
	if (r == 0) {
		pool_lock_init(&m->renewing);
		pool_lock_init(&m->lock);
		pool_cond_init(&m->stop);
		/* Without a thread the session may end while we work. */
		if (p->heartbeat_ms > 0)
			(void)pool_thread_start(&m->heart, beat, m);
		m->base.ops = &remote_ops;
		m->header = a.header;
		fill_info(&m->base.info, o, &a);
		/* A connection and a request. */
		m->base.info.answer_ns = (clock_mono_ns() - begun_ns) / 2;
		*out = &m->base;
	} else {
		remote_free(m);
	}
	mac_wipe(&keys);
	return r;
}

const struct header *
remote_header(const struct store *s)
{
	return &((const struct remote *)s)->header;
}
