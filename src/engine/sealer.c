#include "engine/sealer.h"

#include "base/err.h"
#include "engine/recent.h"
#include "seal/seal.h"
#include "store/record.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

/* On the way at once: enough to keep all busy, little enough for the memory
 * that a backup may take.  What is sealed counts as its record: else a far
 * store's line would see little of what compresses well. */
#define JOBS 256u
#define JOBS_BYTES (12u << 20)
/* A request is at least so long, while there is enough to send. */
#define BATCH_BYTES (3u << 20)
/* Requests under way: a far store's line is not to stand idle while it thinks
 * about one, or while the next one is filled: the fewer are under way, the
 * sooner the next goes. */
#define SENDERS_NEAR 2u
#define SENDERS_FAR 4u
#define HASTY_BYTES (256u << 10)
/* Questions: so many objects or bytes are asked about in one, or what came
 * within some milliseconds. */
#define ASKERS 4u
#define ASK_OBJECTS 64u
#define ASK_BYTES (4u << 20)
#define ASK_MS 5u
/* A worker that waits looks this often for something to seal. */
#define HELP_MS 20u
#define RECENT_BITS 14u

struct job {
	struct crew_task task;
	struct sealer *sealer;
	struct object object;
	size_t bytes;
	struct buf record; /* when sealed; empty: the store has it */
	enum { JOB_OFFERED, JOB_UNDER_WAY, JOB_DONE } state;
};

/*
 * A ring of jobs in the order in which they came: asked about and sealed in
 * any order, sent from its beginning.  One sender at a time fills its request,
 * so requests begin in that order too.
 */
struct sealer {
	struct run *run;
	struct pool_lock lock;
	struct pool_cond room; /* a job was taken out */
	struct pool_cond ready; /* the first job is done; a turn ended */
	struct pool_cond offers; /* there are offers, or enough of them */
	struct job jobs[JOBS];
	uint32_t first, count;
	size_t bytes;
	uint32_t offered; /* jobs that wait for being asked about */
	size_t offered_bytes;
	int filling; /* a sender has its turn */
	unsigned sending; /* requests under way */
	int far;
	int finishing;
	struct recent *recent;
	struct pool_thread *senders[SENDERS_FAR];
	struct pool_thread *askers[ASKERS];
};

static void send_records(void *arg);
static void ask_store(void *arg);

int
sealer_new(struct sealer **out, struct run *run)
{
	struct sealer *s = calloc(1, sizeof(*s));
	uint32_t i;
	int r;

	if (s == NULL)
		return err_nomem(sizeof(*s));
	s->run = run;
	s->far = run->store->info.answer_ns > STORE_FAR_NS;
	pool_cond_init(&s->offers);
	pool_lock_init(&s->lock);
	pool_cond_init(&s->room);
	pool_cond_init(&s->ready);
	for (i = 0; i < JOBS; i++) {
		s->jobs[i].sealer = s;
		object_init(&s->jobs[i].object, OBJECT_CHUNK);
	}
	r = recent_new(&s->recent, RECENT_BITS);
	for (i = 0; r == 0 && i < (s->far ? SENDERS_FAR : SENDERS_NEAR); i++)
		r = pool_thread_start(&s->senders[i], send_records, s);
	for (i = 0; r == 0 && i < ASKERS; i++)
		r = pool_thread_start(&s->askers[i], ask_store, s);
	if (r != 0) {
		sealer_free(s);
		return r;
	}
	*out = s;
	return 0;
}

int
sealer_finish(struct sealer *s)
{
	uint32_t i;

	pool_lock_enter(&s->lock);
	s->finishing = 1;
	pool_cond_wake_all(&s->ready);
	pool_cond_wake_all(&s->offers);
	pool_lock_leave(&s->lock);
	for (i = 0; i < ASKERS; i++) {
		pool_thread_join(s->askers[i]);
		s->askers[i] = NULL;
	}
	for (i = 0; i < SENDERS_FAR; i++) {
		pool_thread_join(s->senders[i]);
		s->senders[i] = NULL;
	}
	return fate_check(&s->run->fate);
}

