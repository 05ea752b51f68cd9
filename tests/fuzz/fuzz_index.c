/*
 * Rows of an index: each a table u8, lengths u8 of key and value, and these.
 * What is asked then gets an answer, whatever they say: all that is returned is
 * of the size that it must be.  Ids and numbers that are asked for are 0, and
 * those of the rows.
 */

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "fuzz/fuzz.h"
#include "lib/planted.h"
#include "store/index.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 16

static void
check(int ok)
{
	if (!ok)
		abort();
}

static void
answered(int r)
{
	check(r == 0 || r == 1 || r == ERR_DAMAGED);
}

static int
on_pack(void *arg, const struct index_pack *p)
{
	++*(unsigned *)arg;
	return p == NULL;
}

static int
on_head(void *arg, const uint8_t mount[16], uint64_t seq)
{
	(void)seq; /* any number is one */
	++*(unsigned *)arg;
	return mount == NULL;
}

/* Whatever is asked for an id: the key of a row, filled up. */
static void
ask_id(struct index_txn *t, const uint8_t id[INDEX_ID_BYTES])
{
	struct index_object o;
	struct index_pack p;
	struct buf others = BUF_INIT;
	uint8_t bundle[INDEX_ID_BYTES];
	uint32_t member;
	uint64_t seq;

	answered(index_find(&o, t, id));
	answered(index_find_file(bundle, &member, t, id));
	answered(index_pack_named(&p, t, id));
	answered(index_head(&seq, t, id));
	answered(index_other_list(&others, t, id));
	check(others.len % sizeof(struct index_object) == 0);
	check(others.len <= INDEX_OTHERS_MAX * sizeof(struct index_object));
	buf_release(&others);
}

static void
ask_number(struct index_txn *t, uint32_t n)
{
	struct kv_slice refs;
	struct index_pack p;
	uint8_t id[INDEX_ID_BYTES];

	answered(index_id_of(id, t, n));
	if (index_refs(&refs, t, n) == 0)
		check(refs.len % 4 == 0);
	answered(index_pack(&p, t, n));
	(void)index_pending(t, n); /* any number is a reason */
}

static void
ask_all(struct index_txn *t)
{
	uint8_t generation[32];
	unsigned n = 0;

	answered(index_generation(generation, t));
	answered(index_packs(t, on_pack, &n));
	answered(index_heads(t, on_head, &n));
}

/* What LMDB takes for a key of that table. */
static int
is_key(unsigned table, size_t len)
{
	switch (table) {
	case INDEX_REFS:
	case INDEX_NUM:
	case INDEX_PACK:
	case INDEX_PENDING:
		return len == 4;
	default:
		return table < INDEX_TABLES && len > 0;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const uint8_t vault[INDEX_VAULT_BYTES];
	static struct index *ix;
	uint8_t ids[ROWS_MAX + 1][INDEX_ID_BYTES] = {{0}};
	struct index_txn t;
	unsigned n = 0, i;
	char *path;

	if (ix == NULL) {
		path = planted_path("index");
		check(index_open(&ix, path, vault) == 1);
		free(path);
	}
	check(index_begin(&t, ix, 1) == 0);
	while (n < ROWS_MAX && len >= 3 && len - 3 >= (size_t)p[1] + p[2]) {
		if (is_key(p[0], p[1]) &&
		    kv_put(t.kv, p[0], p + 3, p[1], p + 3 + p[1], p[2]) == 0)
			memcpy(ids[++n], p + 3,
			    p[1] < INDEX_ID_BYTES ? p[1] : INDEX_ID_BYTES);
		len -= 3 + (size_t)p[1] + p[2];
		p += 3 + (size_t)p[1] + p[2];
	}
	for (i = 0; i <= n; i++) {
		ask_id(&t, ids[i]);
		ask_number(&t, bytes_get32(ids[i]));
	}
	ask_all(&t);
	index_abort(&t);
	return 0;
}
