#include "engine/backup.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/os.h"
#include "base/pool.h"
#include "engine/asker.h"
#include "engine/assembler.h"
#include "engine/cache.h"
#include "engine/rehearsal.h"
#include "engine/run.h"
#include "engine/sealer.h"
#include "engine/snap.h"
#include "seal/keys.h"
#include "seal/seal.h"

#include <stdlib.h>
#include <string.h>

/* One walk from beginning to commit. */
/* Threads that read, hash and seal, beyond the processors. */
#define READERS_MORE 0u

struct pass {
	struct run run;
	const struct backup_options *o;
	unsigned nworkers;
	struct worker **workers;
	struct assembler *assembler;
	struct seal *seal; /* for the snapshot */
	struct cache *cache; /* NULL: none */
	int64_t start_ns;
};

/*
 * A cache that cannot be opened is no reason to make no backup: the run goes
 * on without it.
 */
static void
open_cache(struct pass *p, const struct buf *missing)
{
	const struct store_info *at = &p->run.store->info;
	struct past_set *past = &p->run.past;
	char machine[OS_MACHINE_ID_LEN + 1] = "";
	struct cache_head head;
	int r;

	if (p->o->cache_path == NULL)
		return;
	memset(&head, 0, sizeof(head));
	memcpy(head.store_public, at->store_public, sizeof(head.store_public));
	memcpy(head.vault, at->vault, sizeof(head.vault));
	memcpy(head.mount, at->mount, sizeof(head.mount));
	memcpy(head.generation, at->generation, sizeof(head.generation));
	if (at->has_parent)
		memcpy(head.snapshot, at->parent_hash, sizeof(head.snapshot));
	(void)os_machine_id(machine); /* without one all are the same */
	hash_bytes(head.machine, machine, strlen(machine));
	if (p->o->dry_run)
		r = cache_look(
		    &p->cache, p->o->cache_path, p->run.keys->cache, &head);
	else
		r = cache_open(
		    &p->cache, p->o->cache_path, p->run.keys->cache, &head);
	if (r > 0)
		return;
	if (r < 0) {
		notes_no_cache(&p->run.notes);
		return;
	}
	/* What is not known to be sparse stays where it is. */
	if (usage_load(&p->run.usage, p->cache) != 0)
		buf_reset(&p->run.usage.sparse);
	p->run.cache = p->cache;
	past_set_init(past, p->cache, p->run.store);
	if (missing == NULL)
		return;
	past->missing = missing->data;
	past->nmissing = (uint32_t)(missing->len / OBJECT_ID_BYTES);
	past->ask_root = 1;
}

static void
pass_release(struct pass *p)
{
	unsigned i;

	/* The sealer's jobs need the crew until the last. */
	sealer_free(p->run.sealer);
	crew_stop(p->run.crew);
	asker_free(p->run.asker);
	assembler_free(p->assembler);
	for (i = 0; p->workers != NULL && i < p->nworkers; i++)
		run_worker_free(p->workers[i]);
	free(p->workers);
	seal_free(p->seal);
	run_release(&p->run);
	cache_close(p->cache); /* entries pointed into it */
}

static int
pass_init(struct pass *p, struct store *store, const struct keys *keys,
    const struct backup_options *o, const struct buf *missing)
{
	const struct run_options options = {.chunker = o->chunker,
	    .counts = o->counts,
	    .warn = o->warn,
	    .warn_arg = o->warn_arg,
	    .interrupt = o->interrupt,
	    .clock_dir = o->dry_run ? NULL : o->state_path};
	const struct seal_options *seal =
	    o->seal != NULL ? o->seal : &seal_default;
	struct run *run = &p->run;
	unsigned i;
	int r;

	memset(p, 0, sizeof(*p));
	p->o = o;
	p->start_ns = clock_wall_ns();
	p->nworkers = pool_cpus() + READERS_MORE;
	r = run_init(run, &options);
	if (r != 0)
		return r;
	run->store = store;
	if (store->info.answer_ns > STORE_FAR_NS)
		flow_set_far(run->flow);
	run->keys = keys;
	run->dry_run = o->dry_run;
	open_cache(p, missing);
	p->workers = calloc(p->nworkers, sizeof(struct worker *));
	if (p->workers == NULL)
		r = err_nomem(p->nworkers * sizeof(struct worker *));
	if (r == 0)
		r = chunker_init(&run->chunker, keys->chunker,
		    o->chunker != NULL ? o->chunker : &chunker_default);
	if (r == 0)
		r = seal_new(&p->seal, keys, seal);
	for (i = 0; r == 0 && i < p->nworkers; i++) {
		r = run_worker_new(&p->workers[i], run);
		if (r == 0)
			r = seal_new(&p->workers[i]->seal, keys, seal);
	}
	if (r == 0)
		r = crew_start(
		    &run->crew, (void *const *)p->workers, p->nworkers);
	if (r == 0)
		r = asker_new(&run->asker, run);
	if (r == 0)
		r = sealer_new(&run->sealer, run);
	if (r == 0)
		r = assembler_new(&p->assembler, run);
	if (r != 0)
		pass_release(p);
	return r;
}

/* Walk, and have everything in the store but the snapshot. */
static int
pass_walk(struct pass *p)
{
	struct pool_thread *thread = NULL;
	int r;

	r = pool_thread_start(&thread, assembler_run, p->assembler);
	if (r != 0)
		return r;
	(void)walk_run(&p->run, &p->o->walk); /* its error is in the fate */
	pool_thread_join(thread);
	(void)sealer_finish(p->run.sealer); /* and so is this one */
	return fate_result(&p->run.fate);
}

