/*
 * Random histories of one vault against a naive model: objects that refer to
 * each other are put in any order over many sessions, damaged, lost with their
 * packs; the vault is opened again and its index made anew.  At every moment
 * what the index says it has is closed in the model; after opening the vault
 * or making the index anew, exactly that.
 */

#include "backend/mem.h"
#include "base/err.h"
#include "base/fs.h"
#include "lib/store_fixture.h"
#include "sign/sign.h"
#include "store/admit.h"
#include "store/backend.h"
#include "store/idmap.h"
#include "store/pack.h"
#include "store/session.h"
#include "store/survey.h"
#include "store/vault.h"
#include "store/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define OBJECTS 150
#define CHILDREN_MAX 4
#define STEPS 120
#define HISTORIES 6

static const uint8_t vault_id[16] = "a vault's name";

struct world {
	char *folder, *index_dir;
	struct backend *b;
	struct vault *v;
	struct session *s;
	struct fixture_mount m;
	uint64_t seed;
	unsigned child[OBJECTS][CHILDREN_MAX], nchild[OBJECTS];
	/* A sound record of it is in some pack that is there. */
	int present[OBJECTS];
	struct idmap number; /* id -> object */
};

static unsigned
draw(struct world *w, unsigned below)
{
	uint64_t z = w->seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ z >> 31) % below);
}

static void
open_vault(struct world *w)
{
	struct vault_options o = {.backend = w->b, .index_dir = w->index_dir};

	memcpy(o.id, vault_id, 16);
	assert_int_equal(vault_open(&w->v, &o), 0);
	assert_int_equal(
	    session_open(&w->s, w->v, w->m.id, w->m.public_key), 0);
}

static void
next_session(struct world *w)
{
	assert_int_equal(session_close(w->s), 0);
	assert_int_equal(
	    session_open(&w->s, w->v, w->m.id, w->m.public_key), 0);
}

static void
close_vault(struct world *w)
{
	assert_int_equal(session_close(w->s), 0);
	vault_close(w->v);
}

static void
make_world(struct world *w, uint64_t seed)
{
	unsigned i, k, c;
	uint8_t id[32];

	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->folder = fixture_folder();
	w->index_dir = fs_join(w->folder, "index");
	fixture_mount(&w->m, 1);
	idmap_init(&w->number);
	assert_int_equal(backend_mem_open(&w->b, seed), 0);
	for (i = 0; i < OBJECTS; i++) {
		fixture_id(id, i);
		assert_int_equal(idmap_put(&w->number, id, i), 0);
		if (i < OBJECTS / 3)
			continue;
		for (k = 0; k < CHILDREN_MAX; k++) {
			c = draw(w, i);
			if (k == 0 || c != w->child[i][k - 1])
				w->child[i][w->nchild[i]++] = c;
		}
	}
	open_vault(w);
}

static void
end_world(struct world *w)
{
	close_vault(w);
	w->b->ops->close(w->b);
	idmap_release(&w->number);
	free(w->index_dir);
	fixture_remove(w->folder);
}

static void
put(struct world *w, unsigned i)
{
	uint8_t id[32], refs[CHILDREN_MAX * 32];
	struct buf b = BUF_INIT;
	unsigned k, j, n = 0;

	for (k = 0; k < w->nchild[i]; k++) {
		for (j = 0; j < k; j++) {
			if (w->child[i][j] == w->child[i][k])
				break;
		}
		if (j == k)
			fixture_id(refs + (size_t)n++ * 32, w->child[i][k]);
	}
	fixture_id(id, i);
	if (n > 0)
		fixture_meta(&b, id, refs, n, 60);
	else
		fixture_data(&b, id, id, 1, 60);
	assert_int_equal(session_put(w->s, b.data, b.len, 0), 0);
	buf_release(&b);
}

struct look {
	struct world *w;
	struct survey s;
};

static int
look_at_pack(void *arg, const char *path, uint64_t size)
{
	struct look *l = arg;
	uint8_t name[32];
	uint64_t number;
	uint32_t i;

	assert_int_equal(pack_path_name(name, path), 0);
	assert_int_equal(
	    survey_pack(&l->s, l->w->b, name, size, vault_id, &l->w->v->marks),
	    0);
	for (i = 0; i < l->s.n; i++) {
		assert_int_equal(
		    idmap_get(&number, &l->w->number, l->s.items[i].id), 0);
		if (!l->s.items[i].damaged)
			l->w->present[number] = 1;
	}
	return 0;
}

/* What the packs hold, read anew each time. */
static void
look(struct world *w)
{
	struct look l = {.w = w};

	memset(w->present, 0, sizeof(w->present));
	survey_init(&l.s);
	assert_int_equal(w->b->ops->list(w->b, "packs", look_at_pack, &l), 0);
	survey_release(&l.s);
}

