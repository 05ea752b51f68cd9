#include "store/commit.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "store/admit.h"
#include "store/backend.h"
#include "store/envelope.h"
#include "store/heads.h"
#include "store/index.h"
#include "store/sync.h"
#include "store/vault.h"

#include <string.h>

/* C1. */
static int
check_envelope(struct envelope *e, struct vault *v,
    const uint8_t mount[STORE_NAME_BYTES], const uint8_t public_key[32],
    const uint8_t *client, size_t len)
{
	int ret = envelope_decode_client(e, client, len);

	if (ret < 0)
		return err_prefix(ERR_REFUSED, "commit");
	if (memcmp(e->vault, v->id, STORE_NAME_BYTES) != 0 ||
	    memcmp(e->mount, mount, STORE_NAME_BYTES) != 0)
		return err_set(
		    ERR_REFUSED, "a snapshot of another vault or directory");
	if (e->epoch > v->epoch)
		return err_set(ERR_REFUSED, "unknown key epoch %u", e->epoch);
	return envelope_check_signature(e, public_key);
}

/* C2 and C3.  Returns 0; 1 for a repeat: `*h` tells; ERR_*. */
static int
check_history(struct head *h, struct vault *v, const struct envelope *e)
{
	static const uint8_t zero[HASH_BYTES];
	uint8_t hash[HASH_BYTES];
	const struct head *known;

	memset(h, 0, sizeof(*h));
	memcpy(h->mount, e->mount, sizeof(h->mount));
	pool_lock_enter(&v->lock);
	known = heads_find(&v->heads, e->mount);
	if (known != NULL)
		*h = *known;
	pool_lock_leave(&v->lock);
	if (h->last_seq >= HEADS_SEQ_MAX)
		return err_set(ERR_LIMIT, "no further snapshot");
	if (h->server_seq > 0 && e->client_seq <= h->client_seq) {
		envelope_hash(hash, e);
		if (memcmp(hash, h->hash, HASH_BYTES) == 0)
			return 1;
		return err_set(ERR_EXIST,
		    "a copy of this directory made its snapshot %llu "
		    "meanwhile; run again, and register the copy anew",
		    (unsigned long long)e->client_seq);
	}
	if (e->client_seq != h->client_seq + 1 ||
	    memcmp(e->previous, h->server_seq > 0 ? h->hash : zero,
		HASH_BYTES) != 0)
		return err_set(ERR_STALE,
		    "the snapshot does not follow the newest one here");
	return 0;
}

/* What a refused client has to look at again. */
static int
list_missing(struct buf *missing, const struct admit_walk *w)
{
	const struct idmap_slot *s;
	size_t pos = 0;
	uint32_t n = 0;
	int ret = 0;

	while (ret == 0 && n < LIMIT_MISSING_IDS) {
		s = idmap_next(&w->seen, &pos);
		if (s == NULL)
			break;
		if (s->value != ADMIT_STUCK)
			continue;
		ret = buf_append(missing, s->id, sizeof(s->id));
		n++;
	}
	return ret;
}

/* C4.  Most commits find all closed and never write. */
static int
check_closure(struct buf *missing, struct vault *v, const struct envelope *e)
{
	struct admit_walk w;
	struct index_txn t;
	uint32_t i;
	int ret, stuck = 0;
	uint8_t have[LIMIT_REFS / 8] = {0};

	ret = vault_have(v, have, e->refs, e->nrefs);
	if (ret < 0)
		return ret;
	for (i = 0; i < e->nrefs && have[i / 8] >> i % 8 & 1; i++)
		continue;
	if (i == e->nrefs)
		return 0;
	ret = index_begin(&t, v->index, 1);
	if (ret < 0)
		return ret;
	admit_walk_init(&w);
	for (i = 0; i < e->nrefs && ret >= 0; i++) {
		ret = admit_reach(&w, &t, v->backend, e->refs + (size_t)i * 32);
		stuck |= ret == 1;
	}
	if (ret >= 0 && stuck) {
		buf_reset(missing);
		ret = list_missing(missing, &w);
		if (ret == 0)
			ret = err_set(ERR_MISSING,
			    "the snapshot needs objects that are not here");
	}
	admit_walk_release(&w);
	if (ret < 0 && ret != ERR_MISSING) {
		index_abort(&t);
		return ret;
	}
	/* What could be admitted stays; if it cannot, MISSING is still true. */
	if (ret == ERR_MISSING) {
		(void)index_commit(&t);
		return ret;
	}
	return index_commit(&t);
}

/* C5. */
static int
put_snapshot(struct head *h, struct vault *v, const struct envelope *e)
{
	char path[HEADS_PATH_BYTES];
	struct buf file = BUF_INIT;
	int64_t now = clock_wall_ns();
	uint64_t seq = h->last_seq + 1;
	int ret = buf_append(&file, e->client, e->client_len);

	if (ret == 0)
		ret = envelope_finish(&file, now, seq);
	if (ret < 0)
		goto out;
	heads_path(path, e->mount, seq);
	ret = backend_put_all(v->backend, path, file.data, file.len);
	if (ret < 0) {
		/* Whether it is there, only the backend knows. */
		pool_lock_enter(&v->lock);
		v->reload = 1;
		pool_lock_leave(&v->lock);
		/* A name that nobody here gave. */
		if (ret == ERR_EXIST)
			ret = err_prefix(ERR_IO, "commit");
		goto out;
	}
	h->last_seq = h->server_seq = seq;
	h->client_seq = e->client_seq;
	h->receive_ns = now;
	envelope_hash(h->hash, e);
out:
	buf_release(&file);
	return ret;
}

/* C6.  The snapshot is acknowledged whatever happens here. */
static void
note_snapshot(struct vault *v, const struct head *h)
{
	struct index_txn t;
	int ret;

	pool_lock_enter(&v->lock);
	if (heads_set(&v->heads, h) < 0)
		v->reload = 1;
	pool_lock_leave(&v->lock);
	ret = index_begin(&t, v->index, 1);
	if (ret < 0)
		return;
	ret = index_set_head(&t, h->mount, h->last_seq);
	/* Unnoted it is found at the next opening. */
	if (ret == 0)
		(void)index_commit(&t);
	else
		index_abort(&t);
}

int
commit_snapshot(struct store_receipt *receipt, struct buf *missing,
    struct vault *v, const uint8_t mount[STORE_NAME_BYTES],
    const uint8_t public_key[32], const uint8_t *client, size_t len)
{
	struct envelope e;
	struct head h;
	int ret, reload;

	ret = check_envelope(&e, v, mount, public_key, client, len);
	if (ret < 0)
		return ret;
	pool_lock_enter(&v->change);
	pool_lock_enter(&v->lock);
	reload = v->reload;
	pool_lock_leave(&v->lock);
	if (reload)
		ret = sync_vault(v);
	if (ret == 0)
		ret = check_history(&h, v, &e);
	if (ret == 0)
		ret = check_closure(missing, v, &e);
	else if (ret == 1)
		goto repeat;
	if (ret == 0)
		ret = put_snapshot(&h, v, &e);
	if (ret < 0)
		goto out;
	note_snapshot(v, &h);
repeat:
	receipt->server_seq = h.server_seq;
	receipt->receive_ns = h.receive_ns;
	ret = 0;
out:
	pool_lock_leave(&v->change);
	return ret;
}
