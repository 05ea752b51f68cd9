/*
 * What do inserting into the index and looking up in it cost, and how large
 * does it get?  Ids are random, as hashes are.
 *
 * usage: index [ENTRIES [LOOKUPS [BATCH]]]
 *
 * Default: 1e6 entries and 1e5 lookups, inserted as packs are admitted: in
 * order of arrival, synced every 2048.  With BATCH so many entries at a time
 * are sorted first, and synced every 65536; that fills a large index in
 * minutes, for what is asked of it then.  By hand: index 1e8 1e5 2e7, which
 * takes some 20 GB below $TMPDIR and 1 GB of memory.
 *
 * Cold means that the kernel was told to forget the file, and the index was
 * opened anew; on a machine whose memory holds it, each page is cold once.
 */

#include "bench.h"
#include "store/index.h"

#include <sys/resource.h>

static const uint8_t vault[INDEX_VAULT_BYTES] = {1};

struct work {
	struct index *index;
	uint64_t entries;
	uint64_t lookups;
	uint64_t seed; /* of the ids looked up */
	uint64_t found;
};

#define SORTED_STEP 65536u

/* The id of entry `n`: four words of a mixer (splitmix64, S. Vigna), so that
 * any entry can be named without keeping it. */
static void
make_id(uint8_t id[INDEX_ID_BYTES], uint64_t n)
{
	uint64_t z;
	int i;

	for (i = 0; i < 4; i++) {
		z = (4 * n + (uint64_t)i + 1) * 0x9e3779b97f4a7c15ull;
		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
		z = (z ^ z >> 27) * 0x94d049bb133111ebull;
		z ^= z >> 31;
		memcpy(id + 8 * i, &z, 8);
	}
}

/* As store/admit.c does it: transactions of bounded size. */
static int
insert(struct index *index, uint64_t from, uint64_t to)
{
	struct index_object o = {.pack = 1, .length = 4096, .class = 1};
	uint8_t id[INDEX_ID_BYTES];
	struct index_txn t;
	uint64_t n;
	int r = index_begin(&t, index, 1);

	if (r < 0)
		return r;
	for (n = from; n < to && r >= 0; n++) {
		make_id(id, n);
		o.offset = (uint32_t)n;
		r = index_add_closed(&t, id, &o, NULL, 0);
		if (r == 0)
			r = index_step(&t);
	}
	if (r >= 0)
		return index_commit(&t);
	index_abort(&t);
	return r;
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, INDEX_ID_BYTES);
}

/* `batch` entries at a time, in order of their ids. */
static int
insert_sorted(struct index *index, uint64_t from, uint64_t to, uint64_t batch)
{
	struct index_object o = {.pack = 1, .length = 4096, .class = 1};
	uint8_t *ids = bench_alloc(batch * INDEX_ID_BYTES);
	struct index_txn t;
	uint64_t n, i;
	int r = 0;

	for (; from < to && r == 0; from += n) {
		n = batch < to - from ? batch : to - from;
		for (i = 0; i < n; i++)
			make_id(ids + i * INDEX_ID_BYTES, from + i);
		qsort(ids, n, INDEX_ID_BYTES, compare_ids);
		for (i = 0; i < n && r == 0; i++) {
			if (i % SORTED_STEP == 0)
				r = index_begin(&t, index, 1);
			if (r == 0)
				r = index_add_closed(
				    &t, ids + i * INDEX_ID_BYTES, &o, NULL, 0);
			if (r == 0 &&
			    (i % SORTED_STEP == SORTED_STEP - 1 || i == n - 1))
				r = index_commit(&t);
		}
	}
	free(ids);
	return r;
}

static int
look_up(void *arg)
{
	struct work *w = arg;
	struct index_object o;
	uint8_t id[INDEX_ID_BYTES];
	struct index_txn t;
	uint64_t i, state = w->seed;
	int r = index_begin(&t, w->index, 0);

	w->found = 0;
	for (i = 0; i < w->lookups && r >= 0; i++) {
		make_id(id, bench_random(&state) % (2 * w->entries));
		r = index_find(&o, &t, id);
		w->found += r == 0;
	}
	index_abort(&t);
	return r < 0 ? r : 0;
}

