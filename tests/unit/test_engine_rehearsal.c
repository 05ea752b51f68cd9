/* What a dry run sees of a store: all it holds, and nothing that it takes. */

#include "engine/rehearsal.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A store that notes which call came last, and answers each differently. */
struct noting {
	struct store store; /* the first member */
	const char *last;
	const void *got[4]; /* its arguments */
	uint32_t n;
	int writes, closed;
};

static struct noting *
noting(struct store *s)
{
	return (struct noting *)s;
}

static int
note(struct store *s, const char *what, const void *a, const void *b,
    uint32_t n, int answer)
{
	struct noting *t = noting(s);

	t->last = what;
	t->got[0] = a;
	t->got[1] = b;
	t->n = n;
	return answer;
}

static int
have(struct store *s, uint8_t *bitmap, const uint8_t *ids, uint32_t n)
{
	return note(s, "have", bitmap, ids, n, 11);
}

static int
have_files(
    struct store *s, struct store_member *out, const uint8_t *ids, uint32_t n)
{
	return note(s, "have_files", out, ids, n, 12);
}

static int
put(struct store *s, const uint8_t *records, size_t len)
{
	noting(s)->writes++;
	return note(s, "put", records, NULL, (uint32_t)len, 13);
}

static int
get(struct store *s, const uint8_t *ids, uint32_t n, store_got_fn *got,
    void *arg)
{
	(void)got;
	return note(s, "get", ids, arg, n, 14);
}

static int
get_other(struct store *s, const uint8_t id[STORE_ID_BYTES], const uint8_t *bad,
    uint32_t n, store_got_fn *got, void *arg)
{
	(void)got;
	(void)arg;
	return note(s, "get_other", id, bad, n, 15);
}

static int
commit(struct store *s, struct store_receipt *receipt, struct buf *missing,
    const uint8_t *snapshot, size_t len)
{
	(void)receipt;
	noting(s)->writes++;
	return note(s, "commit", missing, snapshot, (uint32_t)len, 16);
}

static int
snapshots(struct store *s, const uint8_t mount[STORE_NAME_BYTES],
    store_snapshot_fn *found, void *arg)
{
	(void)found;
	return note(s, "snapshots", mount, arg, 0, 17);
}

static int
mounts(struct store *s, store_mount_fn *found, void *arg)
{
	(void)found;
	return note(s, "mounts", arg, NULL, 0, 18);
}

static int
report(struct store *s, const uint8_t id[STORE_ID_BYTES])
{
	return note(s, "report", id, NULL, 0, 19);
}

static int
settle(struct store *s)
{
	noting(s)->writes++;
	return note(s, "settle", NULL, NULL, 0, 20);
}

static int
tombs(struct store *s, const uint8_t mount[STORE_NAME_BYTES],
    store_snapshot_fn *found, void *arg)
{
	(void)found;
	return note(s, "tombs", mount, arg, 0, 21);
}

static void
end(struct store *s)
{
	noting(s)->closed++;
}

static const struct store_ops ops = {.have = have,
    .have_files = have_files,
    .put = put,
    .get = get,
    .get_other = get_other,
    .commit = commit,
    .snapshots = snapshots,
    .tombs = tombs,
    .mounts = mounts,
    .report = report,
    .settle = settle,
    .close = end};

static void
assert_passed(const struct noting *t, const char *what, const void *a,
    const void *b, uint32_t n)
{
	assert_string_equal(t->last, what);
	assert_ptr_equal(t->got[0], a);
	assert_ptr_equal(t->got[1], b);
	assert_int_equal(t->n, n);
}

static void
test_reads_are_the_stores(void **state)
{
	struct noting t = {.store = {.ops = &ops}};
	uint8_t a[64], b[64];
	struct store_member m[2];
	struct rehearsal r;
	struct store *s = &r.store;

	(void)state;
	t.store.info.parent_client_seq = 77;
	rehearsal_init(&r, &t.store);
	assert_int_equal(s->info.parent_client_seq, 77);
	assert_int_equal(s->ops->have(s, a, b, 2), 11);
	assert_passed(&t, "have", a, b, 2);
	assert_int_equal(s->ops->have_files(s, m, b, 2), 12);
	assert_passed(&t, "have_files", m, b, 2);
	assert_int_equal(s->ops->get(s, a, 2, NULL, b), 14);
	assert_passed(&t, "get", a, b, 2);
	/* Called when a record fails its keyed checks, in a dry run, too. */
	assert_non_null(s->ops->get_other);
	assert_int_equal(s->ops->get_other(s, a, b, 1, NULL, NULL), 15);
	assert_passed(&t, "get_other", a, b, 1);
	assert_int_equal(s->ops->snapshots(s, a, NULL, b), 17);
	assert_passed(&t, "snapshots", a, b, 0);
	assert_non_null(s->ops->tombs);
	assert_int_equal(s->ops->tombs(s, a, NULL, b), 21);
	assert_passed(&t, "tombs", a, b, 0);
	assert_int_equal(s->ops->mounts(s, NULL, a), 18);
	assert_passed(&t, "mounts", a, NULL, 0);
	assert_int_equal(s->ops->report(s, a), 19);
	assert_passed(&t, "report", a, NULL, 0);
	assert_int_equal(t.writes, 0);
}

static void
test_writes_go_nowhere(void **state)
{
	struct noting t = {.store = {.ops = &ops}};
	struct store_receipt receipt = {.server_seq = 5};
	struct buf missing = BUF_INIT;
	uint8_t bytes[64] = {0};
	struct rehearsal r;
	struct store *s = &r.store;

	(void)state;
	rehearsal_init(&r, &t.store);
	assert_int_equal(s->ops->put(s, bytes, sizeof(bytes)), 0);
	assert_int_equal(
	    s->ops->commit(s, &receipt, &missing, bytes, sizeof(bytes)),
	    ERR_FAIL);
	assert_int_equal(receipt.server_seq, 5);
	assert_int_equal(missing.len, 0);
	if (s->ops->settle != NULL)
		assert_int_equal(s->ops->settle(s), 0);
	s->ops->close(s);
	assert_int_equal(t.writes, 0);
	assert_int_equal(t.closed, 0);
	assert_null(t.last);
}

/* A store that retires nothing, or needs no settling, says so by absence. */
static void
test_what_the_store_lacks(void **state)
{
	struct store_ops few = ops;
	struct noting t = {.store = {.ops = &few}};
	uint8_t mount[STORE_NAME_BYTES] = {0};
	struct rehearsal r;

	(void)state;
	few.tombs = NULL;
	rehearsal_init(&r, &t.store);
	assert_int_equal(r.store.ops->tombs(&r.store, mount, NULL, NULL), 0);
	assert_null(t.last);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reads_are_the_stores),
	    cmocka_unit_test(test_writes_go_nowhere),
	    cmocka_unit_test(test_what_the_store_lacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