void
sealer_free(struct sealer *s)
{
	uint32_t i;

	if (s == NULL)
		return;
	(void)sealer_finish(s); /* whoever frees it knows the error already */
	for (i = 0; i < JOBS; i++) {
		object_release(&s->jobs[i].object);
		buf_release(&s->jobs[i].record);
	}
	recent_free(s->recent);
	pool_cond_release(&s->offers);
	pool_cond_release(&s->ready);
	pool_cond_release(&s->room);
	pool_lock_release(&s->lock);
	free(s);
}

static void
set_bind(struct seal_bind *bind, const struct object *o, uint32_t epoch)
{
	memset(bind, 0, sizeof(*bind));
	bind->epoch = epoch;
	bind->type = (uint8_t)o->type;
	bind->id = o->id;
	bind->refs = o->refs.data;
	bind->nrefs = object_nrefs(o);
	bind->members = o->members.data;
	bind->nmembers = object_nmembers(o);
}

/* Append the record of an object. */
static int
make_record(struct buf *out, struct worker *w, const struct seal_bind *bind,
    const struct object *o)
{
	static const uint8_t no_key[16];
	struct record rec = {0};
	size_t start = out->len, sealed_at;
	int r;

	rec.class = (enum record_class)object_class(o->type);
	rec.epoch = bind->epoch;
	rec.nrefs = bind->nrefs;
	rec.nmembers = bind->nmembers;
	rec.key_id = no_key;
	rec.id = o->id;
	rec.refs = bind->refs;
	rec.members = bind->members;
	r = record_begin(out, &rec);
	sealed_at = out->len;
	if (r == 0)
		r = seal_wrap(
		    out, w->seal, bind, o->payload.data, o->payload.len);
	if (r == 0)
		r = record_end(out, start, out->len - sealed_at);
	/* Room was taken for the worst case, and many records wait. */
	buf_trim(out);
	return r;
}

static int
same_ids(const uint8_t *a, const uint8_t *b, uint32_t n)
{
	return n == 0 || memcmp(a, b, (size_t)n * OBJECT_ID_BYTES) == 0;
}

/* What is not sealed is what was asked for. */
static int
is_bound(const struct record *r, const struct seal_bind *bind,
    const struct object *o)
{
	return r->class == (enum record_class)object_class(o->type) &&
	       r->epoch == bind->epoch && r->nrefs == bind->nrefs &&
	       r->nmembers == bind->nmembers &&
	       memcmp(r->key_id, bind->key_id, sizeof(bind->key_id)) == 0 &&
	       memcmp(r->id, o->id, OBJECT_ID_BYTES) == 0 &&
	       same_ids(r->refs, bind->refs, r->nrefs) &&
	       same_ids(r->members, bind->members, r->nmembers);
}

/*
 * Read the record as a restore would.  A bit that flipped in memory, or an
 * error of a codec, must not become a record with a valid checksum.  The
 * checksum itself, just made, is left to the store, which compares it before
 * it takes the record: what changes from here on is found there.
 */
static int
check_record(const struct buf *record, struct worker *w,
    const struct seal_bind *bind, const struct object *o)
{
	uint8_t id[OBJECT_ID_BYTES];
	const uint8_t *plain = NULL;
	size_t plain_len = 0;
	struct record rec;
	int r;

	r = record_parse(&rec, record->data, record->len);
	if (r == 0 && (rec.len != record->len || !is_bound(&rec, bind, o)))
		r = err_set(ERR_DAMAGED, "a record is not that of its object");
	if (r == 0)
		r = seal_view(&plain, &plain_len, w->seal, bind, rec.sealed,
		    rec.sealed_len);
	if (r != 0)
		return err_prefix(ERR_FAIL, "an object cannot be read back");
	object_id(id, w->run->keys->id, o->type, rec.refs, rec.nrefs, plain,
	    plain_len);
	if (memcmp(id, o->id, sizeof(id)) != 0)
		return err_set(ERR_FAIL,
		    "an object does not read back as it was: this machine's "
		    "memory may be faulty");
	return 0;
}

/* The lock is held; nothing is left of the job but its record. */
static void
end_job(struct sealer *s, struct job *j)
{
	s->bytes = s->bytes - j->bytes + j->record.len;
	j->bytes = j->record.len;
	pool_cond_wake_all(&s->room);
	j->state = JOB_DONE;
	if (j == &s->jobs[s->first])
		pool_cond_wake_all(&s->ready);
}