/* The index against the model; `exactly`, or only what it claims. */
static void
check(struct world *w, int exactly)
{
	uint8_t ids[OBJECTS * 32], have[OBJECTS / 8 + 1] = {0};
	int closed[OBJECTS];
	unsigned i, k;

	look(w);
	for (i = 0; i < OBJECTS; i++) {
		fixture_id(ids + (size_t)i * 32, i);
		closed[i] = w->present[i];
		for (k = 0; k < w->nchild[i]; k++)
			closed[i] &= closed[w->child[i][k]];
	}
	assert_int_equal(vault_have(w->v, have, ids, OBJECTS), 0);
	for (i = 0; i < OBJECTS; i++) {
		int has = have[i / 8] >> i % 8 & 1;

		if ((has && !closed[i]) || (exactly && has != closed[i]))
			fail_msg(
			    "object %u: index %d, model %d", i, has, closed[i]);
	}
}

static void
damage(struct world *w)
{
	uint8_t id[32];

	fixture_id(id, draw(w, OBJECTS));
	assert_int_equal(vault_damaged(w->v, id, NULL), 0);
}

struct pick {
	char name[BACKEND_NAME_MAX];
	unsigned left;
};

static int
pick_pack(void *arg, const char *name, uint64_t size)
{
	struct pick *p = arg;

	(void)size;
	if (p->left-- == 0)
		(void)snprintf(p->name, sizeof(p->name), "%s", name);
	return 0;
}

/* A pack goes while nobody looks; others may hold what it held. */
static void
lose_pack(struct world *w)
{
	struct pick p = {.left = draw(w, 6)};

	close_vault(w);
	assert_int_equal(w->b->ops->list(w->b, "packs", pick_pack, &p), 0);
	if (p.name[0] != '\0')
		assert_int_equal(w->b->ops->remove(w->b, p.name), 0);
	open_vault(w);
}

static void
found(void *arg, const char *where, const char *what)
{
	(void)arg;
	fail_msg("%s: %s", where, what);
}

static void
run_history(uint64_t seed)
{
	struct verify_options o = {.found = found};
	struct verify_counts n;
	struct world w;
	unsigned step, i, count, exact;

	make_world(&w, seed);
	for (step = 0; step < STEPS; step++) {
		exact = 0;
		count = draw(&w, 20);
		for (i = 0; i < count; i++)
			put(&w, draw(&w, OBJECTS));
		switch (draw(&w, 10)) {
		case 0:
			damage(&w);
			break;
		case 1:
			lose_pack(&w);
			break;
		case 2:
			close_vault(&w);
			open_vault(&w);
			break;
		case 3:
			next_session(&w);
			assert_int_equal(vault_reindex(w.v), 0);
			exact = 1;
			break;
		default:
			next_session(&w);
		}
		check(&w, (int)exact);
	}
	next_session(&w);
	o.vault = w.v;
	assert_int_equal(verify_vault(&n, &o), 0);
	assert_int_equal(vault_reindex(w.v), 0);
	check(&w, 1);
	assert_int_equal(verify_vault(&n, &o), 0);
	end_world(&w);
}

static void
test_histories(void **state)
{
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= HISTORIES; seed++) {
		print_message("seed %llu\n", (unsigned long long)seed);
		run_history(seed);
	}
}

static void
test_idmap(void **state)
{
	struct idmap m;
	const struct idmap_slot *s;
	uint8_t id[32] = {0};
	uint64_t value, i, n = 0;
	size_t pos = 0;

	(void)state;
	idmap_init(&m);
	assert_int_equal(idmap_get(&value, &m, id), 1);
	/* Ids that differ in their last bytes alone. */
	for (i = 0; i < 5000; i++) {
		id[30] = (uint8_t)i;
		id[31] = (uint8_t)(i >> 8);
		assert_int_equal(idmap_put(&m, id, i), 0);
		assert_int_equal(idmap_put(&m, id, i + 1), 0);
	}
	assert_int_equal(m.len, 5000);
	for (i = 0; i < 6000; i++) {
		id[30] = (uint8_t)i;
		id[31] = (uint8_t)(i >> 8);
		assert_int_equal(idmap_get(&value, &m, id), i >= 5000);
		if (i < 5000)
			assert_int_equal(value, i + 1);
	}
	while ((s = idmap_next(&m, &pos)) != NULL)
		n++;
	assert_int_equal(n, 5000);
	idmap_reset(&m);
	assert_int_equal(idmap_get(NULL, &m, id), 1);
	idmap_release(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_idmap),
	    cmocka_unit_test(test_histories),
	};

	if (sign_start() < 0)
		return 1;
	/* In memory where there is such a place: the index syncs a lot. */
	if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0 &&
	    setenv("TMPDIR", "/dev/shm", 1) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
