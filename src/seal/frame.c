#include "seal/frame.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "seal/seal.h"

#include <stdlib.h>
#include <string.h>

#include <zstd.h>
#include <zstd_errors.h>

#define CODEC_RAW 0
#define CODEC_ZSTD 1

#define LEVEL_MIN (-5)
#define LEVEL_MAX 19

/* Windows above 8 MiB are refused, as by every zstd decoder's default. */
#define WINDOW_LOG_MAX 23

/* Payloads below this are cheaper to compress than to judge. */
#define SAMPLE_MIN_BYTES (16u << 10)
#define SAMPLE_BYTES (4u << 10)
#define SAMPLES_MIN 4
/* SAMPLE_BYTES^2 / 2^7.8 */
#define RANDOM_PAIRS_MAX 75281u
#define SAMPLE_EVERY_BYTES (64u << 10)

/*
 * From here on padding rounds to a quarter of Padme's steps: 0.3 % of the bytes
 * instead of 1.2 % where nearly all of them are.  format.md 5.1.
 */
#define PAD_FINE_BYTES (16u << 10)

struct frame {
	ZSTD_CCtx *cctx[FRAME_KINDS];
	ZSTD_DCtx *dctx;
	int pad;
};

/*
 * Compressing is most of a backup's work.  Bundles are much text, where level 1
 * takes two thirds of the time of level 3 for a tenth more bytes; a window of
 * the whole bundle and shorter matches take 2 % off for nothing.  Chunks are
 * often programs, where that tenth counts: they get the two tables of level 3,
 * so small that they stay in the processor's nearest caches, and short matches.
 * The curves are in bench/RESULTS.md, "Compression, bundles".
 */
struct tuning {
	int level;
	int strategy; /* 0 here and below: as the level has it */
	int window_log;
	int hash_log;
	int chain_log;
	int match_min;
};

static const struct tuning tunings[FRAME_KINDS] = {
    [FRAME_META] = {.level = 3},
    [FRAME_BUNDLE] = {.level = 1,
	.window_log = 21,
	.hash_log = 14,
	.match_min = 6},
    [FRAME_CHUNK] = {.level = 3,
	.strategy = ZSTD_dfast,
	.hash_log = 15,
	.chain_log = 14,
	.match_min = 4},
};

static int
set(ZSTD_CCtx *cctx, ZSTD_cParameter what, int value)
{
	return ZSTD_isError(ZSTD_CCtx_setParameter(cctx, what, value));
}

static int
set_parameters(ZSTD_CCtx *cctx, const struct tuning *t)
{
	/* The record's checksum and the cipher's tag are checksums enough. */
	return set(cctx, ZSTD_c_compressionLevel, t->level) ||
	       set(cctx, ZSTD_c_strategy, t->strategy) ||
	       set(cctx, ZSTD_c_windowLog, t->window_log) ||
	       set(cctx, ZSTD_c_hashLog, t->hash_log) ||
	       set(cctx, ZSTD_c_chainLog, t->chain_log) ||
	       set(cctx, ZSTD_c_minMatch, t->match_min) ||
	       set(cctx, ZSTD_c_checksumFlag, 0) ||
	       set(cctx, ZSTD_c_dictIDFlag, 0) ||
	       set(cctx, ZSTD_c_contentSizeFlag, 1);
}

/* A context for each kind: it keeps its tables from one payload to the next. */
static int
new_contexts(struct frame *f, int level)
{
	const struct tuning same = {.level = level};
	unsigned i;

	f->dctx = ZSTD_createDCtx();
	if (f->dctx == NULL)
		return err_set(ERR_NOMEM, "no memory for zstd");
	for (i = 0; i < FRAME_KINDS; i++) {
		f->cctx[i] = ZSTD_createCCtx();
		if (f->cctx[i] == NULL)
			return err_set(ERR_NOMEM, "no memory for zstd");
		if (set_parameters(
			f->cctx[i], level == 0 ? &tunings[i] : &same))
			return err_set(ERR_FAIL, "zstd refuses its parameters");
	}
	return 0;
}

int
frame_new(struct frame **out, int level, int pad)
{
	struct frame *f = NULL;
	int err;

	if (level < LEVEL_MIN || level > LEVEL_MAX)
		return err_set(ERR_USAGE,
		    "compression level %d is not in %d .. %d", level, LEVEL_MIN,
		    LEVEL_MAX);
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return err_nomem(sizeof(*f));
	f->pad = pad;
	err = new_contexts(f, level);
	if (err) {
		frame_free(f);
		return err;
	}
	*out = f;
	return 0;
}