/* The task of a job. */
static void
seal_job(struct crew_task *task, void *context)
{
	struct job *j =
	    (struct job *)(void *)((char *)task - offsetof(struct job, task));
	struct worker *w = context;
	struct sealer *s = j->sealer;
	struct seal_bind bind;
	int r = fate_check(&s->run->fate);

	if (r == 0) {
		set_bind(&bind, &j->object, w->run->keys->epoch);
		r = make_record(&j->record, w, &bind, &j->object);
		if (r == 0)
			r = check_record(&j->record, w, &bind, &j->object);
		if (r != 0)
			(void)fate_fail(&s->run->fate, r);
	}
	object_release(&j->object);
	pool_lock_enter(&s->lock);
	end_job(s, j);
	pool_lock_leave(&s->lock);
}

static int
is_full(const struct sealer *s, size_t bytes)
{
	return s->count == JOBS ||
	       (s->count > 0 && s->bytes + bytes > JOBS_BYTES);
}

/* Wait for room; the lock is held. */
static void
wait_room(struct sealer *s, size_t bytes, struct worker *w)
{
	int helped;

	while (is_full(s, bytes)) {
		helped = 0;
		if (w != NULL) {
			pool_lock_leave(&s->lock);
			helped = crew_help(s->run->crew, w) == 0;
			pool_lock_enter(&s->lock);
		}
		if (!helped && is_full(s, bytes))
			(void)pool_cond_wait_ms(&s->room, &s->lock, HELP_MS);
	}
}

/* One more offer; the lock is held. */
static void
note_offer(struct sealer *s, const struct job *j)
{
	s->offered++;
	s->offered_bytes += j->bytes;
	if (s->offered == 1 || s->offered == ASK_OBJECTS ||
	    (s->offered_bytes >= ASK_BYTES &&
		s->offered_bytes - j->bytes < ASK_BYTES))
		pool_cond_wake_all(&s->offers);
}

static int
bring(struct sealer *s, struct object *o, struct worker *w, int ask)
{
	size_t bytes = o->payload.len + o->refs.len + o->members.len;
	struct job *j;
	int r = fate_check(&s->run->fate);

	if (r != 0)
		return r;
	pool_lock_enter(&s->lock);
	if (recent_find(s->recent, o->id) == RECENT_NONE)
		wait_room(s, bytes, w);
	if (recent_find(s->recent, o->id) != RECENT_NONE) {
		pool_lock_leave(&s->lock);
		return 0;
	}
	(void)recent_add(s->recent, o->id); /* its place is of no use here */
	j = &s->jobs[(s->first + s->count) % JOBS];
	s->count++;
	s->bytes += bytes;
	j->object = *o;
	j->bytes = bytes;
	j->state = ask ? JOB_OFFERED : JOB_UNDER_WAY;
	j->task.run = seal_job;
	object_init(o, j->object.type);
	memcpy(o->id, j->object.id, OBJECT_ID_BYTES);
	if (ask)
		note_offer(s, j);
	else
		crew_submit(s->run->crew, &j->task, 1);
	pool_lock_leave(&s->lock);
	return 0;
}

int
sealer_offer(struct sealer *s, struct object *o, struct worker *w)
{
	object_name(o, s->run->keys->id);
	return bring(s, o, w, 1);
}

int
sealer_submit(struct sealer *s, struct object *o, struct worker *w)
{
	return bring(s, o, w, 0);
}

/*
 * Take what is offered, when it is enough or no more comes at the moment; the
 * lock is held.  Returns how many; 0: that was all.
 */
static uint32_t
take_offers(struct job **jobs, uint8_t *ids, struct sealer *s)
{
	struct job *j;
	uint32_t i, n = 0;

	while (s->offered == 0 && !s->finishing)
		pool_cond_wait(&s->offers, &s->lock);
	if (s->offered < ASK_OBJECTS && s->offered_bytes < ASK_BYTES &&
	    !s->finishing)
		(void)pool_cond_wait_ms(&s->offers, &s->lock, ASK_MS);
	for (i = 0; s->offered > 0 && i < s->count; i++) {
		j = &s->jobs[(s->first + i) % JOBS];
		if (j->state != JOB_OFFERED)
			continue;
		j->state = JOB_UNDER_WAY;
		s->offered--;
		s->offered_bytes -= j->bytes;
		memcpy(ids + (size_t)n * OBJECT_ID_BYTES, j->object.id,
		    OBJECT_ID_BYTES);
		jobs[n++] = j;
	}
	return n;
}

