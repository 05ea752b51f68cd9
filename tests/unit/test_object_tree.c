/* Trees: where leaves and nodes end, what a change rewrites, what readers
 * reject. */

#include "object/tree.h"

#include "base/err.h"
#include "base/limits.h"
#include "lib/fill.h"
#include "lib/object_again.h"
#include "lib/object_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEY object_fixture_split_key

/* One emitted object. */
struct item {
	uint8_t id[OBJECT_ID_BYTES];
	size_t payload_len;
	unsigned level;
	uint32_t count;
};

/* What a writer emitted. */
/* Of a directory of 10^9 entries. */
#ifdef OBJECT_FIXTURE_SLOW
#define HUGE_LEAVES 50000u
#else
#define HUGE_LEAVES 500000u
#endif

struct sink {
	uint64_t count[LIMIT_LEVELS];
	struct buf items;
	struct object last;
	int keep; /* all items; else only counts and the last */
};

static int
emit(void *arg, struct object *o)
{
	struct sink *s = arg;
	struct object swap;
	struct item item;

	assert_int_equal(o->type, OBJECT_TREE);
	object_name(o, object_fixture_id_key);
	memcpy(item.id, o->id, sizeof(item.id));
	item.payload_len = o->payload.len;
	item.level = o->payload.data[0];
	item.count = bytes_get32(o->payload.data + 4);
	s->count[item.level]++;
	if (s->keep)
		assert_int_equal(buf_append(&s->items, &item, sizeof(item)), 0);
	swap = s->last;
	s->last = *o;
	*o = swap;
	memcpy(o->id, s->last.id, sizeof(o->id));
	return 0;
}

static void
sink_begin(struct sink *s)
{
	memset(s, 0, sizeof(*s));
	s->keep = 1;
	object_init(&s->last, OBJECT_TREE);
}

static void
sink_end(struct sink *s)
{
	object_release(&s->last);
	buf_release(&s->items);
}

static size_t
sink_items(const struct sink *s)
{
	return s->items.len / sizeof(struct item);
}

static const struct item *
sink_item(const struct sink *s, size_t i)
{
	return (const struct item *)(void *)s->items.data + i;
}

/* An entry for a number: names in the order of numbers. */
static void
number_entry(struct entry *e, char name[32], uint64_t number, uint64_t version)
{
	(void)snprintf(
	    name, 32, "file-%010llu", (unsigned long long)number); /* fits */
	object_fixture_plain(e, name);
	e->kind = ADDRESS_FILE;
	e->location = ENTRY_AT_BUNDLE;
	e->size = 1 + (number + version) % 1000;
	e->member = (uint32_t)(number % 300);
	object_fixture_id(e->id, number / 300 + version * 1000003);
	object_fixture_id(e->address, number + (version << 32));
}

static void
add_number(struct tree_writer *w, uint64_t number, uint64_t version)
{
	struct entry e;
	char name[32];

	number_entry(&e, name, number, version);
	assert_int_equal(tree_writer_add(w, &e), 0);
}

static void
test_small_directories(void **state)
{
	struct entry in[OBJECT_FIXTURE_ENTRIES], out;
	struct again_bytes a = {0};
	struct tree_reader t;
	struct tree_writer *w;
	struct tree_result r;
	struct sink s;
	size_t i, n;

	(void)state;
	object_fixture_entries(in);
	sink_begin(&s);
	assert_int_equal(tree_writer_new(&w, KEY, emit, &s), 0);
	for (n = 0; n <= OBJECT_FIXTURE_ENTRIES; n++) {
		tree_writer_reset(w);
		assert_true(tree_writer_at_cut(w));
		for (i = 0; i < n; i++) {
			assert_int_equal(tree_writer_add(w, &in[i]), 0);
			assert_false(tree_writer_at_cut(w));
		}
		assert_int_equal(tree_writer_finish(&r, w), 0);
		assert_int_equal(r.level, 0);
		assert_int_equal(r.entries, n);
		assert_int_equal(s.count[0], n + 1);
		assert_memory_equal(r.id, s.last.id, 32);
		a.refs = s.last.refs.data;
		a.nrefs = object_nrefs(&s.last);
		assert_int_equal(tree_reader_init(&t, 0, a.refs, a.nrefs,
				     s.last.payload.data, s.last.payload.len),
		    0);
		for (i = 0; i < n; i++) {
			assert_int_equal(tree_reader_entry(&out, &t), 0);
			assert_memory_equal(
			    out.name, in[i].name, in[i].name_len);
		}
		assert_int_equal(tree_reader_entry(&out, &t), 1);
		tree_reader_release(&t);
		again_break(
		    again_tree, &a, s.last.payload.data, s.last.payload.len);
	}
	tree_writer_free(w);
	sink_end(&s);
}