void
frame_free(struct frame *f)
{
	unsigned i;

	if (f == NULL)
		return;
	for (i = 0; i < FRAME_KINDS; i++)
		ZSTD_freeCCtx(f->cctx[i]);
	ZSTD_freeDCtx(f->dctx);
	free(f);
}

static unsigned
log2_floor(size_t n)
{
	return 63u - (unsigned)__builtin_clzll(n);
}

size_t
frame_padded(size_t len)
{
	unsigned e, s;
	size_t mask;

	if (len < 2)
		return len;
	e = log2_floor(len);
	s = log2_floor(e) + 1;
	if (len >= PAD_FINE_BYTES)
		s += 2;
	mask = ((size_t)1 << (e - s)) - 1;
	return (len + mask) & ~mask;
}

size_t
frame_bound(size_t len)
{
	return frame_padded(SEAL_FRAME_HEADER_BYTES + ZSTD_compressBound(len));
}

/*
 * Nonzero when the sample's bytes are spread as random ones are: the chance
 * that two of them are equal is below 2^-7.8 (Renyi entropy of order 2, which
 * needs no logarithms and is at most Shannon's).  With n bytes, random ones
 * have n + n * (n - 1) / 256 equal pairs, give or take half a percent.
 */
static int
sample_is_random(const uint8_t *p)
{
	/* Four histograms: runs must not wait for one counter. */
	uint16_t count[4][256];
	uint64_t pairs = 0, sum;
	unsigned i;

	memset(count, 0, sizeof(count));
	for (i = 0; i < SAMPLE_BYTES; i += 4) {
		count[0][p[i]]++;
		count[1][p[i + 1]]++;
		count[2][p[i + 2]]++;
		count[3][p[i + 3]]++;
	}
	for (i = 0; i < 256; i++) {
		sum = (uint64_t)count[0][i] + count[1][i] + count[2][i] +
		      count[3][i];
		pairs += sum * sum;
	}
	return pairs < SAMPLE_BYTES + RANDOM_PAIRS_MAX;
}

/*
 * Already compressed or encrypted?  Then zstd's time would be wasted.  The
 * samples reach both ends and lie dense enough to meet the directory of an
 * archive or the one text among a bundle's pictures.
 */
static int
looks_incompressible(const uint8_t *p, size_t len)
{
	size_t samples = SAMPLES_MIN + len / SAMPLE_EVERY_BYTES, i;

	if (len < SAMPLE_MIN_BYTES)
		return 0;
	for (i = 0; i < samples; i++)
		if (!sample_is_random(
			p + (len - SAMPLE_BYTES) * i / (samples - 1)))
			return 0;
	return 1;
}

/*
 * Compress to `dst`.  Returns 0, 1 when raw is to be preferred, ERR_NOMEM,
 * ERR_FAIL.
 */
static int
compress(size_t *packed_len, ZSTD_CCtx *cctx, uint8_t *dst, size_t dst_len,
    const uint8_t *payload, size_t len)
{
	size_t n;

	if (len == 0 || looks_incompressible(payload, len))
		return 1;
	n = ZSTD_compress2(cctx, dst, dst_len, payload, len);
	if (ZSTD_isError(n)) {
		if (ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation)
			return err_set(ERR_NOMEM, "no memory for zstd");
		return err_set(ERR_FAIL, "zstd: %s", ZSTD_getErrorName(n));
	}
	/* Less than 3 % is not worth decompressing at every read. */
	if (n > len - len / 32 - 1)
		return 1;
	*packed_len = n;
	return 0;
}

