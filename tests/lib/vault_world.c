#include "lib/vault_world.h"

#include "backend/dir.h"
#include "base/fs.h"
#include "sign/sign.h"
#include "store/backend.h"
#include "store/record.h"
#include "store/session.h"
#include "store/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const uint8_t world_vault[16] = "a vault's name";

void
world_open(struct world *w)
{
	struct vault_options o = {0};

	assert_int_equal(backend_dir_open(&w->b, w->vault_dir, w->incoming), 0);
	o.backend = w->b;
	o.index_dir = w->index_dir;
	memcpy(o.id, world_vault, 16);
	assert_int_equal(vault_open(&w->v, &o), 0);
}

void
world_close(struct world *w)
{
	vault_close(w->v);
	w->b->ops->close(w->b);
}

int
world_set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(sign_start(), 0);
	w->folder = fixture_folder();
	w->vault_dir = fs_join(w->folder, "vault");
	w->incoming = fs_join(w->folder, "incoming");
	w->index_dir = fs_join(w->folder, "index");
	assert_int_equal(fs_make_dirs(w->vault_dir, 0700), 0);
	assert_int_equal(fs_make_dirs(w->incoming, 0700), 0);
	fixture_mount(&w->m, 1);
	world_open(w);
	*state = w;
	return 0;
}

int
world_tear_down(void **state)
{
	struct world *w = *state;

	world_close(w);
	fixture_remove(w->folder);
	free(w->vault_dir);
	free(w->incoming);
	free(w->index_dir);
	free(w);
	return 0;
}

struct session *
world_log_in(struct world *w)
{
	struct session *s;

	assert_int_equal(session_open(&s, w->v, w->m.id, w->m.public_key), 0);
	return s;
}

int
world_have(struct session *s, uint64_t number)
{
	uint8_t id[32], bit;

	fixture_id(id, number);
	assert_int_equal(session_have(s, &bit, id, 1), 0);
	return bit;
}

/* Put a data object without members. */
void
world_put_data(struct session *s, uint64_t number)
{
	struct buf b = BUF_INIT;
	uint8_t id[32];

	fixture_id(id, number);
	fixture_data(&b, id, NULL, 0, 1000);
	assert_int_equal(session_put(s, b.data, b.len, 0), 0);
	buf_release(&b);
}

/* Put a meta object that refers to `n` others, numbered from `first` on. */
void
world_put_meta(struct session *s, uint64_t number, uint64_t first, uint32_t n)
{
	struct buf b = BUF_INIT;
	uint8_t id[32], *refs = malloc((size_t)n * 32 + 1);
	uint32_t i;

	assert_non_null(refs);
	for (i = 0; i < n; i++)
		fixture_id(refs + (size_t)i * 32, first + i);
	fixture_id(id, number);
	fixture_meta(&b, id, refs, n, 100);
	assert_int_equal(session_put(s, b.data, b.len, 0), 0);
	buf_release(&b);
	free(refs);
}

int
world_commit(
    struct world *w, struct session *s, uint64_t root, struct buf *missing)
{
	struct store_receipt receipt;
	struct buf client = BUF_INIT;
	uint8_t id[32];
	int ret;

	fixture_id(id, root);
	fixture_snapshot(&client, &w->m, world_vault, id);
	ret = session_commit(s, &receipt, missing, client.data, client.len);
	if (ret == 0)
		fixture_committed(&w->m, &client);
	buf_release(&client);
	return ret;
}

int
world_got(void *arg, enum store_got got, const uint8_t *id,
    const uint8_t *record, size_t len)
{
	unsigned *counts = arg;
	struct record r;

	counts[got]++;
	if (got == STORE_GOT_RECORD) {
		assert_int_equal(record_decode(&r, record, len), 0);
		assert_memory_equal(r.id, id, 32);
	}
	return 0;
}

/* How many of the objects first .. first + n - 1 come as what. */
void
world_get(unsigned counts[3], struct session *s, uint64_t first, uint32_t n)
{
	uint8_t *ids = malloc((size_t)n * 32);
	uint32_t i;

	memset(counts, 0, 3 * sizeof(*counts));
	for (i = 0; i < n; i++)
		fixture_id(ids + (size_t)i * 32, first + i);
	assert_int_equal(session_get(s, ids, n, world_got, counts), 0);
	free(ids);
}

int
world_spoil(void *arg, const char *name, uint64_t size)
{
	struct world *w = arg;
	char *path = fs_join(w->vault_dir, name);
	FILE *f = fopen(path, "r+b");

	assert_non_null(f);
	(void)size;
	/* Into the first record's payload. */
	assert_int_equal(fseek(f, 48 + 72 + 20, SEEK_SET), 0);
	assert_int_equal(fputc(0x5a, f), 0x5a);
	assert_int_equal(fclose(f), 0);
	free(path);
	return 0;
}

int
world_erase(void *arg, const char *name, uint64_t size)
{
	struct world *w = arg;
	char *path = fs_join(w->vault_dir, name);

	(void)size;
	assert_int_equal(remove(path), 0);
	free(path);
	return 0;
}

int
world_copy_name(void *arg, const char *name, uint64_t size)
{
	(void)size;
	(void)snprintf(arg, BACKEND_NAME_MAX, "%s", name);
	return 0;
}
