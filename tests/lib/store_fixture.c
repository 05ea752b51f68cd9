#include "lib/store_fixture.h"

#include "base/bytes.h"
#include "base/fs.h"
#include "hash/hash.h"
#include "lib/unharmed.h"
#include "sign/sign.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
fixture_id(uint8_t id[32], uint64_t number)
{
	uint8_t text[8];

	bytes_put64(text, number);
	hash_bytes(id, text, sizeof(text));
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

/* Bytes that depend on the id and cannot be mistaken for zeros. */
static void
append_record(struct buf *out, struct record *r, size_t sealed_len)
{
	uint8_t *sealed = malloc(sealed_len);
	uint8_t key_id[16] = {0};
	struct hash h;
	int ret;

	assert(sealed != NULL);
	hash_init(&h);
	hash_update(&h, r->id, 32);
	hash_final_len(&h, sealed, sealed_len);
	r->sealed = sealed;
	r->sealed_len = (uint32_t)sealed_len;
	r->key_id = key_id;
	unharmed_begin();
	ret = record_encode(out, r);
	unharmed_end();
	assert(ret == 0);
	free(sealed);
}

void
fixture_meta(struct buf *out, const uint8_t id[32], const uint8_t *refs,
    uint32_t n, size_t sealed_len)
{
	struct record r = {.class = RECORD_META, .id = id, .nrefs = n};
	uint8_t *sorted = malloc((size_t)n * 32 + 1);

	assert(sorted != NULL);
	if (n > 0)
		memcpy(sorted, refs, (size_t)n * 32);
	qsort(sorted, n, 32, compare_ids);
	r.refs = sorted;
	append_record(out, &r, sealed_len);
	free(sorted);
}

void
fixture_data(struct buf *out, const uint8_t id[32], const uint8_t *members,
    uint32_t n, size_t sealed_len)
{
	struct record r = {.class = RECORD_DATA, .id = id, .nmembers = n};

	r.members = members;
	append_record(out, &r, sealed_len);
}

void
fixture_mount(struct fixture_mount *m, unsigned number)
{
	memset(m, 0, sizeof(*m));
	m->id[0] = (uint8_t)number;
	m->id[15] = 0x77;
	memset(m->seed, (int)number, sizeof(m->seed));
	sign_public(m->public_key, m->seed);
}

void
fixture_snapshot(struct buf *out, const struct fixture_mount *m,
    const uint8_t vault[16], const uint8_t root[32])
{
	uint8_t sig[64], id[32] = {9};
	size_t from = out->len;
	int ret = 0;

	unharmed_begin();
	ret |= buf_append(out, "HSS1", 4);
	ret |= buf_append32(out, 0);
	ret |= buf_append(out, vault, 16);
	ret |= buf_append(out, m->id, 16);
	ret |= buf_append64(out, m->client_seq + 1);
	ret |= buf_append(out, m->previous, 32);
	ret |= buf_append64(out, 1);
	ret |= buf_append64(out, 1000);
	ret |= buf_append_zeros(out, 32);
	ret |= buf_append(out, id, 32);
	ret |= buf_append_zeros(out, 16);
	ret |= buf_append32(out, 1);
	ret |= buf_append32(out, 54);
	ret |= buf_append(out, root, 32);
	ret |= buf_append(out,
	    "a sealed payload, made up, and exactly as long "
	    "as said",
	    54);
	assert(ret == 0);
	sign_make(sig, m->seed, "hashstore snapshot v1", out->data + from,
	    out->len - from);
	ret = buf_append(out, sig, sizeof(sig));
	unharmed_end();
	assert(ret == 0);
}

void
fixture_committed(struct fixture_mount *m, const struct buf *client)
{
	m->client_seq++;
	hash_bytes(m->previous, client->data, client->len);
}

uint64_t
fixture_commit(struct vault *v, struct fixture_mount *m,
    const uint8_t vault[16], uint64_t number)
{
	struct buf client = BUF_INIT, missing = BUF_INIT, record = BUF_INIT;
	struct store_receipt receipt = {0};
	struct session *s;
	uint8_t id[32];
	int ret;

	fixture_id(id, number);
	fixture_data(&record, id, NULL, 0, 80);
	fixture_snapshot(&client, m, vault, id);
	ret = session_open(&s, v, m->id, m->public_key);
	if (ret == 0) {
		ret = session_put(s, record.data, record.len, 0);
		if (ret == 0)
			ret = session_commit(
			    s, &receipt, &missing, client.data, client.len);
		if (session_close(s) != 0)
			ret = -1;
	}
	if (ret == 0)
		fixture_committed(m, &client);
	buf_release(&record);
	buf_release(&client);
	buf_release(&missing);
	return ret == 0 ? receipt.server_seq : 0;
}

int
fixture_read_one(void *arg, enum store_got got, const uint8_t *id,
    const uint8_t *record, size_t len)
{
	struct fixture_reading *r = arg;
	struct record rec;

	if (got == STORE_GOT_RECORD && record_decode(&rec, record, len) == 0 &&
	    memcmp(rec.id, id, 32) == 0)
		r->records++;
	else
		r->others++;
	return 0;
}

char *
fixture_folder(void)
{
	const char *top = getenv("TMPDIR");
	char *path =
	    fs_printf("%s/hashstore-test-XXXXXX", top != NULL ? top : "/tmp");

	assert(path != NULL);
	if (mkdtemp(path) == NULL)
		abort();
	return path;
}

void
fixture_remove(char *folder)
{
	int ret = fs_remove_tree(folder);

	assert(ret == 0);
	free(folder);
}

void
fixture_unclosed_index(const char *index_dir)
{
	char *sum = fs_join(index_dir, "sum");

	assert(sum != NULL);
	(void)unlink(sum); /* it may be absent already */
	free(sum);
}