static void
test_writer_refuses(void **state)
{
	struct tree_writer *w;
	struct tree_result r;
	struct entry e;
	struct sink s;
	uint8_t id[32] = {1};

	(void)state;
	sink_begin(&s);
	assert_int_equal(tree_writer_new(&w, KEY, emit, &s), 0);
	object_fixture_plain(&e, "b");
	assert_int_equal(tree_writer_add(w, &e), 0);
	assert_int_equal(tree_writer_add(w, &e), ERR_FAIL);
	e.name = "a";
	assert_int_equal(tree_writer_add(w, &e), ERR_FAIL);
	e.name_len = 0;
	assert_int_equal(tree_writer_add(w, &e), ERR_LIMIT);
	object_fixture_plain(&e, "..");
	assert_int_equal(tree_writer_add(w, &e), ERR_LIMIT);
	assert_int_equal(tree_writer_add_leaf(w, id, 5, "c", 1), ERR_FAIL);
	object_fixture_plain(&e, "c");
	assert_int_equal(tree_writer_add(w, &e), 0);
	assert_int_equal(tree_writer_finish(&r, w), 0);
	assert_int_equal(r.entries, 2);
	tree_writer_reset(w);
	assert_int_equal(tree_writer_add_leaf(w, id, 0, "c", 1), ERR_FAIL);
	assert_int_equal(tree_writer_add_leaf(w, id, 5, "/", 1), ERR_FAIL);
	assert_int_equal(tree_writer_add_leaf(w, id, 5, "c", 1), 0);
	assert_int_equal(tree_writer_add_leaf(w, id, 5, "c", 1), ERR_FAIL);
	assert_int_equal(tree_writer_add(w, &e), ERR_FAIL);
	assert_int_equal(tree_writer_finish(&r, w), 0);
	assert_int_equal(r.level, 0);
	assert_int_equal(r.entries, 5);
	assert_memory_equal(r.id, id, 32);
	tree_writer_free(w);
	sink_end(&s);
}

/*
 * The rule of the document over a whole list of items, level by level: bytes
 * of each item, mark of each; returns the root's level.
 */
static unsigned
model(uint64_t count[LIMIT_LEVELS], size_t *size, uint64_t *mark,
    const size_t *name_len, size_t n)
{
	size_t i, items, groups, bytes, name, *len;
	unsigned level;

	len = calloc(n, sizeof(*len));
	assert_non_null(len);
	memcpy(len, name_len, n * sizeof(*len));
	for (level = 0;; level++) {
		assert_true(level < LIMIT_LEVELS);
		items = groups = 0;
		bytes = 8;
		for (i = 0; i < n; i++) {
			items++;
			bytes += size[i];
			if (i + 1 < n &&
			    (bytes < 16384 ||
				(mark[i] >> 7 * level) % 128 != 0) &&
			    bytes + size[i + 1] <= 262144)
				continue;
			name = len[i];
			mark[groups] = mark[i];
			len[groups] = name;
			size[groups++] = 4 + 8 + 2 + name;
			items = 0;
			bytes = 8;
		}
		assert_int_equal(items, 0);
		count[level] = groups;
		n = groups;
		if (n == 1)
			break;
	}
	free(len);
	return level;
}

/* Marks as the writer sees them. */
static uint64_t
mark_of(const char *name, size_t len)
{
	uint8_t hash[32];

	hash_keyed(hash, KEY, name, len);
	return bytes_get64(hash);
}

