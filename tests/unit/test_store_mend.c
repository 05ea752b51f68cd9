/*
 * A pack whose frame is damaged (header, padding, footer, trailer, length):
 * what is whole of it moves to other packs, nobody misses anything, the sweep
 * deletes the old one, and nothing is found any more.  While anything that a
 * snapshot needs is lost, the old one stays.  All of that also when it is cut,
 * or fails, at any step.
 */

#include "backend/mem.h"
#include "base/bytes.h"
#include "base/err.h"
#include "lib/sweep_world.h"
#include "store/backend.h"
#include "store/mend.h"
#include "store/pack.h"
#include "store/scrub.h"
#include "store/vault.h"
#include "store/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PACKS_MAX 64

struct packs {
	char name[PACKS_MAX][BACKEND_NAME_MAX];
	uint64_t size[PACKS_MAX];
	unsigned n;
};

static int
note(void *arg, const char *name, uint64_t size)
{
	struct packs *k = arg;

	assert_true(k->n < PACKS_MAX);
	(void)snprintf(k->name[k->n], BACKEND_NAME_MAX, "%s", name);
	k->size[k->n++] = size;
	return 0;
}

static void
list(struct packs *k, struct sweep_world *w)
{
	k->n = 0;
	assert_int_equal(w->b->ops->list(w->b, "packs", note, k), 0);
}

static int
is_there(struct sweep_world *w, const char *name)
{
	uint64_t size;

	return w->b->ops->size(&size, w->b, name) == 0;
}

static void
flip(struct sweep_world *w, const char *name, uint64_t at)
{
	assert_int_equal(backend_mem_flip(w->b, name, at, 0x10), 0);
}

/* The pack `name` becomes `len` bytes long: cut, or with zeros behind it. */
static void
resize(struct sweep_world *w, const char *name, uint64_t size, uint64_t len)
{
	uint8_t *p = calloc(1, (size_t)(size > len ? size : len) + 1);

	assert_non_null(p);
	assert_int_equal(w->b->ops->get(w->b, name, p, (size_t)size, 0), 0);
	assert_int_equal(w->b->ops->remove(w->b, name), 0);
	assert_int_equal(backend_put_all(w->b, name, p, (size_t)len), 0);
	free(p);
}

static uint64_t
footer_of(struct sweep_world *w, const char *name, uint64_t size)
{
	uint8_t at[8];

	assert_int_equal(w->b->ops->get(w->b, name, at, sizeof(at),
			     size - PACK_TRAILER_BYTES),
	    0);
	return bytes_get64(at);
}

struct told {
	unsigned n, packs;
	int moved; /* the last one that told of a pack */
};

static void
found(void *arg, const char *where, const char *what)
{
	struct told *t = arg;

	t->n++;
	if (strncmp(where, "packs/", 6) != 0)
		return;
	t->packs++;
	t->moved = strstr(what, mend_text(MEND_MOVED)) != NULL;
}

static void
verify(struct told *t, struct sweep_world *w, int mark)
{
	struct verify_options o = {
	    .vault = w->v, .found = found, .arg = t, .mark = mark};
	struct verify_counts n;

	memset(t, 0, sizeof(*t));
	assert_int_equal(verify_vault(&n, &o), 0);
	assert_int_equal(n.findings, t->n);
}

static void
scrub(struct told *t, struct sweep_world *w)
{
	struct scrub_counts n = {0};
	int ret;

	memset(t, 0, sizeof(*t));
	do
		ret = scrub_step(&n, w->v, found, t);
	while (ret == 1);
	assert_int_equal(ret, 0);
}

static void
begin_with(struct sweep_world *w, uint64_t seed, uint64_t backups)
{
	uint64_t k;

	sw_make(w, seed);
	assert_int_equal(sw_open(w), 0);
	for (k = 0; k < backups; k++)
		assert_int_equal(sw_backup(w, k % 2, k, SW_ASK), 0);
}

static void
begin(struct sweep_world *w, uint64_t seed)
{
	begin_with(w, seed, 4);
}

/* The torn pack goes with the next sweep, and all is well. */
static void
assert_goes(struct sweep_world *w, const char *name)
{
	struct told t;

	assert_int_equal(sw_sweep(w, NULL), 0);
	assert_false(is_there(w, name));
	assert_int_equal(sw_wrong(w), 0);
	verify(&t, w, 0);
	assert_int_equal(t.n, 0);
}

