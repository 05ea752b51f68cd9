/*
 * A record of the stat cache without its check, which is made right: which u8
 * (0 leaf, 1 directory, 2 bundle, 3 head), bytes.  What decodes is encoded
 * again and must decode to the same.
 */

#include "base/bytes.h"
#include "engine/cache_record.h"
#include "fuzz/fuzz.h"
#include "object/entry.h"

#include <stdlib.h>
#include <string.h>

#define PAYLOAD_HEAD 8 /* level, zero, count */

static const uint8_t check_key[HASH_BYTES] = {1}, key[4] = {2};

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* The engine walks a kept leaf by what stands where in it. */
static void
peek(const struct cache_leaf *l)
{
	struct entry_peek e;
	size_t at;

	for (at = PAYLOAD_HEAD; at < l->payload_len; at += e.len) {
		const uint8_t *p = l->payload + at, *end;
		size_t left = l->payload_len - at;

		if (entry_peek(&e, p, left) != 0)
			return;
		end = p + e.len;
		check(e.len > 0 && e.len <= left);
		check((const uint8_t *)e.name + e.name_len <= end);
		check(e.address + HASH_BYTES <= end);
		check(e.xattr_ref + (e.xattr_ref > 0 ? 4 : 0) <= e.len);
		if (e.nrefs > 0)
			check(e.refs_at + (e.nrefs - 1) * e.refs_step + 4 <=
			      e.len);
	}
}

static void
leaf(const uint8_t *p, size_t len)
{
	struct buf again = BUF_INIT, stats = BUF_INIT;
	struct cache_leaf l;
	struct cache_stat s;
	uint32_t i;

	if (cache_record_leaf_decode(&l, check_key, key, sizeof(key), p, len) !=
	    0)
		return;
	peek(&l);
	for (i = 0; i < l.entries; i++) {
		cache_record_stat_decode(
		    &s, l.stats + (size_t)i * CACHE_STAT_BYTES);
		check(cache_record_stat_encode(&stats, &s) == 0);
		check(s.dirty || cache_record_stat_same(&s, &s));
	}
	check(cache_record_leaf_encode(
		  &again, &l, check_key, key, sizeof(key)) == 0);
	check(again.len == len && memcmp(again.data, p, len) == 0);
	buf_release(&again);
	buf_release(&stats);
}

static void
dir(const uint8_t *p, size_t len)
{
	struct buf again = BUF_INIT;
	struct cache_dir a, b;

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	if (cache_record_dir_decode(&a, check_key, key, sizeof(key), p, len) !=
	    0)
		return;
	check(cache_record_dir_encode(
		  &again, &a, check_key, key, sizeof(key)) == 0);
	check(again.len == len);
	check(cache_record_dir_decode(
		  &b, check_key, key, sizeof(key), again.data, again.len) == 0);
	check(a.level == b.level && a.entries == b.entries);
	check(memcmp(a.tree, b.tree, HASH_BYTES) == 0);
	check(memcmp(a.address, b.address, HASH_BYTES) == 0);
	buf_release(&again);
}

static void
bundle(const uint8_t *p, size_t len)
{
	struct buf again = BUF_INIT;
	struct cache_bundle b;

	if (cache_record_bundle_decode(
		&b, check_key, key, sizeof(key), p, len) != 0)
		return;
	check(cache_record_bundle_encode(
		  &again, &b, check_key, key, sizeof(key)) == 0);
	check(again.len == len && memcmp(again.data, p, len) == 0);
	buf_release(&again);
}

static void
head(const uint8_t *p, size_t len)
{
	struct buf again = BUF_INIT;
	struct cache_head h;

	if (cache_record_head_decode(&h, check_key, key, sizeof(key), p, len) !=
	    0)
		return;
	check(cache_record_head_encode(
		  &again, &h, check_key, key, sizeof(key)) == 0);
	check(again.len == len && memcmp(again.data, p, len) == 0);
	buf_release(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static void (*const decode[])(const uint8_t *p, size_t len) = {
	    leaf, dir, bundle, head};
	uint8_t digest[HASH_BYTES], prefix[4], *whole;
	struct hash h;
	unsigned which;

	if (len < 1 || p[0] > 3)
		return 0;
	which = p[0];
	p++;
	len--;
	bytes_put32(prefix, sizeof(key));
	hash_init_keyed(&h, check_key);
	hash_update(&h, prefix, sizeof(prefix));
	hash_update(&h, key, sizeof(key));
	hash_update(&h, p, len);
	hash_final(&h, digest);
	whole = malloc(len + CACHE_CHECK_BYTES);
	check(whole != NULL);
	memcpy(whole, p, len);
	memcpy(whole + len, digest, CACHE_CHECK_BYTES);
	decode[which](whole, len + CACHE_CHECK_BYTES);
	/* One byte short is never a record. */
	whole[len + CACHE_CHECK_BYTES - 1] ^= 1;
	decode[which](whole, len + CACHE_CHECK_BYTES);
	free(whole);
	return 0;
}