static void
test_rule(void **state)
{
	static char target[4096];
	struct tree_writer *w;
	struct tree_result r;
	struct entry e;
	struct sink s;
	struct fill f;
	uint64_t want[LIMIT_LEVELS], *marks;
	size_t n, i, round, *sizes, *lens;
	char name[255];

	(void)state;
	memset(target, 't', sizeof(target));
	fill_init(&f, 17);
	marks = calloc(100000, sizeof(*marks));
	sizes = calloc(100000, sizeof(*sizes));
	lens = calloc(100000, sizeof(*lens));
	assert_true(marks != NULL && sizes != NULL && lens != NULL);
	for (round = 0; round < 24; round++) {
		n = 1 + fill_below(&f, round < 20 ? 4000 : 40000);
		sink_begin(&s);
		assert_int_equal(tree_writer_new(&w, KEY, emit, &s), 0);
		memset(name, 'n', sizeof(name));
		for (i = 0; i < n; i++) {
			(void)snprintf(
			    name, sizeof(name), "%010zu", i); /* fits */
			object_fixture_plain(&e, name);
			e.name_len = round % 3 == 0 ? 255 : 10;
			name[10] = 'n';
			if (round % 4 == 1) {
				e.kind = ADDRESS_SYMLINK;
				e.location = ENTRY_AT_TARGET;
				e.size = 1 + fill_below(&f, sizeof(target));
				e.data = (const uint8_t *)target;
			}
			marks[i] = mark_of(name, e.name_len);
			lens[i] = e.name_len;
			assert_int_equal(entry_size(&sizes[i], &e), 0);
			assert_int_equal(tree_writer_add(w, &e), 0);
		}
		assert_int_equal(tree_writer_finish(&r, w), 0);
		memset(want, 0, sizeof(want));
		assert_int_equal(r.level, model(want, sizes, marks, lens, n));
		assert_memory_equal(s.count, want, sizeof(want));
		assert_int_equal(r.entries, n);
		tree_writer_free(w);
		sink_end(&s);
	}
	free(marks);
	free(sizes);
	free(lens);
}

/* Only leaves, so that many levels come from few bytes; every length up to
 * where nodes begin, so that each kind of end occurs. */
static void
test_no_chain_at_the_top(void **state)
{
	struct tree_writer *w;
	struct tree_result r;
	struct sink s;
	uint64_t want[LIMIT_LEVELS], *marks;
	size_t n, i, max = 3000, *sizes, *lens;
	uint8_t id[32];
	char name[32];
	unsigned seen[3] = {0};

	(void)state;
	marks = calloc(max, sizeof(*marks));
	sizes = calloc(max, sizeof(*sizes));
	lens = calloc(max, sizeof(*lens));
	assert_true(marks != NULL && sizes != NULL && lens != NULL);
	sink_begin(&s);
	assert_int_equal(tree_writer_new(&w, KEY, emit, &s), 0);
	for (n = 1; n <= max; n += n < 600 || n > 1900 ? 1 : 13) {
		tree_writer_reset(w);
		memset(s.count, 0, sizeof(s.count));
		for (i = 0; i < n; i++) {
			(void)snprintf(name, 32, "%013zu", i); /* fits */
			object_fixture_id(id, i);
			assert_int_equal(
			    tree_writer_add_leaf(w, id, 2, name, 13), 0);
			assert_true(tree_writer_at_cut(w));
			marks[i] = mark_of(name, 13);
			/* The model takes leaves for level 0: one entry of
			 * 256 KiB each. */
			sizes[i] = 262144 - 8;
			lens[i] = 13;
		}
		assert_int_equal(tree_writer_finish(&r, w), 0);
		assert_int_equal(r.entries, 2 * n);
		assert_int_equal(r.level, model(want, sizes, marks, lens, n));
		for (i = 1; i <= r.level; i++)
			assert_int_equal(s.count[i], want[i]);
		assert_true(r.level < 3);
		seen[r.level]++;
		if (r.level > 0) {
			assert_int_equal(s.count[r.level], 1);
			assert_memory_equal(r.id, s.last.id, 32);
			assert_true(
			    sink_item(&s, sink_items(&s) - 1)->count > 1);
		}
	}
	assert_true(seen[0] == 1 && seen[1] > 100 && seen[2] > 100);
	tree_writer_free(w);
	sink_end(&s);
	free(marks);
	free(sizes);
	free(lens);
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, OBJECT_ID_BYTES);
}

static void
write_million(struct sink *s, struct tree_result *r, uint64_t changed)
{
	struct tree_writer *w;
	uint64_t i;

	sink_begin(s);
	assert_int_equal(tree_writer_new(&w, KEY, emit, s), 0);
	for (i = 0; i < 1000000; i++)
		add_number(w, i, i == changed);
	assert_int_equal(tree_writer_finish(r, w), 0);
	assert_int_equal(r->entries, 1000000);
	tree_writer_free(w);
}