/* One damaged pack, found by a verify or a scrub. */
static void
mends(struct sweep_world *w, const char *name, int by_verify)
{
	uint8_t before[STORE_GENERATION_BYTES], after[STORE_GENERATION_BYTES];
	struct told t;
	uint64_t bytes;

	vault_generation(before, w->v);
	verify(&t, w, 0);
	assert_int_equal(t.packs, 1);
	assert_int_equal(t.n, 1);
	if (by_verify)
		verify(&t, w, 1);
	else
		scrub(&t, w);
	assert_int_equal(t.packs, 1);
	assert_true(t.moved);
	/* Nobody was told of a loss, and nothing is copied twice. */
	vault_generation(after, w->v);
	assert_memory_equal(before, after, sizeof(after));
	assert_int_equal(sw_wrong(w), 0);
	bytes = sw_bytes(w);
	scrub(&t, w);
	verify(&t, w, 1);
	assert_int_equal(t.n, 1);
	assert_true(t.moved);
	assert_int_equal(sw_bytes(w), bytes);
	assert_true(is_there(w, name));
	assert_goes(w, name);
}

static void
test_every_part(void **state)
{
	/* From the footer's beginning: sections, count, an entry. */
	static const uint64_t footer[] = {
	    0, 2, 4, 8, 39, 40, 44, 48, 52, 84, 116, 120, 124, 128, 136, 139};
	static const uint64_t header[] = {0, 4, 5, 8, 24, 39, 40, 47};
	static const uint64_t trailer[] = {16, 13, 9, 8, 4, 1};
	struct packs k;
	struct sweep_world w;
	unsigned i;

	(void)state;
	begin(&w, 1);
	for (i = 0; i < sizeof(header) / sizeof(header[0]); i++) {
		list(&k, &w);
		flip(&w, k.name[i % k.n], header[i]);
		mends(&w, k.name[i % k.n], (int)i & 1);
	}
	for (i = 0; i < sizeof(footer) / sizeof(footer[0]); i++) {
		unsigned p;

		list(&k, &w);
		p = i % k.n;
		flip(&w, k.name[p],
		    footer_of(&w, k.name[p], k.size[p]) + footer[i]);
		mends(&w, k.name[p], (int)i & 1);
	}
	for (i = 0; i < sizeof(trailer) / sizeof(trailer[0]); i++) {
		list(&k, &w);
		flip(&w, k.name[i % k.n], k.size[i % k.n] - trailer[i]);
		mends(&w, k.name[i % k.n], (int)i & 1);
	}
	assert_int_equal(sw_wrong_later(&w), 0);
	sw_end(&w);
}

static void
test_padding(void **state)
{
	uint64_t end, footer_at;
	struct sweep_world w;
	struct pack pack = PACK_INIT;
	unsigned i, done = 0;
	struct packs k;
	uint8_t name[32];

	(void)state;
	begin(&w, 2);
	list(&k, &w);
	for (i = 0; i < k.n && !done; i++) {
		assert_int_equal(pack_path_name(name, k.name[i]), 0);
		assert_int_equal(
		    pack_load(&pack, w.b, name, k.size[i], w.id), 0);
		end = pack.end;
		pack_release(&pack);
		footer_at = footer_of(&w, k.name[i], k.size[i]);
		if (end == footer_at)
			continue;
		flip(&w, k.name[i], footer_at - 1);
		mends(&w, k.name[i], 1);
		done = 1;
	}
	assert_true(done);
	sw_end(&w);
}

static void
test_other_length(void **state)
{
	static const int64_t by[] = {-1, -16, -40, 1, 8, 5000};
	struct sweep_world w;
	struct packs k;
	unsigned i, p;

	(void)state;
	begin(&w, 3);
	for (i = 0; i < sizeof(by) / sizeof(by[0]); i++) {
		list(&k, &w);
		p = i % k.n;
		resize(&w, k.name[p], k.size[p],
		    (uint64_t)((int64_t)k.size[p] + by[i]));
		mends(&w, k.name[p], (int)i & 1);
	}
	/* The whole footer. */
	list(&k, &w);
	resize(&w, k.name[0], k.size[0], footer_of(&w, k.name[0], k.size[0]));
	mends(&w, k.name[0], 1);
	sw_end(&w);
}