/* An asker's thread. */
static void
ask_store(void *arg)
{
	struct sealer *s = arg;
	struct run *run = s->run;
	uint8_t ids[JOBS * OBJECT_ID_BYTES], bitmap[JOBS / 8];
	struct job *jobs[JOBS];
	uint32_t i, n;
	int r, over;

	do {
		pool_lock_enter(&s->lock);
		n = take_offers(jobs, ids, s);
		over = n == 0 && s->offered == 0 && s->finishing;
		pool_lock_leave(&s->lock);
		memset(bitmap, 0, sizeof(bitmap));
		r = fate_check(&run->fate);
		if (r == 0 && n > 0)
			r = run->store->ops->have(run->store, bitmap, ids, n);
		if (r != 0)
			(void)fate_fail(&run->fate, r);
		pool_lock_enter(&s->lock);
		for (i = 0; i < n; i++) {
			if ((bitmap[i / 8] >> (i % 8) & 1) == 0) {
				crew_submit(run->crew, &jobs[i]->task, 1);
				continue;
			}
			object_release(&jobs[i]->object);
			end_job(s, jobs[i]);
		}
		pool_lock_leave(&s->lock);
	} while (!over);
}

int
sealer_knows(struct sealer *s, const uint8_t id[OBJECT_ID_BYTES])
{
	uint32_t at;

	pool_lock_enter(&s->lock);
	at = recent_find(s->recent, id);
	pool_lock_leave(&s->lock);
	return at != RECENT_NONE;
}

/* What makes a request long enough; the lock is held. */
static size_t
batch_bytes(const struct sealer *s)
{
	if (!s->far || s->sending >= SENDERS_FAR - 1)
		return BATCH_BYTES;
	return (size_t)HASTY_BYTES << s->sending;
}

/*
 * Take records from the beginning of the ring until the request is long enough
 * or nothing more comes; the lock is held, and given up while bytes are
 * copied.  Adds their number to `*n`.  Returns nonzero when that was all.
 */
static int
fill(struct buf *batch, uint64_t *n, struct sealer *s)
{
	struct buf record;
	struct job *j;

	while (batch->len < batch_bytes(s)) {
		j = &s->jobs[s->first];
		if (s->count == 0 && s->finishing)
			return 1;
		if (s->count == 0 || j->state != JOB_DONE) {
			pool_cond_wait(&s->ready, &s->lock);
			continue;
		}
		record = j->record;
		buf_init(&j->record);
		s->first = (s->first + 1) % JOBS;
		s->count--;
		s->bytes -= j->bytes;
		pool_cond_wake_all(&s->room);
		if (record.len == 0)
			continue; /* the store has it */
		pool_lock_leave(&s->lock);
		if (buf_append(batch, record.data, record.len) != 0)
			(void)fate_fail(&s->run->fate, ERR_NOMEM);
		buf_release(&record);
		++*n;
		pool_lock_enter(&s->lock);
	}
	return 0;
}

/* A sender's thread. */
static void
send_records(void *arg)
{
	struct sealer *s = arg;
	struct run *run = s->run;
	struct buf batch = BUF_INIT;
	uint64_t n;
	int r, over;

	do {
		n = 0;
		buf_reset(&batch);
		pool_lock_enter(&s->lock);
		while (s->filling)
			pool_cond_wait(&s->ready, &s->lock);
		s->filling = 1;
		over = fill(&batch, &n, s);
		s->filling = 0;
		s->sending++;
		pool_cond_wake_all(&s->ready);
		pool_lock_leave(&s->lock);
		r = fate_check(&run->fate);
		if (r == 0 && batch.len > 0)
			r = run->store->ops->put(
			    run->store, batch.data, batch.len);
		pool_lock_enter(&s->lock);
		s->sending--;
		pool_cond_wake_all(&s->ready);
		pool_lock_leave(&s->lock);
		if (r != 0) {
			(void)fate_fail(&run->fate, r);
			continue;
		}
		(void)atomic_fetch_add(&run->notes.counts->objects, n);
		(void)atomic_fetch_add(
		    &run->notes.counts->objects_bytes, batch.len);
	} while (!over);
	buf_release(&batch);
}
