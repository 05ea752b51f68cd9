/* Restoring what a machine of the vault has sealed under ids that are not its
 * contents' own: nothing wrong comes back, the bad object is named, and a
 * better record of it is taken.  (threat-model.md, "What a restore hashes") */

#include "base/err.h"
#include "engine/fetch.h"
#include "engine/restore_direct.h"
#include "lib/restoring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static unsigned interrupt_at; /* the get of this number */

/*
 * Sealed with the right keys, under an id that is not its own: only somebody
 * of the vault can do that, and only hashing finds it.
 */
struct junk {
	uint8_t id[32];
	struct buf right; /* the record as it was */
};

/* Change the object that the first extent of `e` leads to, by a flipped byte
 * and `more` bytes. */
static void
make_junk(struct restoring *f, struct junk *j, enum object_type type,
    const uint8_t id[32], int more)
{
	struct buf *b = memory_store_record(f->m, id);
	struct fetch *fetch;
	struct object o;

	memcpy(j->id, id, 32);
	buf_init(&j->right);
	assert_int_equal(0, buf_append(&j->right, b->data, b->len));
	assert_int_equal(0, fetch_new(&fetch, &f->m->store, &f->m->keys, 0));
	object_init(&o, type);
	assert_int_equal(0, fetch_object(&o, fetch, type, id));
	fetch_free(fetch);
	o.payload.data[o.payload.len - 1] ^= 1;
	if (more > 0)
		assert_int_equal(0, buf_append_zeros(&o.payload, (size_t)more));
	else
		o.payload.len -= (size_t)-more;
	memory_store_forge(f->m, &o, id);
	object_release(&o);
}

/* Let the store have the right record too, behind the junk. */
static void
offer_right(struct restoring *f, const struct junk *j)
{
	memcpy(f->m->other_id, j->id, 32);
	buf_reset(&f->m->other);
	assert_int_equal(
	    0, buf_append(&f->m->other, j->right.data, j->right.len));
}

/* Put the right record back; the restore is clean. */
static void
without_junk(struct restoring *f, struct junk *j)
{
	struct buf *b = memory_store_record(f->m, j->id);

	buf_reset(b);
	assert_int_equal(0, buf_append(b, j->right.data, j->right.len));
	buf_release(&j->right);
	buf_release(&f->m->other);
	restored_clear(&f->r);
	assert_int_equal(0, restored_run(&f->r, NULL));
}

static void
extents(struct restoring *f, struct entry *e, const char *name, size_t skip,
    size_t n, size_t len, int maps)
{
	const uint8_t *parts[32];
	size_t lengths[32], i;

	for (i = 0; i < n; i++) {
		parts[i] = f->data + skip + i * len;
		lengths[i] = len;
	}
	planter_meta(e, name, ADDRESS_FILE);
	planter_extents(&f->p, e, parts, lengths, n, maps);
}

/* Junk as a chunk of two files; a third does not need it. */
static void
junk_chunk(void **state)
{
	static const int mores[] = {0, 1, -1};
	struct restoring *f = *state;
	struct entry e, one, two;
	struct junk j;
	size_t i;

	extents(f, &one, "one", 0, 3, 50000, 0);
	extents(f, &two, "two", 50000, 3, 50000, 0);
	extents(f, &e, "free", 200000, 3, 50000, 0);
	restoring_commit(f);
	assert_memory_equal(one.extents[1].id, two.extents[0].id, 32);
	for (i = 0; i < 3; i++) {
		make_junk(f, &j, OBJECT_CHUNK, one.extents[1].id, mores[i]);
		f->m->reports = 0;
		restoring_damaged(f, 2);
		restored_warned(&f->r, "one: object ");
		restored_warned(&f->r, "two: object ");
		restored_warned(&f->r, "the content has another id");
		restored_lacks(&f->r, "one");
		restored_lacks(&f->r, "two");
		restored_has(&f->r, "free", f->data + 200000, 150000);
		assert_true(f->m->reports > 0);
		assert_memory_equal(j.id, f->m->reported, 32);
		restored_clear(&f->r);

		/* With a better record behind it nothing is lost. */
		offer_right(f, &j);
		assert_int_equal(0, restored_run(&f->r, NULL));
		assert_int_equal(0, f->r.result.damaged);
		restored_has(&f->r, "one", f->data, 150000);
		restored_has(&f->r, "two", f->data + 50000, 150000);
		without_junk(f, &j);
		restored_clear(&f->r);
	}
	assert_int_equal(0, restored_run(&f->r, NULL));
}