static void
test_one_change_of_a_million(void **state)
{
	struct tree_result a, b;
	struct sink s, t;
	size_t i, fresh = 0, bytes = 0;

	(void)state;
	write_million(&s, &a, UINT64_MAX);
	write_million(&t, &b, 567890);
	assert_memory_not_equal(a.id, b.id, 32);
	assert_true(a.level == 2 || a.level == 3);
	assert_int_equal(a.level, b.level);
	qsort(s.items.data, sink_items(&s), sizeof(struct item), compare);
	for (i = 0; i < sink_items(&t); i++) {
		const struct item *item = sink_item(&t, i);

		if (bsearch(item, s.items.data, sink_items(&s), sizeof(*item),
			compare) == NULL) {
			fresh++;
			bytes += item->payload_len;
		}
	}
	assert_int_equal(fresh, a.level + 1);
	assert_true(fresh < 5);
	assert_true(bytes < 256u << 10);
	sink_end(&s);
	sink_end(&t);
}

/* The memory that a writer takes does not grow with the directory. */
static void
test_memory_is_flat(void **state)
{
	struct tree_writer *w;
	struct tree_result r;
	struct sink s;
	uint64_t i;
	long before = 0;

	(void)state;
	sink_begin(&s);
	s.keep = 0;
	assert_int_equal(tree_writer_new(&w, KEY, emit, &s), 0);
	for (i = 0; i < 1000000; i++) {
		add_number(w, i, 0);
		if (i == 200000)
			before = object_fixture_peak_kib();
	}
	assert_int_equal(tree_writer_finish(&r, w), 0);
	assert_true(object_fixture_peak_kib() - before < 8192);
	tree_writer_free(w);
	sink_end(&s);
}

/* A leaf as a cache would know it. */
struct leaf {
	uint8_t id[32];
	size_t first, entries; /* among the old entries */
	size_t payload_len;
};

struct listing {
	uint64_t number, version;
};

static void
write_listing(
    struct sink *s, struct tree_result *r, const struct listing *l, size_t n)
{
	struct tree_writer *w;
	size_t i;

	sink_begin(s);
	assert_int_equal(tree_writer_new(&w, KEY, emit, s), 0);
	for (i = 0; i < n; i++)
		add_number(w, l[i].number, l[i].version);
	assert_int_equal(tree_writer_finish(r, w), 0);
	tree_writer_free(w);
}

static struct leaf *
leaves_of(size_t *count, const struct sink *s)
{
	struct leaf *leaves = calloc(sink_items(s), sizeof(*leaves));
	size_t i, n = 0, at = 0;

	assert_non_null(leaves);
	for (i = 0; i < sink_items(s); i++) {
		const struct item *item = sink_item(s, i);

		if (item->level > 0)
			continue;
		memcpy(leaves[n].id, item->id, 32);
		leaves[n].first = at;
		leaves[n].entries = item->count;
		leaves[n].payload_len = item->payload_len;
		at += item->count;
		n++;
	}
	*count = n;
	return leaves;
}

/* Whether `leaf` of the old listing stands unchanged at `now`. */
static int
fits(const struct leaf *leaf, const struct listing *old,
    const struct listing *now, size_t left)
{
	char name[32];
	struct entry e;
	const struct listing *last = &old[leaf->first + leaf->entries - 1];

	if (leaf->entries > left ||
	    memcmp(old + leaf->first, now, leaf->entries * sizeof(*now)) != 0)
		return 0;
	if (leaf->entries == left)
		return 1;
	number_entry(&e, name, last->number, 0);
	return tree_leaf_is_closed(KEY, leaf->payload_len, name, e.name_len);
}

