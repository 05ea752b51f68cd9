/*
 * A binary body: which u8 (0 have, 1 get, 2 snapshots, 3 and 4 answers to
 * have, 5 items, 6 files, 7 mounts, 8 answer to commit), count u8 (3, 4),
 * bytes.  What decodes is encoded again and must be the same bytes.
 */

#include "fuzz/fuzz.h"
#include "proto/body.h"

#include <stdlib.h>
#include <string.h>

/* Whatever was encoded equals the input. */
static void
same(struct buf *b, int r, const uint8_t *p, size_t len)
{
	if (r != 0 || b->len != len ||
	    (len > 0 && memcmp(b->data, p, len) != 0))
		abort();
	buf_release(b);
}

static void
requests(unsigned which, const uint8_t *p, size_t len)
{
	struct buf b = BUF_INIT;
	struct body_have h;
	const uint8_t *at, *id;
	uint32_t n;
	int tombs;

	if (which == 0 && body_have_decode(&h, p, len) == 0)
		same(&b, body_have_encode(&b, h.kind, h.ids, h.count), p, len);
	if (which == 1 && body_get_decode(&at, &n, p, len) == 0)
		same(&b, body_get_encode(&b, at, n), p, len);
	if (which == 2 && body_snapshots_decode(&at, &tombs, p, len) == 0)
		same(&b, body_snapshots_encode(&b, at, tombs), p, len);
	if (which == 9 && body_other_decode(&id, &at, &n, p, len) == 0)
		same(&b, body_other_encode(&b, id, at, n), p, len);
}

static void
haves(unsigned which, uint32_t n, const uint8_t *p, size_t len)
{
	uint8_t bitmap[32] = {0};
	struct body_member m[255];
	struct buf b = BUF_INIT;

	if (which == 3 && body_have_answer_decode(bitmap, n, p, len) == 0)
		same(&b, body_have_answer_encode(&b, bitmap, n), p, len);
	if (which == 4 && body_files_answer_decode(m, n, p, len) == 0)
		same(&b, body_files_answer_encode(&b, m, n), p, len);
}

static void
streams(unsigned which, const uint8_t *p, size_t len)
{
	struct body_items it;
	struct body_item i;
	struct body_mount m;
	struct buf b = BUF_INIT;
	struct body_file f;
	int r = 0, e = 0;

	body_items_init(&it, p, len);
	while (r == 0 && e == 0) {
		if (which == 5) {
			r = body_items_next(&i, &it);
			if (r == 0)
				e = body_item_encode(
				    &b, i.status, i.id, i.record, i.len);
		} else if (which == 6) {
			r = body_files_next(&f, &it);
			if (r == 0)
				e = body_file_encode(&b, &f);
		} else {
			r = body_mounts_next(&m, &it);
			if (r == 0)
				e = body_mount_encode(&b, &m);
		}
	}
	if (r == 1 && len > 0)
		same(&b, e, p, len);
	buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct buf b = BUF_INIT;
	struct body_commit c;

	if (len < 2)
		return 0;
	requests(p[0], p + 2, len - 2);
	haves(p[0], p[1], p + 2, len - 2);
	if (p[0] >= 5 && p[0] <= 7)
		streams(p[0], p + 2, len - 2);
	if (p[0] == 8 && body_commit_decode(&c, p + 2, len - 2) == 0)
		same(&b, body_commit_encode(&b, &c), p + 2, len - 2);
	return 0;
}
