#include "lib/engine_vault.h"

#include "backend/dir.h"
#include "base/err.h"
#include "base/fs.h"
#include "lib/tempdir.h"
#include "sign/sign.h"
#include "store/backend.h"
#include "store/local.h"
#include "store/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct engine_vault *
of(struct store *s)
{
	return (struct engine_vault *)(void *)s; /* base is its first member */
}

static int
fault(struct engine_vault *v, atomic_uint *calls, unsigned at)
{
	unsigned n = atomic_fetch_add(calls, 1) + 1;

	return n == at ? err_set(v->fail_code, "injected") : 0;
}

static int
have(struct store *s, uint8_t *bitmap, const uint8_t *ids, uint32_t n)
{
	struct engine_vault *v = of(s);
	int r = fault(v, &v->asked, v->fail_have);

	(void)atomic_fetch_add(&v->asked_ids, n);

	return r != 0 ? r : v->real->ops->have(v->real, bitmap, ids, n);
}

static int
have_files(
    struct store *s, struct store_member *out, const uint8_t *ids, uint32_t n)
{
	struct engine_vault *v = of(s);
	int r = fault(v, &v->asked_files, v->fail_have_files);

	return r != 0 ? r : v->real->ops->have_files(v->real, out, ids, n);
}

static int
put(struct store *s, const uint8_t *records, size_t len)
{
	struct engine_vault *v = of(s);
	int r = fault(v, &v->puts, v->fail_put);

	(void)atomic_fetch_add(&v->put_bytes, len);
	return r != 0 ? r : v->real->ops->put(v->real, records, len);
}

static int
commit(struct store *s, struct store_receipt *receipt, struct buf *missing,
    const uint8_t *snapshot, size_t len)
{
	struct engine_vault *v = of(s);
	static const uint8_t id[32] = {1};

	if (atomic_fetch_add(&v->commits, 1) < v->missing) {
		assert_int_equal(buf_append(missing, id, sizeof(id)), 0);
		return err_set(ERR_MISSING, "injected");
	}
	return v->real->ops->commit(v->real, receipt, missing, snapshot, len);
}

static int
get(struct store *s, const uint8_t *ids, uint32_t n, store_got_fn *got,
    void *arg)
{
	struct engine_vault *v = of(s);

	return v->real->ops->get(v->real, ids, n, got, arg);
}

static const struct store_ops ops = {
    .get = get,
    .have = have,
    .have_files = have_files,
    .put = put,
    .commit = commit,
};

void
engine_vault_again(struct engine_vault *v)
{
	struct store_local_options o = {.vault = v->vault};

	if (v->real != NULL)
		v->real->ops->close(v->real);
	memset(o.mount, 5, sizeof(o.mount));
	sign_public(o.mount_public, v->seed);
	assert_int_equal(store_local_open(&v->real, &o), 0);
	v->base.ops = &ops;
	v->base.info = v->real->info;
	atomic_store(&v->asked, 0);
	atomic_store(&v->asked_ids, 0);
	atomic_store(&v->asked_files, 0);
	atomic_store(&v->puts, 0);
	atomic_store(&v->commits, 0);
	atomic_store(&v->put_bytes, 0);
	v->fail_put = 0;
	v->fail_have = 0;
	v->fail_have_files = 0;
	v->missing = 0;
	v->fail_code = ERR_IO;
}

void
engine_vault_open(struct engine_vault *v)
{
	static const uint8_t master[KEYS_BYTES] = {4, 5, 6};
	char *dir, *incoming, *index;
	struct vault_options o = {0};

	memset(v, 0, sizeof(*v));
	assert_int_equal(sign_start(), 0);
	v->folder = tempdir_new();
	memset(v->seed, 3, sizeof(v->seed));
	keys_derive(&v->keys, master, 0);
	dir = fs_join(v->folder, "vault");
	incoming = fs_join(v->folder, "incoming");
	index = fs_join(v->folder, "index");
	assert_true(dir != NULL && incoming != NULL && index != NULL);
	assert_int_equal(fs_make_dirs(dir, 0700), 0);
	assert_int_equal(fs_make_dirs(incoming, 0700), 0);
	assert_int_equal(backend_dir_open(&v->backend, dir, incoming), 0);
	o.backend = v->backend;
	o.index_dir = index;
	memcpy(o.id, v->keys.vault, sizeof(o.id));
	assert_int_equal(vault_open(&v->vault, &o), 0);
	engine_vault_again(v);
	free(dir);
	free(incoming);
	free(index);
}

void
engine_vault_close(struct engine_vault *v)
{
	v->real->ops->close(v->real);
	vault_close(v->vault);
	v->backend->ops->close(v->backend);
	tempdir_free(v->folder);
	keys_wipe(&v->keys);
}
