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

struct frame {
	ZSTD_CCtx *cctx;
	ZSTD_DCtx *dctx;
	int pad;
};

static int
set_parameters(ZSTD_CCtx *cctx, int level)
{
	/* The record's checksum and the cipher's tag are checksums enough. */
	return ZSTD_isError(ZSTD_CCtx_setParameter(
		   cctx, ZSTD_c_compressionLevel, level)) ||
	       ZSTD_isError(
		   ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag, 0)) ||
	       ZSTD_isError(
		   ZSTD_CCtx_setParameter(cctx, ZSTD_c_dictIDFlag, 0)) ||
	       ZSTD_isError(
		   ZSTD_CCtx_setParameter(cctx, ZSTD_c_contentSizeFlag, 1));
}

int
frame_new(struct frame **out, int level, int pad)
{
	struct frame *f = NULL;
	int err = 0;

	if (level < LEVEL_MIN || level > LEVEL_MAX)
		return err_set(ERR_USAGE,
		    "compression level %d is not in %d .. %d", level, LEVEL_MIN,
		    LEVEL_MAX);
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return err_nomem(sizeof(*f));
	f->pad = pad;
	f->cctx = ZSTD_createCCtx();
	f->dctx = ZSTD_createDCtx();
	if (f->cctx == NULL || f->dctx == NULL) {
		err = err_set(ERR_NOMEM, "no memory for zstd");
		goto out;
	}
	if (set_parameters(f->cctx, level)) {
		err = err_set(ERR_FAIL, "zstd refuses its parameters");
		goto out;
	}
	*out = f;
	f = NULL;
out:
	frame_free(f);
	return err;
}

void
frame_free(struct frame *f)
{
	if (f == NULL)
		return;
	ZSTD_freeCCtx(f->cctx);
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
compress(size_t *packed_len, struct frame *f, uint8_t *dst, size_t dst_len,
    const uint8_t *payload, size_t len)
{
	size_t n;

	if (len == 0 || looks_incompressible(payload, len))
		return 1;
	n = ZSTD_compress2(f->cctx, dst, dst_len, payload, len);
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
frame_pack(struct buf *out, struct frame *f, const uint8_t *payload, size_t len)
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
	rc = compress(&packed_len, f, p + SEAL_FRAME_HEADER_BYTES,
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

int
frame_unpack(struct buf *out, struct frame *f, const uint8_t *p, size_t len)
{
	struct bytes_reader r;
	const uint8_t *packed;
	uint32_t codec, plain_len, packed_len;
	size_t n;
	int err;

	bytes_reader_init(&r, p, len);
	codec = bytes_read32(&r); /* codec and three zero bytes */
	plain_len = bytes_read32(&r);
	packed_len = bytes_read32(&r);
	packed = bytes_read(&r, packed_len);
	if (r.failed || plain_len > LIMIT_PAYLOAD_BYTES ||
	    !bytes_are_zero(r.p, r.left))
		return damaged();
	switch (codec) {
	case CODEC_RAW:
		if (packed_len != plain_len)
			return damaged();
		return buf_append(out, packed, packed_len);
	case CODEC_ZSTD:
		if (!zstd_frame_valid(packed, packed_len, plain_len))
			return damaged();
		err = buf_reserve(out, plain_len);
		if (err)
			return err;
		/* One call into the final place: no window is allocated. */
		n = ZSTD_decompressDCtx(f->dctx, out->data + out->len,
		    plain_len, packed, packed_len);
		if (ZSTD_isError(n) || n != plain_len)
			return damaged();
		out->len += plain_len;
		return 0;
	default:
		return damaged();
	}
}
