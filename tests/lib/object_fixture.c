#include "lib/object_fixture.h"

#include "lib/fill.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

const uint8_t object_fixture_id_key[HASH_BYTES] = "id key of the unit tests";
const uint8_t object_fixture_split_key[HASH_BYTES] =
    "split key of the unit tests";

long
object_fixture_peak_kib(void)
{
#ifdef OBJECT_FIXTURE_SLOW
	return 0;
#else
	struct rusage u;

	if (getrusage(RUSAGE_SELF, &u) != 0)
		abort();
	return u.ru_maxrss;
#endif
}

void
object_fixture_id(uint8_t id[OBJECT_ID_BYTES], uint64_t number)
{
	fill_random(id, OBJECT_ID_BYTES, number);
}

void
object_fixture_plain(struct entry *e, const char *name)
{
	memset(e, 0, sizeof(*e));
	e->kind = ADDRESS_FIFO;
	e->location = ENTRY_AT_NONE;
	e->name = name;
	e->name_len = strlen(name);
}

static void
owned(struct entry *e, const char *name, enum address_kind kind,
    enum entry_location location, uint64_t size)
{
	static uint64_t number = 1000;

	object_fixture_plain(e, name);
	e->kind = kind;
	e->location = location;
	e->size = size;
	e->mode = 0644;
	e->uid = 1000;
	e->gid = 100;
	e->mtime_s = -5;
	e->mtime_ns = 999999999;
	e->user = "alice";
	e->user_len = 5;
	e->group = "users";
	e->group_len = 5;
	object_fixture_id(e->address, 1);
	object_fixture_id(e->id, number++ % 4);
}

static void
with_extents(struct entry *e)
{
	uint32_t i;

	e->nextents = 16;
	e->size = 0;
	for (i = 0; i < e->nextents; i++) {
		e->extents[i].hole = i % 5 == 2;
		e->extents[i].length = 1000 + i;
		if (!e->extents[i].hole)
			object_fixture_id(e->extents[i].id, i % 7);
		e->size += e->extents[i].length;
	}
}

void
object_fixture_entries(struct entry out[OBJECT_FIXTURE_ENTRIES])
{
	static const uint8_t xattrs[] = {2, 0, 6, 'u', 's', 'e', 'r', '.', 'a',
	    1, 0, 0, 0, 'x', 6, 'u', 's', 'e', 'r', '.', 'b', 0, 0, 0, 0};
	static const uint8_t extra[] = {
	    0, 0, 0, 0, 1, 0xff, 3, 0, 'a', 'b', 'c'};
	struct entry *e = out;

	owned(e++, "a-empty", ADDRESS_FILE, ENTRY_AT_NONE, 0);
	owned(e, "b-inline", ADDRESS_FILE, ENTRY_AT_INLINE, 5);
	e++->data = (const uint8_t *)"tiny\n";
	owned(e, "c-bundle", ADDRESS_FILE, ENTRY_AT_BUNDLE, 4000);
	e->flags = ENTRY_XATTR_INLINE | ENTRY_HARDLINK;
	e->xattr = xattrs;
	e->xattr_len = sizeof(xattrs);
	memset(e->link, 0xab, sizeof(e->link));
	e++->member = 8191;
	owned(e, "d-extents", ADDRESS_FILE, ENTRY_AT_EXTENTS, 0);
	with_extents(e++);
	owned(e, "e-map", ADDRESS_FILE, ENTRY_AT_MAP, UINT64_C(1) << 40);
	e->flags = ENTRY_UNSTABLE | ENTRY_XATTR_REF | ENTRY_EXTRA;
	e->extra = extra;
	e->extra_len = sizeof(extra);
	object_fixture_id(e->xattr_id, 77);
	e++->level = 7;
	owned(e, "f-directory", ADDRESS_DIR, ENTRY_AT_TREE, 12345);
	e++->level = 2;
	owned(e, "g-symlink", ADDRESS_SYMLINK, ENTRY_AT_TARGET, 9);
	e++->data = (const uint8_t *)"../target";
	owned(e++, "h-fifo", ADDRESS_FIFO, ENTRY_AT_NONE, 0);
	owned(e, "i-chardev", ADDRESS_CHARDEV, ENTRY_AT_DEVICE, 0);
	e->major = 4095;
	e++->minor = UINT32_MAX;
	owned(e, "j-blockdev", ADDRESS_BLOCKDEV, ENTRY_AT_DEVICE, 0);
	e->flags = ENTRY_EXTRA;
	e->extra = extra + 4;
	e->extra_len = sizeof(extra) - 4;
	e++->major = 8;
	owned(e, "k\xff\x01", ADDRESS_FILE, ENTRY_AT_EXTENTS, 7);
	e->nextents = 1;
	e->extents[0].hole = 1;
	e++->extents[0].length = 7;
	object_fixture_plain(e++, "l-plain");
}
