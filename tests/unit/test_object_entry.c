/* Directory entries and extended attributes: round trips and refusals. */

#include "object/entry.h"

#include "base/err.h"
#include "base/limits.h"
#include "lib/object_again.h"
#include "lib/object_fixture.h"
#include "object/object.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A leaf of one entry, as again_tree() wants it. */
static void
encode(struct object *o, const struct entry *e)
{
	struct refs refs;

	refs_init(&refs);
	object_init(o, OBJECT_TREE);
	assert_int_equal(buf_append_zeros(&o->payload, 4), 0);
	assert_int_equal(buf_append32(&o->payload, 1), 0);
	assert_int_equal(entry_encode(&o->payload, &refs, e), 0);
	assert_int_equal(refs_finish(&o->refs, &refs, &o->payload), 0);
	refs_release(&refs);
}

static int
again(const struct object *o)
{
	struct again_bytes a = {0};

	a.refs = o->refs.data;
	a.nrefs = object_nrefs(o);
	return again_tree(&a, o->payload.data, o->payload.len);
}

static void
same_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
	assert_int_equal(a_len, b_len);
	assert_memory_equal(a, b, a_len);
}

static void
same(const struct entry *a, const struct entry *b)
{
	uint32_t i;

	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->flags, b->flags);
	same_text(a->name, a->name_len, b->name, b->name_len);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->gid, b->gid);
	assert_true(a->mtime_s == b->mtime_s);
	assert_int_equal(a->mtime_ns, b->mtime_ns);
	assert_int_equal(a->size, b->size);
	assert_memory_equal(a->address, b->address, HASH_BYTES);
	same_text(a->user, a->user_len, b->user, b->user_len);
	same_text(a->group, a->group_len, b->group, b->group_len);
	if (a->flags & ENTRY_HARDLINK)
		assert_memory_equal(a->link, b->link, sizeof(a->link));
	same_text((const char *)a->xattr, a->xattr_len, (const char *)b->xattr,
	    b->xattr_len);
	if (a->flags & ENTRY_XATTR_REF)
		assert_memory_equal(a->xattr_id, b->xattr_id, 32);
	same_text((const char *)a->extra, a->extra_len, (const char *)b->extra,
	    b->extra_len);
	assert_int_equal(a->location, b->location);
	if (a->data != NULL)
		assert_memory_equal(a->data, b->data, a->size);
	if (a->location == ENTRY_AT_BUNDLE || a->location == ENTRY_AT_MAP ||
	    a->location == ENTRY_AT_TREE)
		assert_memory_equal(a->id, b->id, 32);
	assert_int_equal(a->member, b->member);
	assert_int_equal(a->level, b->level);
	assert_int_equal(a->major, b->major);
	assert_int_equal(a->minor, b->minor);
	assert_int_equal(a->nextents, b->nextents);
	for (i = 0; i < a->nextents; i++) {
		assert_int_equal(a->extents[i].hole, b->extents[i].hole);
		assert_int_equal(a->extents[i].length, b->extents[i].length);
		assert_memory_equal(a->extents[i].id, b->extents[i].id, 32);
	}
}

static void
test_every_kind_comes_back(void **state)
{
	struct entry in[OBJECT_FIXTURE_ENTRIES], out;
	struct refs_check check;
	struct bytes_reader r;
	struct object o;
	size_t i, size;

	(void)state;
	object_fixture_entries(in);
	for (i = 0; i < OBJECT_FIXTURE_ENTRIES; i++) {
		encode(&o, &in[i]);
		assert_int_equal(entry_size(&size, &in[i]), 0);
		assert_int_equal(size, o.payload.len - 8);
		assert_int_equal(
		    refs_check_init(&check, o.refs.data, object_nrefs(&o)), 0);
		bytes_reader_init(&r, o.payload.data + 8, o.payload.len - 8);
		assert_int_equal(
		    entry_decode(&out, &r, &check, o.refs.data, 0), 0);
		assert_true(bytes_reader_done(&r));
		assert_int_equal(refs_check_done(&check), 0);
		same(&in[i], &out);
		bytes_reader_init(&r, o.payload.data + 8, o.payload.len - 8);
		assert_int_equal(entry_decode(&out, &r, &check, o.refs.data, 1),
		    ERR_DAMAGED);
		refs_check_release(&check);
		object_release(&o);
	}
}