/* Write the new listing with the leaves of the old one; how many were used. */
static size_t
write_with_leaves(struct sink *s, struct tree_result *r,
    const struct leaf *leaves, size_t nleaves, const struct listing *old,
    const struct listing *now, size_t n)
{
	struct tree_writer *w;
	size_t i = 0, k, used = 0;
	char name[32];
	struct entry e;

	sink_begin(s);
	assert_int_equal(tree_writer_new(&w, KEY, emit, s), 0);
	while (i < n) {
		for (k = 0; k < nleaves; k++)
			if (tree_writer_at_cut(w) &&
			    old[leaves[k].first].number == now[i].number &&
			    fits(&leaves[k], old, now + i, n - i))
				break;
		if (k == nleaves) {
			add_number(w, now[i].number, now[i].version);
			i++;
			continue;
		}
		i += leaves[k].entries;
		number_entry(&e, name, now[i - 1].number, 0);
		assert_int_equal(tree_writer_add_leaf(w, leaves[k].id,
				     leaves[k].entries, name, e.name_len),
		    0);
		used++;
	}
	assert_int_equal(tree_writer_finish(r, w), 0);
	tree_writer_free(w);
	return used;
}

static void
test_leaves_can_be_reused(void **state)
{
	struct listing *old, *now;
	struct tree_result a, b, c;
	struct sink first, whole, reused;
	struct leaf *leaves;
	struct fill f;
	size_t i, n, m, nleaves, used = 0;
	unsigned round;

	(void)state;
	fill_init(&f, 23);
	old = calloc(40000, sizeof(*old));
	now = calloc(80000, sizeof(*now));
	assert_true(old != NULL && now != NULL);
	for (round = 0; round < 20; round++) {
		n = fill_below(&f, 10) == 0 ? 100 : 1 + fill_below(&f, 40000);
		for (i = m = 0; i < n; i++) {
			old[i].number = 2 * i;
			old[i].version = 0;
			/* Some 16 changes: gone, new, other. */
			switch (fill_below(&f, n / 8 + 1)) {
			case 0:
				continue;
			case 1:
				now[m++] = old[i];
				now[m].version = 0;
				now[m++].number = 2 * i + 1;
				continue;
			case 2:
				now[m].version = 1;
				now[m++].number = 2 * i;
				continue;
			default:
				now[m++] = old[i];
			}
		}
		write_listing(&first, &a, old, n);
		leaves = leaves_of(&nleaves, &first);
		write_listing(&whole, &b, now, m);
		used += write_with_leaves(
		    &reused, &c, leaves, nleaves, old, now, m);
		assert_memory_equal(b.id, c.id, 32);
		assert_int_equal(b.level, c.level);
		assert_int_equal(b.entries, c.entries);
		for (i = 1; i < LIMIT_LEVELS; i++)
			assert_int_equal(whole.count[i], reused.count[i]);
		sink_end(&first);
		sink_end(&whole);
		sink_end(&reused);
		free(leaves);
	}
	assert_true(used > 200);
	free(old);
	free(now);
}

/* A node over `n` made-up leaves, in `s->last`. */
static void
make_node(struct sink *s, size_t n)
{
	struct tree_writer *w;
	struct tree_result r;
	uint8_t id[32];
	char name[32];
	size_t i;

	sink_begin(s);
	assert_int_equal(tree_writer_new(&w, KEY, emit, s), 0);
	for (i = 0; i < n; i++) {
		(void)snprintf(name, 32, "name-%zu", i + 100); /* fits */
		object_fixture_id(id, i % 5);
		assert_int_equal(
		    tree_writer_add_leaf(w, id, 10 + i, name, 8), 0);
	}
	assert_int_equal(tree_writer_finish(&r, w), 0);
	assert_int_equal(r.level, 1);
	tree_writer_free(w);
}

static void
test_nodes(void **state)
{
	struct again_bytes a = {.level = 1};
	struct tree_reader t;
	struct tree_node node;
	struct entry e;
	struct sink s;
	size_t i;

	(void)state;
	make_node(&s, 20);
	a.refs = s.last.refs.data;
	a.nrefs = object_nrefs(&s.last);
	assert_int_equal(a.nrefs, 5);
	again_break(again_tree, &a, s.last.payload.data, s.last.payload.len);
	assert_int_equal(tree_reader_init(&t, 1, a.refs, a.nrefs,
			     s.last.payload.data, s.last.payload.len),
	    0);
	assert_int_equal(tree_reader_entry(&e, &t), ERR_DAMAGED);
	for (i = 0; i < 20; i++) {
		assert_int_equal(tree_reader_node(&node, &t), 0);
		assert_int_equal(node.entries, 10 + i);
		assert_int_equal(node.last_name_len, 8);
	}
	assert_int_equal(tree_reader_node(&node, &t), 1);
	assert_int_equal(t.entries, 390);
	tree_reader_release(&t);
	/* Not as a leaf, nor at another level. */
	for (i = 0; i < 10; i++) {
		a.level = (unsigned)i;
		if (i != 1)
			assert_int_equal(again_tree(&a, s.last.payload.data,
					     s.last.payload.len),
			    ERR_DAMAGED);
	}
	/* Entries that overflow. */
	a.level = 1;
	memset(s.last.payload.data + 8 + 4, 0xff, 8);
	assert_int_equal(
	    again_tree(&a, s.last.payload.data, s.last.payload.len),
	    ERR_DAMAGED);
	memset(s.last.payload.data + 8 + 4, 0, 8);
	assert_int_equal(
	    again_tree(&a, s.last.payload.data, s.last.payload.len),
	    ERR_DAMAGED);
	sink_end(&s);
}

