/* More readers of an environment than there are slots for them. */

#include "base/err.h"
#include "base/fs.h"
#include "base/kv.h"
#include "lib/tempdir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define READERS 2000u /* more than kv.c has slots */

static void
put(struct kv *kv, uint32_t key)
{
	struct kv_txn *t;

	assert_int_equal(kv_begin(&t, kv, 1), 0);
	assert_int_equal(kv_put(t, 0, &key, sizeof(key), "value", 5), 0);
	assert_int_equal(kv_commit(t), 0);
}

static int
has(struct kv_txn *t, uint32_t key)
{
	struct kv_slice value;
	int r = kv_get(&value, t, 0, &key, sizeof(key));

	assert_true(r == 0 || r == 1);
	return r == 0;
}

/* The next one is told to wait, and nobody else notices. */
static void
test_too_many_readers(void **state)
{
	static const char *const names[] = {"table"};
	char *dir = tempdir_new(), *path = fs_join(dir, "env");
	struct kv_txn *readers[READERS];
	struct kv *kv;
	unsigned n;
	int r = 0;

	(void)state;
	assert_int_equal(kv_open(&kv, path, names, NULL, 1, KV_CREATE), 0);
	put(kv, 1);
	for (n = 0; n < READERS; n++) {
		r = kv_begin(&readers[n], kv, 0);
		if (r != 0)
			break;
	}
	assert_int_equal(r, ERR_BUSY);
	assert_in_range(n, 1000, READERS - 1);
	/* A writer does not wait for them, nor do they see what it did. */
	put(kv, 2);
	assert_true(has(readers[n - 1], 1) && !has(readers[n - 1], 2));
	/* One that ends makes room. */
	kv_abort(readers[--n]);
	assert_int_equal(kv_begin(&readers[n], kv, 0), 0);
	assert_true(has(readers[n], 1) && has(readers[n], 2));
	for (n++; n > 0; n--)
		kv_abort(readers[n - 1]);
	kv_close(kv);
	free(path);
	tempdir_free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_too_many_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