/* The index is made anew from what is left. */
static void
test_index_anew(void **state)
{
	struct sweep_world w;
	struct packs k;
	struct told t;
	unsigned i;

	(void)state;
	begin(&w, 4);
	for (i = 0; i < 4; i++) {
		list(&k, &w);
		flip(&w, k.name[i % k.n], k.size[i % k.n] - 1 - i * 9);
		assert_int_equal(vault_reindex(w.v), 0);
		assert_int_equal(sw_wrong(&w), 0);
		scrub(&t, &w);
		assert_int_equal(t.n, 1);
		assert_true(t.moved);
		if (i & 1)
			assert_int_equal(vault_reindex(w.v), 0);
		/* What it was made anew from after the copies: once more. */
		scrub(&t, &w);
		assert_goes(&w, k.name[i % k.n]);
	}
	sw_end(&w);
}

/* The pack that lists an object, and its size. */
static uint64_t
find_pack(char path[BACKEND_NAME_MAX], struct sweep_world *w, uint64_t number)
{
	uint8_t name[32], id[32];
	struct pack_entry e;
	struct packs k;
	unsigned i;
	uint32_t n;

	fixture_id(id, number);
	list(&k, w);
	for (i = 0; i < k.n; i++) {
		struct pack p = PACK_INIT;

		assert_int_equal(pack_path_name(name, k.name[i]), 0);
		assert_int_equal(
		    pack_load(&p, w->b, name, k.size[i], w->id), 0);
		for (n = 0; n < p.count; n++) {
			pack_entry(&e, &p, n);
			if (memcmp(e.id, id, 32) == 0)
				break;
		}
		if (n < p.count) {
			pack_release(&p);
			memcpy(path, k.name[i], BACKEND_NAME_MAX);
			return k.size[i];
		}
		pack_release(&p);
	}
	fail_msg("no pack has it");
	return 0;
}

/* A sweep by the operator's word. */
static int
give_up(struct sweep_world *w)
{
	struct sweep_options o = {.vault = w->v, .give_up_lost = 1};
	struct sweep *s;
	int ret;

	assert_int_equal(sweep_new(&s, &o), 0);
	ret = sweep_run(s);
	sweep_free(s);
	return ret;
}

/* A record that snapshots need is broken in the torn pack, too. */
static void
broken_record(int reindex)
{
	struct sweep_world w;
	char path[BACKEND_NAME_MAX];
	struct told t;
	uint64_t size;
	unsigned i;

	begin(&w, 5);
	/* A chunk of state 2. */
	size = find_pack(path, &w, 14);
	sw_flip(&w, 14);
	flip(&w, path, size - 3);
	if (reindex)
		assert_int_equal(vault_reindex(w.v), 0);
	scrub(&t, &w);
	assert_int_equal(t.packs, 1);
	assert_true(t.moved);
	assert_int_equal(sw_count_lost(&w, 2), 1);
	assert_false(sw_has(&w, 2));
	/* It may be all that is left of it: nothing takes it away. */
	for (i = 0; i < 2; i++) {
		/* What nobody knows may need anything. */
		assert_int_equal(sw_sweep(&w, NULL), reindex ? ERR_DAMAGED : 0);
		assert_int_equal(give_up(&w), 0);
		assert_true(is_there(&w, path));
		verify(&t, &w, 1);
		assert_true(t.n > 0);
	}
	/* A client still has it. */
	assert_int_equal(sw_backup(&w, 0, 2, SW_ASK), 0);
	sw_close(&w);
	assert_int_equal(sw_open(&w), 0);
	assert_int_equal(sw_wrong(&w), 0);
	assert_goes(&w, path);
	/* Its marks went with it. */
	sw_close(&w);
	assert_int_equal(sw_open(&w), 0);
	assert_int_equal(w.v->marks.len, 0);
	sw_end(&w);
}

static void
test_broken_record(void **state)
{
	(void)state;
	broken_record(0);
}

/* Nor does anybody know then what was there. */
static void
test_broken_record_index_anew(void **state)
{
	(void)state;
	broken_record(1);
}