/* Read a leaf that should be what `node` says; the reader's last word. */
static int
read_bound(
    const struct object *o, const struct tree_node *node, const char *after)
{
	struct tree_reader t;
	struct entry e;
	int r;

	assert_int_equal(tree_reader_init(&t, 0, o->refs.data, object_nrefs(o),
			     o->payload.data, o->payload.len),
	    0);
	tree_reader_bind(&t, node, after, after == NULL ? 0 : strlen(after));
	do
		r = tree_reader_entry(&e, &t);
	while (r == 0);
	tree_reader_release(&t);
	return r;
}

static void
test_leaf_and_node_must_agree(void **state)
{
	struct tree_node node = {.entries = 2, .last_name = "c"};
	struct tree_writer *w;
	struct tree_result r;
	struct entry e;
	struct sink s;

	(void)state;
	sink_begin(&s);
	assert_int_equal(tree_writer_new(&w, KEY, emit, &s), 0);
	object_fixture_plain(&e, "b");
	assert_int_equal(tree_writer_add(w, &e), 0);
	object_fixture_plain(&e, "c");
	assert_int_equal(tree_writer_add(w, &e), 0);
	assert_int_equal(tree_writer_finish(&r, w), 0);
	node.last_name_len = 1;
	assert_int_equal(read_bound(&s.last, &node, NULL), 1);
	assert_int_equal(read_bound(&s.last, &node, "a"), 1);
	assert_int_equal(read_bound(&s.last, &node, "b"), ERR_DAMAGED);
	node.entries = 3;
	assert_int_equal(read_bound(&s.last, &node, NULL), ERR_DAMAGED);
	node.entries = 2;
	node.last_name = "d";
	assert_int_equal(read_bound(&s.last, &node, NULL), ERR_DAMAGED);
	tree_writer_free(w);
	sink_end(&s);
}

/* 10^9 entries, names as long as they can be: levels enough are left. */
static void
test_huge_directory(void **state)
{
	static const uint64_t leaves = HUGE_LEAVES;
	struct tree_writer *w;
	struct tree_result r;
	struct sink s;
	char name[LIMIT_NAME_BYTES + 1];
	uint8_t id[32];
	uint64_t i;

	(void)state;
	sink_begin(&s);
	assert_int_equal(tree_writer_new(&w, KEY, emit, &s), 0);
	for (i = 0; i < leaves; i++) {
		(void)snprintf(
		    name, sizeof(name), "%0255llu", (unsigned long long)i);
		object_fixture_id(id, i);
		assert_false(tree_writer_add_leaf(w, id, 1000000000 / leaves,
				 name, LIMIT_NAME_BYTES) != 0);
	}
	assert_int_equal(tree_writer_finish(&r, w), 0);
	assert_int_equal(r.entries, 1000000000);
	assert_in_range(r.level, 2, 4);
	assert_int_equal(s.count[r.level], 1);
	tree_writer_free(w);
	sink_end(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    /* First, before anything else takes memory. */
	    cmocka_unit_test(test_memory_is_flat),
	    cmocka_unit_test(test_small_directories),
	    cmocka_unit_test(test_writer_refuses),
	    cmocka_unit_test(test_rule),
	    cmocka_unit_test(test_no_chain_at_the_top),
	    cmocka_unit_test(test_one_change_of_a_million),
	    cmocka_unit_test(test_leaves_can_be_reused),
	    cmocka_unit_test(test_nodes),
	    cmocka_unit_test(test_huge_directory),
	    cmocka_unit_test(test_leaf_and_node_must_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
