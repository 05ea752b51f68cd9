/*
 * What do compressing and padding cost, per level and with what is chosen for
 * bundles and chunks, and what do they save?
 *
 * usage: compress [FILE]    (default: made-up text; noise as well)
 */

#include "bench.h"
#include "seal/frame.h"

#define BYTES (32u << 20)
#define PIECE (1u << 20)

struct work {
	const uint8_t *data;
	struct frame *frame;
	enum frame_kind kind;
	struct buf out; /* the frames end to end */
	size_t ends[BYTES / PIECE];
	struct buf plain;
};

static int
pack_all(void *arg)
{
	struct work *w = arg;
	size_t i;
	int r = 0;

	buf_reset(&w->out);
	for (i = 0; i < BYTES / PIECE && r == 0; i++) {
		r = frame_pack(
		    &w->out, w->frame, w->kind, w->data + i * PIECE, PIECE);
		w->ends[i] = w->out.len;
	}
	return r;
}

static int
unpack_all(void *arg)
{
	struct work *w = arg;
	size_t i, at = 0;
	int r = 0;

	for (i = 0; i < BYTES / PIECE && r == 0; i++) {
		buf_reset(&w->plain);
		r = frame_unpack(
		    &w->plain, w->frame, w->out.data + at, w->ends[i] - at);
		at = w->ends[i];
	}
	return r;
}

static void
run(const char *text, const uint8_t *data, enum frame_kind kind, int level,
    int pad)
{
	struct work w = {.data = data, .kind = kind};

	bench_must(frame_new(&w.frame, level, pad));
	bench_run(text, "byte", BYTES, NULL, pack_all, &w);
	printf("%-36s %10.4f of the bytes\n", "  leaves",
	    (double)w.out.len / BYTES);
	bench_run("  decompress", "byte", BYTES, NULL, unpack_all, &w);
	frame_free(w.frame);
	buf_release(&w.out);
	buf_release(&w.plain);
}

static void
run_level(const char *what, const uint8_t *data, int level, int pad)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "compress %s, level %d%s", what,
	    level, pad ? ", padded" : ""); /* it fits */
	run(text, data, FRAME_META, level, pad);
}

int
main(int argc, char **argv)
{
	static const int levels[] = {-5, -1, 1, 3, 5, 9};
	uint8_t *data = bench_alloc(BYTES);
	size_t i;

	if (argc > 1)
		bench_file(data, BYTES, argv[1]);
	else
		bench_text(data, BYTES, 1);
	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		run_level(argc > 1 ? "file" : "text", data, levels[i], 0);
	run_level(argc > 1 ? "file" : "text", data, 3, 1);
	run("compress as a bundle", data, FRAME_BUNDLE, 0, 0);
	run("compress as a chunk", data, FRAME_CHUNK, 0, 0);
	bench_noise(data, BYTES, 1);
	run_level("noise", data, 3, 1);
	free(data);
	return 0;
}