/* Every count, and what the user is told of the progress, is as without it. */
static void
junk_is_not_counted(void **state)
{
	struct restoring *f = *state;
	struct restore_result clean;
	struct entry e;
	struct junk j;
	unsigned long long bytes, files;

	extents(f, &e, "large", 0, 7, 50000, 0);
	restoring_file(f, "small", RESTORING_MEMBER);
	restoring_commit(f);
	assert_int_equal(0, restored_run(&f->r, NULL));
	clean = f->r.result;
	bytes = f->r.progress.bytes;
	files = f->r.progress.files;
	restored_clear(&f->r);
	make_junk(f, &j, OBJECT_CHUNK, e.extents[5].id, 0);
	offer_right(f, &j);
	assert_int_equal(0, restored_run(&f->r, NULL));
	assert_memory_equal(&clean, &f->r.result, sizeof(clean));
	assert_int_equal(2 * bytes, f->r.progress.bytes);
	assert_int_equal(2 * files, f->r.progress.files);
	without_junk(f, &j);
}

static void
junk_bundle(void **state)
{
	static const int mores[] = {0, 1, -1};
	struct restoring *f = *state;
	struct junk j;
	uint8_t id[32];
	size_t i;

	restoring_bundle(f, id);
	restoring_commit(f);
	for (i = 0; i < 3; i++) {
		make_junk(f, &j, OBJECT_BUNDLE, id, mores[i]);
		/* Members that the change spared may come back or not: here
		 * the object is read anew, whole, for the one that was hit. */
		assert_int_equal(ERR_DAMAGED, restored_run(&f->r, NULL));
		assert_true(f->r.result.damaged > 0);
		restored_warned(&f->r, "object ");
		restored_warned(&f->r, "the content has another id");
		restored_lacks(&f->r, "dir/three");
		restored_has(&f->r, "zz-good/good", f->data, 1000);
		restored_clear(&f->r);
		offer_right(f, &j);
		assert_int_equal(0, restored_run(&f->r, NULL));
		restored_has(&f->r, "dir/one", f->data, RESTORING_MEMBER);
		restored_has(&f->r, "dir/three", f->data, RESTORING_MEMBER + 2);
		without_junk(f, &j);
		restored_clear(&f->r);
	}
	assert_int_equal(0, restored_run(&f->r, NULL));
}

/* In place of a map, which no file's address proves. */
static void
junk_map(void **state)
{
	struct restoring *f = *state;
	struct entry e;
	struct junk j;

	extents(f, &e, "mapped", 0, 32, 12000, 1);
	restoring_commit(f);
	make_junk(f, &j, OBJECT_MAP, e.id, 0);
	restoring_damaged(f, 1);
	restored_warned(&f->r, "mapped: object ");
	restored_warned(&f->r, "the content has another id");
	restored_lacks(&f->r, "mapped");
	without_junk(f, &j);
}

/* A file that is written past the page cache, in many parts and windows. */
static void
junk_in_a_large_file(void **state)
{
	enum { N = 90, LEN = 200000 };
	struct restoring *f = *state;
	const uint8_t *parts[N];
	size_t lengths[N], i;
	struct entry e;
	struct junk j;
	struct stat st;
	struct object o;

	for (i = 0; i < N; i++) {
		parts[i] = f->data + 1000 * i;
		lengths[i] = LEN;
	}
	planter_meta(&e, "large", ADDRESS_FILE);
	planter_extents(&f->p, &e, parts, lengths, N, 0);
	assert_true(e.size >= RESTORE_DIRECT_BYTES_MIN);
	restoring_commit(f);
	object_init(&o, OBJECT_CHUNK);
	assert_int_equal(
	    0, buf_append(&o.payload, f->data + 1000 * (N - 2), LEN));
	object_name(&o, f->m->keys.id);
	make_junk(f, &j, OBJECT_CHUNK, o.id, 0);
	object_release(&o);
	restoring_damaged(f, 1);
	restored_warned(&f->r, "large: object ");
	restored_lacks(&f->r, "large");
	restored_clear(&f->r);
	offer_right(f, &j);
	assert_int_equal(0, restored_run(&f->r, NULL));
	assert_int_equal(0, lstat(restored_path(&f->r, "large"), &st));
	assert_int_equal(N * LEN, st.st_size);
	without_junk(f, &j);
}

/* The first of a group of hard links, or all of it. */
static void
junk_under_links(void **state)
{
	struct restoring *f = *state;
	struct entry e;
	struct junk j;
	struct stat st;

	planter_meta(&e, "1st", ADDRESS_FILE);
	e.flags = ENTRY_HARDLINK;
	planter_file(&f->p, &e, f->data, 200000);
	e.name = "2nd";
	planter_add(&f->p, &e);
	restoring_commit(f);
	make_junk(f, &j, OBJECT_CHUNK, e.extents[0].id, 0);
	restoring_damaged(f, 2);
	restored_lacks(&f->r, "1st");
	restored_lacks(&f->r, "2nd");
	restored_clear(&f->r);
	offer_right(f, &j);
	assert_int_equal(0, restored_run(&f->r, NULL));
	assert_int_equal(0, lstat(restored_path(&f->r, "1st"), &st));
	assert_int_equal(2, st.st_nlink);
	restored_has(&f->r, "2nd", f->data, 200000);
	without_junk(f, &j);
}

