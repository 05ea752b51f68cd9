/*
 * What does the stat cache cost per entry: to write it, and to look at all of
 * it as an unchanged backup does?
 *
 * usage: cache [ENTRIES]    (default: 1e6; in directories of 64)
 */

#include "bench.h"
#include "engine/cache.h"

#define PER_LEAF 64u
/* About what a tree leaf needs for an entry, and the refs of a leaf. */
#define PAYLOAD_EACH 90u
#define REFS 4u

static const uint8_t check_key[HASH_BYTES] = {1, 2, 3};

struct work {
	char *folder;
	uint64_t leaves;
	struct cache *cache;
};

static int
open_cache(void *arg)
{
	struct work *w = arg;
	struct cache_head head;

	memset(&head, 0, sizeof(head));
	memset(head.vault, 7, sizeof(head.vault));
	return cache_open(&w->cache, w->folder, check_key, &head);
}

static int
begin_anew(void *arg)
{
	struct work *w = arg;
	int r = fs_remove_tree(w->folder);

	if (r == 0)
		r = fs_make_dirs(w->folder, 0700);
	return r < 0 ? r : open_cache(w);
}

static int
write_all(void *arg)
{
	static uint8_t payload[PAYLOAD_EACH * PER_LEAF], refs[32 * REFS];
	static uint8_t stats[CACHE_STAT_BYTES * PER_LEAF], id[32] = {1};
	static const uint8_t zero[32];
	struct cache_leaf leaf = {.id = id,
	    .refs = refs,
	    .nrefs = REFS,
	    .payload = payload,
	    .payload_len = sizeof(payload),
	    .stats = stats,
	    .entries = PER_LEAF};
	struct cache_dir dir = {.entries = PER_LEAF};
	struct work *w = arg;
	struct cache_edit e;
	uint64_t i;
	int r = 0;

	for (i = 0; i < w->leaves && r == 0; i++) {
		cache_edit_begin(&e, 1, 1000 + i);
		r = cache_edit_leaf(w->cache, &e, &leaf, "the last name", 13);
		if (r == 0)
			r = cache_edit_end(w->cache, &e, &dir);
	}
	if (r == 0)
		r = cache_flush(w->cache);
	if (r == 0)
		r = cache_finish(w->cache, id, id, zero);
	cache_close(w->cache);
	return r;
}

static int
look_at_all(void *arg)
{
	struct work *w = arg;
	struct cache_leaf leaf;
	struct cache_stat old, now;
	struct cache_dir dir;
	uint64_t i, same = 0;
	uint32_t j;
	int r = 0;

	memset(&now, 0, sizeof(now));
	for (i = 0; i < w->leaves && r == 0; i++) {
		r = cache_dir(&dir, w->cache, 1, 1000 + i);
		if (r == 0)
			r = cache_leaf(
			    &leaf, w->cache, 1, 1000 + i, "a name", 6);
		for (j = 0; r == 0 && j < leaf.entries; j++) {
			cache_record_stat_decode(
			    &old, leaf.stats + CACHE_STAT_BYTES * j);
			same += cache_record_stat_same(&old, &now) != 0;
		}
	}
	if (r == 0 && same != w->leaves * PER_LEAF)
		r = err_set(ERR_FAIL, "the cache forgot something");
	cache_close(w->cache);
	return r == 1 ? err_set(ERR_FAIL, "the cache lost a leaf") : r;
}

int
main(int argc, char **argv)
{
	uint64_t entries = bench_number(argc, argv, 1, 1000000);
	char *folder = bench_folder();
	struct work w = {.leaves = entries / PER_LEAF};
	double n = (double)(w.leaves * PER_LEAF);

	w.folder = bench_path(folder, "cache");
	bench_run("stat cache, write", "entry", n, begin_anew, write_all, &w);
	bench_run(
	    "stat cache, look up", "entry", n, open_cache, look_at_all, &w);
	free(w.folder);
	bench_remove(folder);
	return 0;
}
