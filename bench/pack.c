/*
 * What does writing a pack cost: in memory (checks and footer alone), and in
 * a directory, durable?  Floor: write and fdatasync of the same bytes.
 */

#include "backend/dir.h"
#include "backend/mem.h"
#include "bench.h"
#include "store/backend.h"
#include "store/pack.h"

#define BYTES (60u << 20)

struct work {
	struct backend *backend;
	struct buf record;
	char *plain; /* path of the floor's file */
};

static int
write_pack(void *arg)
{
	static const uint8_t vault[PACK_VAULT_BYTES] = {1};
	struct work *w = arg;
	struct pack_writer *p = NULL;
	uint8_t name[HASH_BYTES];
	struct record rec;
	uint32_t offset;
	int r = record_parse(&rec, w->record.data, w->record.len);

	if (r == 0)
		r = pack_writer_open(&p, w->backend, RECORD_DATA, vault);
	while (r == 0 && pack_writer_size(p) < BYTES)
		r = pack_writer_add(&offset, p, &rec);
	if (r == 0)
		return pack_writer_commit(name, p);
	pack_writer_abort(p);
	return r;
}

static int
write_plain(void *arg)
{
	struct work *w = arg;
	int fd = open(w->plain, O_WRONLY | O_CREAT | O_TRUNC, 0600), r = 0;
	size_t at;

	if (fd < 0)
		return err_errno(ERR_IO, "%s", w->plain);
	for (at = 0; at < BYTES && r == 0; at += w->record.len)
		r = fs_write_all(fd, w->record.data, w->record.len);
	if (r == 0 && fdatasync(fd) != 0)
		r = err_errno(ERR_IO, "%s", w->plain);
	close(fd);
	return r;
}

static void
make_record(struct buf *out, size_t sealed_len)
{
	static const uint8_t id[RECORD_ID_BYTES] = {1}, key_id[16];
	uint8_t *sealed = bench_alloc(sealed_len);
	struct record r = {.class = RECORD_DATA,
	    .epoch = 0,
	    .sealed_len = (uint32_t)sealed_len,
	    .key_id = key_id,
	    .id = id,
	    .sealed = sealed};

	bench_noise(sealed, sealed_len, 1);
	buf_reset(out);
	bench_must(record_encode(out, &r));
	free(sealed);
}

int
main(void)
{
	static const size_t sizes[] = {1u << 10, 256u << 10};
	char *folder = bench_folder(), *incoming = bench_path(folder, "new");
	char text[64];
	struct work w = {.plain = bench_path(folder, "plain")};
	struct backend *dir, *mem;
	size_t i;

	bench_must(fs_make_dirs(incoming, 0700));
	bench_must(backend_dir_open(&dir, folder, incoming));
	for (i = 0; i < 2; i++) {
		make_record(&w.record, sizes[i]);
		/* A new one each: what it holds is memory. */
		bench_must(backend_mem_open(&mem, 1));
		w.backend = mem;
		(void)snprintf(text, sizeof(text),
		    "pack in memory, records of %zu KiB",
		    sizes[i] >> 10); /* it fits */
		bench_run(text, "byte", BYTES, NULL, write_pack, &w);
		mem->ops->close(mem);
		w.backend = dir;
		(void)snprintf(text, sizeof(text),
		    "pack, durable, records of %zu KiB",
		    sizes[i] >> 10); /* it fits */
		bench_run(text, "byte", BYTES, NULL, write_pack, &w);
	}
	printf("%-36s %s\n", "  written", dir->ops->write_path(dir));
	bench_run("write and fdatasync", "byte", BYTES, NULL, write_plain, &w);
	dir->ops->close(dir);
	buf_release(&w.record);
	free(w.plain);
	free(incoming);
	bench_remove(folder);
	return 0;
}