static void
on_get(void *arg)
{
	struct restoring *f = arg;

	if (f->m->gets == interrupt_at)
		f->r.interrupt = 1;
}

/* Interrupted while the files that it hit are read again. */
static void
junk_and_an_interrupt(void **state)
{
	struct restoring *f = *state;
	struct entry e;
	struct junk j;
	unsigned gets, i;
	int rc;

	extents(f, &e, "one", 0, 3, 50000, 0);
	extents(f, &e, "two", 50000, 3, 50000, 0);
	restoring_commit(f);
	make_junk(f, &j, OBJECT_CHUNK, e.extents[0].id, 0);
	restoring_damaged(f, 2);
	gets = f->m->gets;
	f->m->on_get = on_get;
	f->m->arg = f;
	for (i = 1; i <= gets; i++) {
		restored_clear(&f->r);
		f->m->gets = 0;
		interrupt_at = i;
		rc = restored_run(&f->r, NULL);
		/* The last get may be answered before the flag is seen. */
		assert_true(rc == ERR_INTR || rc == ERR_DAMAGED);
		f->r.interrupt = 0;
		restored_lacks(&f->r, "one");
		restored_lacks(&f->r, "two");
	}
	f->m->on_get = NULL;
	without_junk(f, &j);
}

/* The bytes of a file are what the snapshot says, whatever the id is of what
 * they stood in. */
static void
junk_that_is_right(void **state)
{
	struct restoring *f = *state;
	struct entry e;
	struct junk j;

	extents(f, &e, "file", 0, 1, 50000, 0);
	e.name = "copy";
	e.name_len = 4;
	f->data[49999] ^= 1;
	hash_bytes(e.address, f->data, 50000);
	planter_add(&f->p, &e);
	restoring_commit(f);
	/* Of the two only the one with the junk's address comes back. */
	make_junk(f, &j, OBJECT_CHUNK, e.extents[0].id, 0);
	restoring_damaged(f, 1);
	restored_has(&f->r, "copy", f->data, 50000);
	restored_lacks(&f->r, "file");
	buf_release(&j.right);
}

/* Records whose bytes change on their way, which nobody has compared: they
 * are asked for again, and no damage is seen. */
static void
flipped_on_the_way(void **state)
{
	static const size_t flips[] = {
	    HASH_BYTES, HASH_BYTES + 1, 1000, 2900, 2960, 3000, 3100, 7777};
	struct restoring *f = *state;
	struct entry e;
	unsigned gets;
	size_t i;

	restoring_dir(f, "dir");
	restoring_file(f, "one", RESTORING_MEMBER);
	restoring_file(f, "two", RESTORING_MEMBER + 1);
	planter_leave(&f->p);
	extents(f, &e, "large", 0, 7, 50000, 0);
	restoring_commit(f);
	assert_int_equal(0, restored_run(&f->r, NULL));
	gets = f->m->gets;
	for (i = 0; i < sizeof(flips) / sizeof(flips[0]); i++) {
		restored_clear(&f->r);
		f->m->gets = 0;
		f->m->flip = flips[i];
		assert_int_equal(0, restored_run(&f->r, NULL));
		restored_has(&f->r, "large", f->data, 350000);
		restored_has(&f->r, "dir/one", f->data, RESTORING_MEMBER);
		assert_int_equal(0, f->m->reports);
		assert_int_equal(0, f->m->others);
		/* The seven chunks, and bundles. */
		assert_true(f->m->gets >= gets + 7);
	}
}

/* The same where the store's own is damaged. */
static void
flipped_in_the_store_too(void **state)
{
	struct restoring *f = *state;
	struct entry e;
	struct buf *b;

	extents(f, &e, "large", 0, 7, 50000, 0);
	restoring_commit(f);
	b = memory_store_record(f->m, e.extents[3].id);
	b->data[b->len / 2] ^= 1;
	restoring_damaged(f, 1);
	restored_lacks(&f->r, "large");
	assert_int_equal(1, f->m->reports);
	assert_memory_equal(e.extents[3].id, f->m->reported, 32);
	b->data[b->len / 2] ^= 1;
}

int
main(void)
{
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, restoring_setup, restoring_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(junk_chunk),
	    TEST(junk_is_not_counted),
	    TEST(junk_bundle),
	    TEST(junk_map),
	    TEST(junk_in_a_large_file),
	    TEST(junk_under_links),
	    TEST(junk_and_an_interrupt),
	    TEST(junk_that_is_right),
	    TEST(flipped_on_the_way),
	    TEST(flipped_in_the_store_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