static void
test_broken_entries(void **state)
{
	struct entry in[OBJECT_FIXTURE_ENTRIES];
	struct again_bytes a = {0};
	struct object o;
	size_t i;

	(void)state;
	object_fixture_entries(in);
	for (i = 0; i < OBJECT_FIXTURE_ENTRIES; i++) {
		encode(&o, &in[i]);
		a.refs = o.refs.data;
		a.nrefs = object_nrefs(&o);
		again_break(again_tree, &a, o.payload.data, o.payload.len);
		object_release(&o);
	}
}

static void
test_names(void **state)
{
	static const struct {
		const char *name;
		size_t len;
		int valid;
	} names[] = {{"", 0, 0}, {".", 1, 0}, {"..", 2, 0}, {"...", 3, 1},
	    {"a/b", 3, 0}, {"/", 1, 0}, {"a\0b", 3, 0}, {"\0", 1, 0},
	    {".shamo", 6, 0}, {".shamo2", 7, 1}, {".sham", 5, 1},
	    {"\xff\n", 2, 1}, {"-rf", 3, 1}, {" ", 1, 1}};
	char longest[LIMIT_NAME_BYTES + 1];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(
		    entry_name_is_valid(names[i].name, names[i].len) != 0,
		    names[i].valid);
	memset(longest, 'x', sizeof(longest));
	assert_true(entry_name_is_valid(longest, 255));
	assert_false(entry_name_is_valid(longest, 256));
	assert_true(entry_name_compare("a", 1, "b", 1) < 0);
	assert_true(entry_name_compare("a", 1, "a", 1) == 0);
	assert_true(entry_name_compare("ab", 2, "a", 1) > 0);
	assert_true(entry_name_compare("\xff", 1, "a", 1) > 0);
	assert_true(entry_name_compare("", 0, "a", 1) < 0);
}

/* Change one thing of a valid entry: kind, what. */
#define REFUSE(index, change) \
	do { \
		object_fixture_entries(in); \
		e = in[index]; \
		change; \
		assert_int_equal(entry_size(&size, &e), ERR_LIMIT); \
		assert_int_equal( \
		    entry_encode(&payload, &refs, &e), ERR_LIMIT); \
		assert_int_equal(payload.len, 0); \
		assert_int_equal(refs_uses(&refs), 0); \
	} while (0)

enum { EMPTY, INLINE, BUNDLE, EXTENTS, MAP, DIR, SYMLINK, FIFO, DEVICE, EXTRA };

static void
test_encoder_refuses(void **state)
{
	static const uint8_t bad_block[] = {1, 0, 1, 'a', 9, 0, 0, 0};
	static const uint8_t no_block[] = {0, 0};
	static const uint8_t twice[] = {1, 0, 0, 0, 1, 0, 0, 0};
	struct entry in[OBJECT_FIXTURE_ENTRIES], e;
	struct buf payload = BUF_INIT;
	struct refs refs;
	size_t size;

	(void)state;
	refs_init(&refs);
	REFUSE(EMPTY, e.kind = 0);
	REFUSE(EMPTY, e.kind = 7);
	REFUSE(EMPTY, e.flags = 32);
	REFUSE(EMPTY, e.flags = ENTRY_EXTRA); /* without items */
	REFUSE(EXTRA, e.extra_len--);
	REFUSE(EXTRA, e.extra_len = 3);
	REFUSE(EXTRA, e.extra = twice; e.extra_len = sizeof(twice));
	REFUSE(EXTRA, e.extra_len = 65536);
	REFUSE(EMPTY, e.flags = ENTRY_XATTR_INLINE | ENTRY_XATTR_REF);
	REFUSE(EMPTY, e.mode = 010000);
	REFUSE(EMPTY, e.mtime_ns = 1000000000);
	REFUSE(EMPTY, e.size = 1);
	REFUSE(EMPTY, e.name = ".."; e.name_len = 2);
	REFUSE(EMPTY, e.name_len = 0);
	REFUSE(EMPTY, e.user_len = 256);
	REFUSE(EMPTY, e.group = "a\0b"; e.group_len = 3);
	REFUSE(EMPTY, e.location = 8);
	REFUSE(EMPTY, e.location = ENTRY_AT_TREE);
	REFUSE(INLINE, e.size = 0);
	REFUSE(INLINE, e.size = LIMIT_INLINE_BYTES + 1);
	REFUSE(BUNDLE, e.size = 0);
	REFUSE(BUNDLE, e.size = LIMIT_PAYLOAD_BYTES + 1);
	REFUSE(BUNDLE, e.member = LIMIT_MEMBERS);
	REFUSE(BUNDLE, e.xattr_len = LIMIT_XATTR_INLINE + 1);
	REFUSE(BUNDLE, e.xattr = bad_block; e.xattr_len = sizeof(bad_block));
	REFUSE(BUNDLE, e.xattr = no_block; e.xattr_len = sizeof(no_block));
	REFUSE(EXTENTS, e.nextents = 0);
	REFUSE(EXTENTS, e.nextents = 17);
	REFUSE(EXTENTS, e.nextents--);
	REFUSE(EXTENTS, e.size--);
	REFUSE(EXTENTS, e.extents[0].length = 0);
	REFUSE(EXTENTS, e.extents[0].length = UINT64_MAX);
	REFUSE(EXTENTS, e.extents[3].hole = 1);
	REFUSE(MAP, e.size = 0);
	REFUSE(MAP, e.level = LIMIT_LEVELS);
	REFUSE(DIR, e.level = LIMIT_LEVELS);
	REFUSE(DIR, e.flags = ENTRY_HARDLINK);
	REFUSE(DIR, e.flags = ENTRY_UNSTABLE);
	REFUSE(DIR, e.location = ENTRY_AT_NONE);
	REFUSE(SYMLINK, e.size = 0);
	REFUSE(SYMLINK, e.size = LIMIT_TARGET_BYTES + 1);
	REFUSE(SYMLINK, e.data = (const uint8_t *)"../t\0rget");
	REFUSE(SYMLINK, e.location = ENTRY_AT_INLINE);
	REFUSE(FIFO, e.size = 1);
	REFUSE(FIFO, e.location = ENTRY_AT_INLINE);
	REFUSE(DEVICE, e.size = 1);
	REFUSE(DEVICE, e.location = ENTRY_AT_NONE);
	refs_release(&refs);
	buf_release(&payload);
}

