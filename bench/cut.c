/*
 * What does cutting cost, by chunker and code path, and what is it worth: how
 * many chunks, and how much of a file is new after a change?
 *
 * usage: cut [OLD NEW]    (a large file and a later version of it)
 */

#include "bench.h"
#include "chunk/chunker.h"
#include "hash/hash.h"

#include <sys/mman.h>

#define BYTES (128u << 20)
#define MIB (1u << 20)
/* Places at which a byte is changed, or inserted. */
#define EDITS 200u

static const uint8_t key[HASH_BYTES] = {1};

struct work {
	struct chunker chunker;
	const uint8_t *data;
	size_t len;
	size_t chunks;
};

static int
cut_all(void *arg)
{
	struct work *w = arg;
	size_t at, passed = 0;

	w->chunks = 0;
	for (at = 0; at < w->len; w->chunks++)
		at += chunker_cut(
		    &w->chunker, &passed, w->data + at, w->len - at, 1);
	return 0;
}

static void
speed(void)
{
	struct chunker_params params = chunker_default;
	struct work w;
	uint8_t *data = bench_alloc(BYTES);
	char what[64];
	unsigned path;

	bench_noise(data, BYTES, 1);
	w.data = data;
	w.len = BYTES;
	params.id = CHUNKER_GEAR;
	bench_must(chunker_init(&w.chunker, key, &params));
	bench_run("cut, gear", "byte", BYTES, NULL, cut_all, &w);
	params.id = CHUNKER_PRIVATE;
	bench_must(chunker_init(&w.chunker, key, &params));
	for (path = PRF_PATHS; path-- > 0;) {
		if (!prf_path_there((enum prf_path)path))
			continue;
		w.chunker.by.prf.path = (enum prf_path)path;
		/* Tables alone take a hundred times as long. */
		w.len = path == PRF_PORTABLE ? BYTES / 16 : BYTES;
		(void)snprintf(what, sizeof(what), "cut, private, %s",
		    prf_path_name((enum prf_path)path)); /* names are short */
		bench_run(what, "byte", (double)w.len, NULL, cut_all, &w);
	}
	free(data);
}

/* A file's chunks: where each ends, and the beginning of its hash. */
struct chunk {
	uint64_t end;
	uint64_t hash;
};

struct file {
	const uint8_t *data;
	size_t len;
	struct buf chunks; /* struct chunk each */
	struct buf known; /* their hashes, sorted */
};

static void
file_open(struct file *f, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *map;

	if (fd < 0 || fstat(fd, &st) != 0)
		bench_must(err_errno(ERR_IO, "%s", path));
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		bench_must(err_errno(ERR_IO, "%s", path));
	close(fd);
	f->data = map;
	f->len = (size_t)st.st_size;
	buf_init(&f->chunks);
	buf_init(&f->known);
}

static const struct chunk *
file_chunks(const struct file *f)
{
	return (const struct chunk *)(const void *)f->chunks.data;
}

static size_t
file_count(const struct file *f)
{
	return f->chunks.len / sizeof(struct chunk);
}

static int
compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t
hash_of(const uint8_t *p, size_t len)
{
	uint8_t sum[HASH_BYTES];
	uint64_t hash;

	hash_bytes(sum, p, len);
	memcpy(&hash, sum, sizeof(hash));
	return hash;
}

static int
file_knows(const struct file *f, uint64_t hash)
{
	return bsearch(&hash, f->known.data, file_count(f), sizeof(hash),
		   compare) != NULL;
}

static void
file_cut(struct file *f, const struct chunker *c)
{
	struct chunk chunk;
	size_t at, n, passed = 0;

	buf_reset(&f->chunks);
	buf_reset(&f->known);
	for (at = 0; at < f->len; at += n) {
		n = chunker_cut(c, &passed, f->data + at, f->len - at, 1);
		chunk.hash = hash_of(f->data + at, n);
		chunk.end = at + n;
		bench_must(buf_append(&f->chunks, &chunk, sizeof(chunk)));
		bench_must(
		    buf_append(&f->known, &chunk.hash, sizeof(chunk.hash)));
	}
	qsort(f->known.data, file_count(f), sizeof(uint64_t), compare);
}