int
frame_pack(struct buf *out, struct frame *f, enum frame_kind kind,
    const uint8_t *payload, size_t len)
{
	uint8_t *p;
	size_t packed_len = 0, frame_len, total;
	uint8_t codec = CODEC_ZSTD;
	int rc;

	if (len > LIMIT_PAYLOAD_BYTES)
		return err_set(ERR_LIMIT,
		    "a payload of %zu bytes exceeds the limit of %u", len,
		    LIMIT_PAYLOAD_BYTES);
	rc = buf_reserve(out, frame_bound(len));
	if (rc)
		return rc;
	p = out->data + out->len;
	rc = compress(&packed_len, f->cctx[kind], p + SEAL_FRAME_HEADER_BYTES,
	    ZSTD_compressBound(len), payload, len);
	if (rc < 0)
		return rc;
	if (rc > 0) {
		codec = CODEC_RAW;
		packed_len = len;
		if (len > 0)
			memcpy(p + SEAL_FRAME_HEADER_BYTES, payload, len);
	}
	bytes_put32(p, codec);
	bytes_put32(p + 4, (uint32_t)len);
	bytes_put32(p + 8, (uint32_t)packed_len);
	frame_len = SEAL_FRAME_HEADER_BYTES + packed_len;
	total = f->pad ? frame_padded(frame_len) : frame_len;
	memset(p + frame_len, 0, total - frame_len);
	out->len += total;
	return 0;
}

static int
damaged(void)
{
	return err_set(ERR_DAMAGED, "a sealed payload has a malformed frame");
}

/*
 * Nonzero when the bytes are one plain zstd frame that says that it holds
 * `plain_len` bytes.  The library alone would also take several frames,
 * skippable ones, formats of old versions and dictionaries.
 */
static int
zstd_frame_valid(const uint8_t *p, size_t len, size_t plain_len)
{
	if (len < 6 || len >= plain_len || bytes_get32(p) != ZSTD_MAGICNUMBER)
		return 0;
	/* No dictionary, no checksum, nothing reserved. */
	if ((p[4] & 0x1f) != 0)
		return 0;
	/* A window of its own, unless it is the whole content. */
	if ((p[4] & 0x20) == 0 && p[5] > (WINDOW_LOG_MAX - 10) << 3)
		return 0;
	return ZSTD_getFrameContentSize(p, len) == plain_len &&
	       ZSTD_findFrameCompressedSize(p, len) == len;
}

/* What a frame says, checked but for what is packed. */
struct packed {
	uint32_t codec;
	uint32_t plain_len;
	const uint8_t *p;
	uint32_t len;
};

static int
parse(struct packed *out, const uint8_t *p, size_t len)
{
	struct bytes_reader r;
	struct packed k;

	bytes_reader_init(&r, p, len);
	k.codec = bytes_read32(&r); /* codec and three zero bytes */
	k.plain_len = bytes_read32(&r);
	k.len = bytes_read32(&r);
	k.p = bytes_read(&r, k.len);
	if (r.failed || k.plain_len > LIMIT_PAYLOAD_BYTES ||
	    !bytes_are_zero(r.p, r.left))
		return damaged();
	if (k.codec != CODEC_RAW && k.codec != CODEC_ZSTD)
		return damaged();
	if (k.codec == CODEC_RAW && k.len != k.plain_len)
		return damaged();
	*out = k;
	return 0;
}

/* Append the content of a zstd frame. */
static int
decompress(struct buf *out, struct frame *f, const struct packed *k)
{
	size_t n;
	int err;

	if (!zstd_frame_valid(k->p, k->len, k->plain_len))
		return damaged();
	err = buf_reserve(out, k->plain_len);
	if (err)
		return err;
	/* One call into the final place: no window is allocated. */
	n = ZSTD_decompressDCtx(
	    f->dctx, out->data + out->len, k->plain_len, k->p, k->len);
	if (ZSTD_isError(n) || n != k->plain_len)
		return damaged();
	out->len += k->plain_len;
	return 0;
}

int
frame_unpack(struct buf *out, struct frame *f, const uint8_t *p, size_t len)
{
	struct packed k;
	int err = parse(&k, p, len);

	if (err)
		return err;
	return k.codec == CODEC_RAW ? buf_append(out, k.p, k.len)
				    : decompress(out, f, &k);
}

int
frame_view(const uint8_t **payload, size_t *payload_len, struct buf *room,
    struct frame *f, const uint8_t *p, size_t len)
{
	struct packed k;
	int err = parse(&k, p, len);

	if (err)
		return err;
	if (k.codec == CODEC_ZSTD) {
		buf_reset(room);
		err = decompress(room, f, &k);
		if (err)
			return err;
	}
	*payload = k.codec == CODEC_ZSTD ? room->data : k.p;
	*payload_len = k.plain_len;
	return 0;
}