/* Bytes written into a good leaf that must make it bad. */
static void
test_decoder_refuses(void **state)
{
	static const struct {
		int index;
		size_t at; /* in the entry */
		uint8_t byte;
	} cases[] = {
	    {EMPTY, 0, 0}, /* kinds */
	    {EMPTY, 0, 7},
	    {EMPTY, 0, ADDRESS_DIR},
	    {EMPTY, 1, 0x20}, /* flags */
	    {EMPTY, 1, ENTRY_EXTRA},
	    {EXTRA, 1, 0},
	    {EMPTY, 1, 6},
	    {DIR, 1, ENTRY_HARDLINK},
	    {FIFO, 1, ENTRY_UNSTABLE},
	    {EMPTY, 2, 0}, /* length of the name */
	    {EMPTY, 3, 1},
	    {EMPTY, 5, 0x10}, /* mode */
	    {EMPTY, 6, 1}, /* location */
	    {EMPTY, 6, 8},
	    {INLINE, 6, ENTRY_AT_TARGET},
	    {SYMLINK, 6, ENTRY_AT_INLINE},
	    {EMPTY, 7, 1}, /* zero */
	    {EMPTY, 27, 0x40}, /* nanoseconds */
	    {EMPTY, 28, 1}, /* size */
	    {INLINE, 28, 0},
	    {INLINE, 35, 0x80},
	    {SYMLINK, 28, 0},
	    {EXTENTS, 28, 0},
	    {MAP, 33, 0},
	    {FIFO, 28, 1},
	    {EMPTY, 68, '/'}, /* name */
	    {EMPTY, 69, 0},
	};
	struct entry in[OBJECT_FIXTURE_ENTRIES];
	struct object o;
	size_t i;

	(void)state;
	object_fixture_entries(in);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		encode(&o, &in[cases[i].index]);
		assert_int_equal(again(&o), 0);
		assert_int_not_equal(
		    o.payload.data[8 + cases[i].at], cases[i].byte);
		o.payload.data[8 + cases[i].at] = cases[i].byte;
		assert_int_equal(again(&o), ERR_DAMAGED);
		object_release(&o);
	}
}