/* The bytes of the new file's chunks that the old one has not. */
static uint64_t
file_added(const struct file *new, const struct file *old)
{
	const struct chunk *c = file_chunks(new);
	uint64_t added = 0;
	size_t i;

	for (i = 0; i < file_count(new); i++)
		if (!file_knows(old, c[i].hash))
			added += c[i].end - (i > 0 ? c[i - 1].end : 0);
	return added;
}

/* The chunk that holds the byte at `at`. */
static size_t
file_find(const struct file *f, uint64_t at)
{
	const struct chunk *c = file_chunks(f);
	size_t low = 0, high = file_count(f), middle;

	while (high - low > 1) {
		middle = (low + high) / 2;
		if (c[middle - 1].end <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/*
 * The bytes of the chunks that are new after a byte at `at` is changed (insert:
 * 0) or put in front of it (1): until a cut is where there was one.
 */
static uint64_t
file_edit(const struct file *f, const struct chunker *c, uint8_t *room,
    size_t room_len, uint64_t at, unsigned insert)
{
	const struct chunk *old = file_chunks(f);
	size_t i = file_find(f, at), len, done, n, passed = 0;
	uint64_t begin = i > 0 ? old[i - 1].end : 0, added = 0;

	len = room_len - 1 < f->len - begin ? room_len - 1 : f->len - begin;
	memcpy(room, f->data + begin, (size_t)(at - begin));
	memcpy(room + (at - begin) + insert, f->data + at,
	    len - (size_t)(at - begin));
	room[at - begin] = (uint8_t)(f->data[at] + 1);
	len += insert;
	for (done = 0; done < len; done += n) {
		while (i < file_count(f) && old[i].end + insert < begin + done)
			i++;
		if (done > 0 && i < file_count(f) &&
		    old[i].end + insert == begin + done)
			break;
		n = chunker_cut(c, &passed, room + done, len - done, 1);
		if (!file_knows(f, hash_of(room + done, n)))
			added += n;
	}
	return added;
}

static void
quality(struct file *old, struct file *new, uint32_t id, uint32_t avg)
{
	const struct chunker_params params = {id, {avg, avg / 2, 4 * avg}};
	const size_t room_len = 64u << 20;
	uint8_t *room = bench_alloc(room_len);
	uint64_t changed = 0, inserted = 0, at, n;
	struct chunker c;
	unsigned i;

	bench_must(chunker_init(&c, key, &params));
	file_cut(old, &c);
	file_cut(new, &c);
	for (i = 0; i < EDITS; i++) {
		at = old->len / EDITS * i + old->len / EDITS / 2;
		n = file_edit(old, &c, room, room_len, at, 0);
		changed += n;
		n = file_edit(old, &c, room, room_len, at, 1);
		inserted += n;
	}
	printf("%-8s %8u %10zu %12.1f %14.1f %14.1f\n", chunker_name(id),
	    avg >> 10, file_count(old), (double)file_added(new, old) / MIB,
	    (double)changed / EDITS / 1024, (double)inserted / EDITS / 1024);
	(void)fflush(stdout); /* a line is for people */
	free(room);
}

int
main(int argc, char **argv)
{
	struct file old, new;
	uint32_t avg;

	speed();
	if (argc != 3)
		return 0;
	file_open(&old, argv[1]);
	file_open(&new, argv[2]);
	printf("\n%-8s %8s %10s %12s %14s %14s\n", "chunker", "avg KiB",
	    "chunks", "new MiB", "change KiB", "insert KiB");
	for (avg = 64u << 10; avg <= MIB; avg *= 2) {
		quality(&old, &new, CHUNKER_GEAR, avg);
		quality(&old, &new, CHUNKER_PRIVATE, avg);
	}
	buf_release(&old.chunks);
	buf_release(&old.known);
	buf_release(&new.chunks);
	buf_release(&new.known);
	return 0;
}