/* Nothing of it is left at all. */
static void
test_emptied(void **state)
{
	struct sweep_world w;
	struct packs k;
	struct told t;
	unsigned i;

	(void)state;
	begin(&w, 6);
	w.copy_bytes_max = 0; /* its packs stay what they are */
	list(&k, &w);
	for (i = 0; i < k.n; i++) {
		resize(&w, k.name[i], k.size[i], i % 3 * 40);
		scrub(&t, &w);
		(void)sw_sweep(&w, NULL); /* a tree that is lost ends it */
		assert_true(is_there(&w, k.name[i]));
		w.hurt = SW_HURT_QUIET;
		assert_true(sw_wrong(&w) > 0);
		w.hurt = 0;
		assert_int_equal(sw_heal(&w, 0xf), 0);
		w.hurt = 0;
		assert_goes(&w, k.name[i]);
	}
	sw_end(&w);
}

/* All packs at once; records that stand in two of them need two rounds. */
static void
test_all_at_once(void **state)
{
	struct sweep_world w;
	struct packs k;
	struct told t;
	unsigned i;

	(void)state;
	begin(&w, 7);
	list(&k, &w);
	for (i = 0; i < k.n; i++)
		flip(&w, k.name[i], i % 2 ? k.size[i] - 1 : 30);
	scrub(&t, &w);
	assert_int_equal(t.n, k.n);
	assert_int_equal(sw_wrong(&w), 0);
	assert_int_equal(sw_sweep(&w, NULL), 0);
	for (i = 0; i < k.n; i++)
		assert_false(is_there(&w, k.name[i]));
	verify(&t, &w, 0);
	assert_int_equal(t.n, 0);
	assert_int_equal(sw_wrong_later(&w), 0);
	sw_end(&w);
}

/* What an interrupted backup has sent stays, though no snapshot needs it. */
static void
test_upload_under_way(void **state)
{
	struct packs old, k;
	struct sweep_world w;
	struct told t;
	unsigned i;

	(void)state;
	begin(&w, 8);
	list(&old, &w);
	assert_int_equal(sw_backup(&w, 0, 7, SW_LEAVE), 0);
	list(&k, &w);
	assert_true(k.n > old.n);
	for (i = 0; i < k.n; i++)
		flip(&w, k.name[i], k.size[i] - 1);
	assert_true(sw_has(&w, 7));
	scrub(&t, &w);
	assert_int_equal(sw_sweep(&w, NULL), 0);
	assert_true(sw_has(&w, 7));
	for (i = 0; i < k.n; i++)
		assert_false(is_there(&w, k.name[i]));
	verify(&t, &w, 0);
	assert_int_equal(t.n, 0);
	/* And goes as ever once the mount has another snapshot. */
	assert_int_equal(sw_backup(&w, 0, 3, SW_ASK), 0);
	assert_int_equal(sw_sweep(&w, NULL), 0);
	assert_false(sw_has(&w, 7));
	assert_int_equal(sw_wrong(&w), 0);
	sw_end(&w);
}

/* A place of the disk that cannot be read, in the footer. */
static void
test_bad_sector(void **state)
{
	struct sweep_world w;
	struct packs k;
	struct told t;

	(void)state;
	begin(&w, 9);
	list(&k, &w);
	backend_mem_bad(w.b, k.name[0], k.size[0] - 20);
	scrub(&t, &w);
	assert_int_equal(t.n, 1);
	assert_int_equal(sw_wrong(&w), 0);
	assert_int_equal(sw_sweep(&w, NULL), 0);
	assert_int_equal(sw_wrong(&w), 0);
	/* Also when it was a passing fault. */
	backend_mem_bad(w.b, NULL, 0);
	verify(&t, &w, 0);
	assert_int_equal(t.n, 0);
	sw_end(&w);
}

/* Nobody needs it, the index does not know it, and nothing is in it. */
static void
test_unknown(void **state)
{
	uint8_t name[32] = {1, 2, 3};
	char path[PACK_PATH_BYTES];
	struct sweep_world w;
	struct told t;

	(void)state;
	begin(&w, 10);
	pack_path(path, name);
	assert_int_equal(backend_put_all(w.b, path, "junk", 4), 0);
	verify(&t, &w, 1);
	assert_int_equal(t.n, 1);
	assert_int_equal(mend_pack(w.v, name), MEND_NOTHING);
	assert_int_equal(sw_sweep(&w, NULL), 0);
	assert_true(is_there(&w, path));
	assert_int_equal(w.b->ops->remove(w.b, path), 0);
	sw_end(&w);
}

/* One of another vault that somebody put here by mistake: it may be the only
 * copy there is. */
