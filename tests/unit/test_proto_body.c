/* Binary bodies: round trips, every cut and every count. */

#include "base/bytes.h"
#include "base/err.h"
#include "proto/body.h"
#include "proto/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint8_t ids[20 * 32];

static void
test_have(void **state)
{
	uint8_t bitmap[3], back[3];
	struct body_member members[20], got[20];
	struct body_have h;
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	assert_int_equal(body_have_encode(&b, BODY_FILES, ids, 20), 0);
	assert_int_equal(body_have_decode(&h, b.data, b.len), 0);
	assert_int_equal(h.kind, BODY_FILES);
	assert_int_equal(h.count, 20);
	assert_memory_equal(h.ids, ids, sizeof(ids));
	for (i = 0; i < b.len; i++)
		assert_int_equal(body_have_decode(&h, b.data, i), ERR_DAMAGED);
	bytes_put32(b.data + 4, LIMIT_HAVE_IDS + 1);
	assert_int_equal(body_have_decode(&h, b.data, b.len), ERR_DAMAGED);
	bytes_put32(b.data + 4, 0xffffffff);
	assert_int_equal(body_have_decode(&h, b.data, b.len), ERR_DAMAGED);

	buf_reset(&b);
	memset(bitmap, 0x0a, sizeof(bitmap));
	assert_int_equal(body_have_answer_encode(&b, bitmap, 20), 0);
	assert_int_equal(body_have_answer_decode(back, 20, b.data, b.len), 0);
	assert_memory_equal(back, bitmap, 3);
	for (i = 0; i < b.len; i++)
		assert_int_equal(
		    body_have_answer_decode(back, 20, b.data, i), ERR_DAMAGED);
	b.data[b.len - 1] |= 0x10; /* bit 20 of 20 */
	assert_int_equal(
	    body_have_answer_decode(back, 20, b.data, b.len), ERR_DAMAGED);

	buf_reset(&b);
	memset(members, 0, sizeof(members));
	members[3].found = members[19].found = 1;
	members[3].member = 77;
	memset(members[19].bundle, 0xbb, 32);
	assert_int_equal(body_files_answer_encode(&b, members, 20), 0);
	assert_int_equal(body_files_answer_decode(got, 20, b.data, b.len), 0);
	assert_memory_equal(got, members, sizeof(members));
	for (i = 0; i < b.len; i++)
		assert_int_equal(
		    body_files_answer_decode(got, 20, b.data, i), ERR_DAMAGED);
	buf_release(&b);
}

static void
test_get(void **state)
{
	struct body_items it;
	struct body_item i;
	const uint8_t *back, *id;
	struct buf b = BUF_INIT;
	uint32_t n;
	size_t len;

	(void)state;
	assert_int_equal(body_get_encode(&b, ids, 3), 0);
	assert_int_equal(body_get_decode(&back, &n, b.data, b.len), 0);
	assert_int_equal(n, 3);
	for (len = 0; len < b.len; len++)
		assert_int_equal(
		    body_get_decode(&back, &n, b.data, len), ERR_DAMAGED);
	bytes_put32(b.data, LIMIT_GET_IDS + 1);
	assert_int_equal(
	    body_get_decode(&back, &n, b.data, b.len), ERR_DAMAGED);

	buf_reset(&b);
	assert_int_equal(body_other_encode(&b, ids, ids + 32, 2), 0);
	assert_int_equal(body_other_decode(&id, &back, &n, b.data, b.len), 0);
	assert_int_equal(n, 2);
	assert_memory_equal(id, ids, 32);
	assert_memory_equal(back, ids + 32, 64);
	for (len = 0; len < b.len; len++)
		assert_int_equal(body_other_decode(&id, &back, &n, b.data, len),
		    ERR_DAMAGED);
	bytes_put32(b.data + 32, LIMIT_OTHER_SUMS + 1);
	assert_int_equal(
	    body_other_decode(&id, &back, &n, b.data, b.len), ERR_DAMAGED);

	buf_reset(&b);
	assert_int_equal(
	    body_item_encode(&b, BODY_ITEM_RECORD, ids, ids, 300), 0);
	len = b.len;
	assert_int_equal(
	    body_item_encode(&b, BODY_ITEM_ABSENT, ids, NULL, 0), 0);
	body_items_init(&it, b.data, b.len);
	assert_int_equal(body_items_next(&i, &it), 0);
	assert_int_equal(i.len, 300);
	assert_memory_equal(i.record, ids, 300);
	assert_int_equal(body_items_next(&i, &it), 0);
	assert_int_equal(i.status, BODY_ITEM_ABSENT);
	assert_null(i.record);
	assert_int_equal(body_items_next(&i, &it), 1);
	for (len--; len > 0; len--) {
		body_items_init(&it, b.data, len);
		assert_int_equal(body_items_next(&i, &it), ERR_DAMAGED);
	}
	/* A record has bytes, nothing else has. */
	b.data[0] = BODY_ITEM_DAMAGED;
	body_items_init(&it, b.data, b.len);
	assert_int_equal(body_items_next(&i, &it), ERR_DAMAGED);
	b.data[0] = 3;
	body_items_init(&it, b.data, b.len);
	assert_int_equal(body_items_next(&i, &it), ERR_DAMAGED);
	buf_release(&b);
}