static void
test_root_has_no_name(void **state)
{
	struct entry in[OBJECT_FIXTURE_ENTRIES], out;
	struct refs_check check;
	struct bytes_reader r;
	struct object o;

	(void)state;
	object_fixture_entries(in);
	in[DIR].name_len = 0;
	encode(&o, &in[DIR]);
	assert_int_equal(
	    refs_check_init(&check, o.refs.data, object_nrefs(&o)), 0);
	bytes_reader_init(&r, o.payload.data + 8, o.payload.len - 8);
	assert_int_equal(entry_decode(&out, &r, &check, o.refs.data, 1), 0);
	bytes_reader_init(&r, o.payload.data + 8, o.payload.len - 8);
	assert_int_equal(
	    entry_decode(&out, &r, &check, o.refs.data, 0), ERR_DAMAGED);
	assert_int_equal(again(&o), ERR_DAMAGED);
	refs_check_release(&check);
	object_release(&o);
}

static struct entry_xattr
attribute(const char *name, const void *value, size_t len)
{
	struct entry_xattr x = {name, strlen(name), value, len};

	return x;
}

static void
test_xattrs(void **state)
{
	struct entry_xattr x, y;
	struct buf b = BUF_INIT;
	size_t pos = 0;

	(void)state;
	assert_int_equal(entry_xattr_begin(&b), 0);
	assert_int_equal(
	    entry_xattr_next(&x, &pos, b.data, b.len), ERR_DAMAGED);
	x = attribute("system.posix_acl_access", "\2\0\0\0", 4);
	assert_int_equal(entry_xattr_add(&b, &x), 0);
	assert_int_equal(entry_xattr_add(&b, &x), ERR_FAIL);
	y = attribute("security.capability", "", 0);
	assert_int_equal(entry_xattr_add(&b, &y), ERR_FAIL);
	y = attribute("user.empty", NULL, 0);
	assert_int_equal(entry_xattr_add(&b, &y), 0);
	y = attribute("user.z", "zz", 2);
	assert_int_equal(entry_xattr_add(&b, &y), 0);
	y = attribute("", "", 0);
	assert_int_equal(entry_xattr_add(&b, &y), ERR_LIMIT);
	assert_int_equal(again_xattrs(NULL, b.data, b.len), 0);
	assert_int_equal(entry_xattr_next(&x, &pos, b.data, b.len), 0);
	same_text(x.name, x.name_len, "system.posix_acl_access", 23);
	assert_int_equal(x.value_len, 4);
	assert_int_equal(entry_xattr_next(&x, &pos, b.data, b.len), 0);
	same_text(x.name, x.name_len, "user.empty", 10);
	assert_int_equal(x.value_len, 0);
	assert_int_equal(entry_xattr_next(&x, &pos, b.data, b.len), 0);
	same_text((const char *)x.value, x.value_len, "zz", 2);
	assert_int_equal(entry_xattr_next(&x, &pos, b.data, b.len), 1);
	assert_int_equal(entry_xattr_next(&x, &pos, b.data, b.len), 1);
	again_break(again_xattrs, NULL, b.data, b.len);
	buf_release(&b);
}

static void
test_xattrs_have_a_limit(void **state)
{
	struct entry_xattr x;
	struct buf b = BUF_INIT;
	uint8_t *value = calloc(1, LIMIT_XATTR_BYTES);
	size_t pos = 0;

	(void)state;
	assert_non_null(value);
	assert_int_equal(entry_xattr_begin(&b), 0);
	x = attribute("user.a", value, LIMIT_XATTR_BYTES - 2 - 11 + 1);
	assert_int_equal(entry_xattr_add(&b, &x), ERR_LIMIT);
	x.value_len = SIZE_MAX;
	assert_int_equal(entry_xattr_add(&b, &x), ERR_LIMIT);
	x.value_len = LIMIT_XATTR_BYTES - 2 - 11;
	assert_int_equal(entry_xattr_add(&b, &x), 0);
	assert_int_equal(b.len, LIMIT_XATTR_BYTES);
	assert_int_equal(entry_xattr_next(&x, &pos, b.data, b.len), 0);
	assert_int_equal(entry_xattr_next(&x, &pos, b.data, b.len), 1);
	x = attribute("user.b", "", 0);
	assert_int_equal(entry_xattr_add(&b, &x), ERR_LIMIT);
	free(value);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_kind_comes_back),
	    cmocka_unit_test(test_broken_entries),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_encoder_refuses),
	    cmocka_unit_test(test_decoder_refuses),
	    cmocka_unit_test(test_root_has_no_name),
	    cmocka_unit_test(test_xattrs),
	    cmocka_unit_test(test_xattrs_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