static void
test_foreign(void **state)
{
	static const uint8_t other[PACK_VAULT_BYTES] = "another vault";
	struct buf b = BUF_INIT;
	char path[PACK_PATH_BYTES];
	struct pack_writer *writer;
	struct sweep_world w;
	uint8_t name[32], id[32];
	struct told t;
	struct record r;
	uint32_t offset;

	(void)state;
	begin(&w, 13);
	fixture_id(id, 9999);
	fixture_data(&b, id, NULL, 0, 100);
	assert_int_equal(record_decode(&r, b.data, b.len), 0);
	assert_int_equal(pack_writer_open(&writer, w.b, RECORD_DATA, other), 0);
	assert_int_equal(pack_writer_add(&offset, writer, &r), 0);
	assert_int_equal(pack_writer_commit(name, writer), 0);
	buf_release(&b);
	pack_path(path, name);
	verify(&t, &w, 1);
	assert_int_equal(t.n, 1);
	assert_int_equal(mend_pack(w.v, name), MEND_NOTHING);
	assert_int_equal(vault_reindex(w.v), 0);
	scrub(&t, &w);
	assert_int_equal(sw_sweep(&w, NULL), 0);
	assert_true(is_there(&w, path));
	verify(&t, &w, 1);
	assert_int_equal(t.n, 1);
	sw_end(&w);
}

static void
test_sound(void **state)
{
	struct sweep_world w;
	struct packs k;
	uint64_t changes;
	uint8_t name[32];
	unsigned i;

	(void)state;
	begin(&w, 12);
	list(&k, &w);
	changes = backend_mem_changes(w.b);
	for (i = 0; i < k.n; i++) {
		assert_int_equal(pack_path_name(name, k.name[i]), 0);
		assert_int_equal(mend_pack(w.v, name), MEND_SOUND);
	}
	assert_int_equal(backend_mem_changes(w.b), changes);
	sw_end(&w);
}

enum harm { CUT, DIES, NO_ROOM, HARMS };

/* Returns nonzero when there was such a step. */
static int
harmed(uint64_t step, enum harm harm)
{
	struct scrub_counts n;
	struct sweep_world w;
	struct packs k;
	struct told t;
	unsigned i;
	int fired;

	begin_with(&w, 11, 1);
	list(&k, &w);
	for (i = 0; i < 2; i++)
		flip(&w, k.name[i], k.size[i] - 1);
	if (harm == NO_ROOM)
		backend_mem_fail(
		    w.b, backend_mem_count(w.b) + step, 1, ERR_NOSPACE);
	else
		backend_mem_cut(w.b, backend_mem_count(w.b) + step);
	(void)sw_scrub(&w, &n, 0); /* it may get by */
	fired = backend_mem_fired(NULL, w.b) > 0;
	sw_close(&w);
	backend_mem_restart(w.b, harm == CUT);
	assert_int_equal(sw_open(&w), 0);
	for (i = 0; i < 2; i++)
		assert_true(is_there(&w, k.name[i]));
	assert_int_equal(sw_wrong(&w), 0);
	assert_int_equal(scrub_rewind(w.v), 0);
	scrub(&t, &w);
	assert_int_equal(sw_sweep(&w, NULL), 0);
	for (i = 0; i < 2; i++)
		assert_false(is_there(&w, k.name[i]));
	assert_int_equal(sw_wrong(&w), 0);
	verify(&t, &w, 0);
	assert_int_equal(t.n, 0);
	sw_end(&w);
	return fired;
}

static void
test_every_step(void **state)
{
	uint64_t step, n = 0;
	int harm;

	(void)state;
	for (harm = 0; harm < HARMS; harm++) {
		for (step = 1; harmed(step, (enum harm)harm); step++)
			n++;
	}
	print_message("%llu steps cut or failed\n", (unsigned long long)n);
	assert_true(n > 60);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_part),
	    cmocka_unit_test(test_padding),
	    cmocka_unit_test(test_other_length),
	    cmocka_unit_test(test_index_anew),
	    cmocka_unit_test(test_broken_record),
	    cmocka_unit_test(test_broken_record_index_anew),
	    cmocka_unit_test(test_emptied),
	    cmocka_unit_test(test_all_at_once),
	    cmocka_unit_test(test_upload_under_way),
	    cmocka_unit_test(test_bad_sector),
	    cmocka_unit_test(test_unknown),
	    cmocka_unit_test(test_foreign),
	    cmocka_unit_test(test_sound),
	    cmocka_unit_test(test_every_step),
	};

	return sw_start() != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