static int
look_up_hits(void *arg)
{
	struct work *w = arg;
	int r;

	w->entries /= 2; /* every one that is asked for is there */
	r = look_up(w);
	w->entries *= 2;
	return r;
}

/* What the kernel keeps of the file goes. */
static void
forget(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0 ||
	    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
		bench_must(err_errno(ERR_IO, "%s", path));
	close(fd);
}

static void
look_up_cold(struct work *w, const char *folder)
{
	char *path = bench_path(folder, "data.mdb");
	double wall[BENCH_RUNS], cpu[BENCH_RUNS];
	uint64_t lookups = w->lookups;
	struct rusage before, after;
	int i;

	/* Few, or the later ones find what the first ones read. */
	w->lookups = lookups / 10 + 1;
	(void)getrusage(RUSAGE_SELF, &before); /* cannot fail */
	for (i = 0; i < BENCH_RUNS; i++) {
		index_close(w->index);
		forget(path);
		bench_must(index_open(&w->index, folder, vault));
		w->seed++;
		wall[i] = (double)clock_mono_ns();
		cpu[i] = (double)clock_cpu_ns();
		bench_must(look_up_hits(w));
		wall[i] = (double)clock_mono_ns() - wall[i];
		cpu[i] = (double)clock_cpu_ns() - cpu[i];
	}
	(void)getrusage(RUSAGE_SELF, &after); /* cannot fail */
	bench_print("index, look up, cold", "id", (double)w->lookups, wall, cpu,
	    BENCH_RUNS);
	printf("%-36s %10.3f faults with a read per lookup\n", "  read",
	    (double)(after.ru_majflt - before.ru_majflt) / (double)w->lookups /
		BENCH_RUNS);
	w->lookups = lookups;
	free(path);
}

static void
print_size(const char *folder, uint64_t entries)
{
	char *path = bench_path(folder, "data.mdb");
	struct stat st;

	if (stat(path, &st) != 0)
		bench_must(err_errno(ERR_IO, "%s", path));
	printf("%-36s %10.3f bytes/entry\n", "index, size",
	    (double)st.st_blocks * 512 / (double)entries);
	free(path);
}

int
main(int argc, char **argv)
{
	struct work w = {.entries = bench_number(argc, argv, 1, 1000000),
	    .lookups = bench_number(argc, argv, 2, 100000),
	    .seed = 1};
	double wall[BENCH_RUNS], cpu[BENCH_RUNS];
	char *folder = bench_folder(), text[64];
	uint64_t part = w.entries / BENCH_RUNS;
	uint64_t batch = bench_number(argc, argv, 3, 1);
	int i;

	bench_must(index_open(&w.index, folder, vault));
	/* Each fifth goes into an index that is larger than the one before. */
	for (i = 0; i < BENCH_RUNS; i++) {
		wall[i] = (double)clock_mono_ns();
		cpu[i] = (double)clock_cpu_ns();
		if (batch > 1)
			bench_must(insert_sorted(w.index, part * (uint64_t)i,
			    part * (uint64_t)(i + 1), batch));
		else
			bench_must(insert(w.index, part * (uint64_t)i,
			    part * (uint64_t)(i + 1)));
		wall[i] = (double)clock_mono_ns() - wall[i];
		cpu[i] = (double)clock_cpu_ns() - cpu[i];
	}
	w.entries = part * BENCH_RUNS;
	(void)snprintf(text, sizeof(text), "index, insert, %llu entries",
	    (unsigned long long)w.entries); /* it fits */
	bench_print(text, "id", (double)part, wall, cpu, BENCH_RUNS);
	print_size(folder, w.entries);
	bench_run("index, look up, hot, all there", "id", (double)w.lookups,
	    NULL, look_up_hits, &w);
	bench_run("index, look up, hot, half there", "id", (double)w.lookups,
	    NULL, look_up, &w);
	look_up_cold(&w, folder);
	index_close(w.index);
	bench_remove(folder);
	return 0;
}