/* The snapshot was acknowledged: what the cache says is in it. */
static void
finish_cache(struct pass *p, const uint8_t snapshot[HASH_BYTES])
{
	if (p->cache == NULL || !assembler_cached(p->assembler))
		return;
	/* An unchanged tree uses what it used. */
	if (atomic_load(&p->o->counts->objects) > 0 &&
	    usage_save(&p->run.usage, p->cache) != 0)
		goto failed;
	if (cache_finish(p->cache, snapshot, assembler_root(p->assembler)->id,
		p->run.store->info.generation) == 0)
		return;
failed:
	notes_no_cache(&p->run.notes);
}

static size_t
text_len(const char *text, size_t max)
{
	return text == NULL ? 0 : strnlen(text, max);
}

static int
pass_commit(struct backup_result *out, struct buf *missing, struct pass *p)
{
	const struct backup_options *o = p->o;
	const struct notes_counts *counts = o->counts;
	struct backup_result res;
	struct snapshot_info info;
	struct snap s = {.store = p->run.store,
	    .keys = p->run.keys,
	    .seed = o->mount_seed,
	    .seal = p->seal,
	    .info = &info};
	unsigned i;
	int r;

	memset(&info, 0, sizeof(info));
	info.start_ns = p->start_ns;
	info.end_ns = clock_wall_ns();
	info.files = atomic_load(&counts->files);
	info.dirs = atomic_load(&counts->dirs);
	info.bytes = atomic_load(&counts->bytes);
	info.unreadable = atomic_load(&counts->unreadable);
	info.host = o->host;
	info.host_len = text_len(o->host, LIMIT_LABEL_BYTES);
	info.dir = o->dir;
	info.dir_len = text_len(o->dir, LIMIT_TARGET_BYTES);
	info.ntags = o->ntags;
	for (i = 0; i < o->ntags; i++) {
		info.tags[i] = o->tags[i];
		info.tag_len[i] =
		    (uint8_t)text_len(o->tags[i], LIMIT_LABEL_BYTES);
	}
	info.root = *assembler_root(p->assembler);
	r = snap_commit(&res.receipt, res.snapshot, missing, &s);
	if (r != 0)
		return r;
	finish_cache(p, res.snapshot);
	memcpy(res.address, info.root.address, HASH_BYTES);
	res.client_seq = info.client_seq;
	*out = res;
	return 0;
}

static struct backup_result
rehearsed(const struct pass *p)
{
	struct backup_result res;

	memset(&res, 0, sizeof(res));
	memcpy(res.address, assembler_root(p->assembler)->address, HASH_BYTES);
	return res;
}

/* A second walk counts anew what is in the snapshot. */
static void
reset_counts(struct notes_counts *c)
{
	atomic_store(&c->files, 0);
	atomic_store(&c->dirs, 0);
	atomic_store(&c->bytes, 0);
	atomic_store(&c->unreadable, 0);
	atomic_store(&c->unstable, 0);
	atomic_store(&c->vanished, 0);
	atomic_store(&c->sockets, 0);
	atomic_store(&c->excluded, 0);
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, OBJECT_ID_BYTES);
}

static void
sort_ids(struct buf *ids)
{
	if (ids->len > OBJECT_ID_BYTES)
		qsort(ids->data, ids->len / OBJECT_ID_BYTES, OBJECT_ID_BYTES,
		    compare_ids);
}

/*
 * Something was uploaded, and there are bundles of which most is unused: a
 * second walk lays what they hold into new ones.  It costs a walk, and the
 * reading of those files, which a dry run spares.
 */
static int
wants_relay(const struct pass *p)
{
	return !p->o->dry_run && !p->run.relay && p->run.usage.sparse.len > 0 &&
	       atomic_load(&p->o->counts->objects) > 0;
}

int
backup_run(struct backup_result *out, struct store *store,
    const struct keys *keys, const struct backup_options *o)
{
	struct buf missing = BUF_INIT, known = BUF_INIT;
	struct rehearsal rehearsal;
	int relay = 0, tries = 0, again = 1, r = 0;
	struct pass p;

	if (o->ntags > LIMIT_TAGS)
		return err_set(ERR_USAGE, "more than %u tags", LIMIT_TAGS);
	if (o->dry_run) {
		rehearsal_init(&rehearsal, store);
		store = &rehearsal.store;
	}
	while (again) {
		r = pass_init(&p, store, keys, o, tries > 0 ? &known : NULL);
		if (r != 0)
			break;
		p.run.relay = relay;
		r = pass_walk(&p);
		again = r == 0 && wants_relay(&p);
		if (again)
			relay = 1;
		else if (r == 0 && o->dry_run)
			*out = rehearsed(&p);
		else if (r == 0)
			r = pass_commit(out, &missing, &p);
		pass_release(&p);
		if (r == ERR_MISSING && tries++ == 0) {
			/*
			 * What the store said that it has was lost meanwhile.
			 * The next walk asks about everything again, and does
			 * not believe it of what was missing.
			 */
			known = missing;
			buf_init(&missing);
			sort_ids(&known);
			again = 1;
		}
		if (again)
			reset_counts(o->counts);
	}
	buf_release(&missing);
	buf_release(&known);
	return r;
}
