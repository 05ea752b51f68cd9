#include "lib/store_fixture.h"

#include "base/bytes.h"
#include "base/fs.h"
#include "hash/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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
	ret = record_encode(out, r);
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