static void
test_snapshots(void **state)
{
	struct buf b = BUF_INIT;
	const uint8_t *p;
	int tombs;

	(void)state;
	assert_int_equal(body_snapshots_encode(&b, NULL, 0), 0);
	assert_int_equal(body_snapshots_decode(&p, &tombs, b.data, b.len), 0);
	assert_null(p);
	assert_int_equal(tombs, 0);
	b.data[0] = 4;
	assert_int_equal(
	    body_snapshots_decode(&p, &tombs, b.data, b.len), ERR_DAMAGED);
	buf_reset(&b);
	assert_int_equal(body_snapshots_encode(&b, ids, 1), 0);
	assert_int_equal(body_snapshots_decode(&p, &tombs, b.data, b.len), 0);
	assert_ptr_equal(p, b.data + 1);
	assert_int_equal(tombs, 1);
	assert_int_equal(
	    body_snapshots_decode(&p, &tombs, b.data, 16), ERR_DAMAGED);
	assert_int_equal(
	    body_snapshots_decode(&p, &tombs, b.data, 0), ERR_DAMAGED);

	buf_release(&b);
}

static void
test_lists(void **state)
{
	struct body_mount m, got;
	struct body_file f, g;
	struct body_items it;
	struct buf b = BUF_INIT;

	(void)state;
	memset(&f, 0, sizeof(f));
	memset(f.mount, 3, sizeof(f.mount));
	f.seq = 1234567890123;
	f.file = ids;
	f.len = 100;
	assert_int_equal(body_file_encode(&b, &f), 0);
	assert_int_equal(b.len, BODY_FILE_BYTES + 100);
	body_items_init(&it, b.data, b.len);
	assert_int_equal(body_files_next(&g, &it), 0);
	assert_memory_equal(g.mount, f.mount, sizeof(g.mount));
	assert_int_equal(g.seq, f.seq);
	assert_int_equal(g.len, 100);
	assert_memory_equal(g.file, ids, 100);
	assert_int_equal(body_files_next(&g, &it), 1);
	body_items_init(&it, b.data, b.len - 1);
	assert_int_equal(body_files_next(&g, &it), ERR_DAMAGED);
	body_items_init(&it, b.data, BODY_FILE_BYTES - 1);
	assert_int_equal(body_files_next(&g, &it), ERR_DAMAGED);

	/* An empty snapshot file is damage of that one, no bad answer. */
	buf_reset(&b);
	f.len = 0;
	assert_int_equal(body_file_encode(&b, &f), 0);
	f.len = 7;
	assert_int_equal(body_file_encode(&b, &f), 0);
	body_items_init(&it, b.data, b.len);
	assert_int_equal(body_files_next(&g, &it), 0);
	assert_int_equal(g.len, 0);
	assert_int_equal(body_files_next(&g, &it), 0);
	assert_int_equal(g.len, 7);

	buf_reset(&b);
	memset(&m, 0, sizeof(m));
	memset(m.mount, 1, sizeof(m.mount));
	memset(m.label, 'l', LIMIT_LABEL_BYTES);
	assert_int_equal(body_mount_encode(&b, &m), 0);
	body_items_init(&it, b.data, b.len);
	assert_int_equal(body_mounts_next(&got, &it), 0);
	assert_memory_equal(&got, &m, sizeof(m));
	assert_int_equal(body_mounts_next(&got, &it), 1);
	b.data[b.len - 1] = 0;
	body_items_init(&it, b.data, b.len);
	assert_int_equal(body_mounts_next(&got, &it), ERR_DAMAGED);
	buf_release(&b);
}

static void
test_commit(void **state)
{
	struct body_commit c = {.server_seq = 7, .receive_ns = -5}, got;
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	assert_int_equal(body_commit_encode(&b, &c), 0);
	assert_int_equal(body_commit_decode(&got, b.data, b.len), 0);
	assert_int_equal(got.server_seq, 7);
	assert_int_equal(got.receive_ns, -5);
	for (i = 0; i < b.len; i++)
		assert_int_equal(
		    body_commit_decode(&got, b.data, i), ERR_DAMAGED);
	buf_reset(&b);
	c.missing = 1;
	c.count = 2;
	c.ids = ids;
	assert_int_equal(body_commit_encode(&b, &c), 0);
	assert_int_equal(body_commit_decode(&got, b.data, b.len), 0);
	assert_int_equal(got.count, 2);
	for (i = 0; i < b.len; i++)
		assert_int_equal(
		    body_commit_decode(&got, b.data, i), ERR_DAMAGED);
	b.data[0] = 2;
	assert_int_equal(body_commit_decode(&got, b.data, b.len), ERR_DAMAGED);
	buf_release(&b);
}

static void
test_routes(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < ROUTE_COUNT; i++)
		assert_int_equal(
		    route_find(route_info((enum route)i)->path), i);
	assert_int_equal(route_find(""), ROUTE_NONE);
	assert_int_equal(route_find("/v1/hello/"), ROUTE_NONE);
	assert_int_equal(route_find("/v1/hello?"), ROUTE_NONE);
	assert_int_equal(route_find("/V1/hello"), ROUTE_NONE);
	assert_int_equal(route_find("/v1/%68ello"), ROUTE_NONE);
	assert_int_equal(route_find("//v1/hello"), ROUTE_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_have),
	    cmocka_unit_test(test_get),
	    cmocka_unit_test(test_snapshots),
	    cmocka_unit_test(test_lists),
	    cmocka_unit_test(test_commit),
	    cmocka_unit_test(test_routes),
	};
	size_t i;

	for (i = 0; i < sizeof(ids); i++)
		ids[i] = (uint8_t)(i * 7);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
