/*
 * A small file of a store's folder: which u8 (0 a vault's header, 1 a mount's
 * record, with the copy of the header in it, 2 its copy in the vault, 3 the
 * store's identity, 4 an invitation, 5 a generation), bytes.  The checksum of
 * what is JSON is made right, unless 128 is added to `which`.
 */

#include "backend/mem.h"
#include "base/err.h"
#include "fuzz/fuzz.h"
#include "hash/hash.h"
#include "lib/planted.h"
#include "server/invitation.h"
#include "server/storeid.h"
#include "store/backend.h"
#include "store/generation.h"

#include <stdlib.h>
#include <string.h>

#define ZERO_HEX "00000000000000000000000000000000"
#define VAULT_JSON "vaults/" ZERO_HEX "/vault.json"
#define MOUNT_JSON "mounts/" ZERO_HEX ".json"
#define COPY_JSON "vaults/" ZERO_HEX "/mounts/" ZERO_HEX ".json"
#define INVITATION_JSON "invitations/" ZERO_HEX ".json"
#define STORE_JSON "store.json"
#define RAW 128u

static const uint8_t zero[SIGN_PUBLIC_BYTES];

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* One store for all inputs; what an input leaves in it is removed. */
static struct account *
store(void)
{
	static struct account *a;

	if (a != NULL)
		return a;
	check(account_open(&a, planted_dir(), ACCOUNT_CREATE) == 0);
	planted_make("vaults/" ZERO_HEX "/mounts");
	return a;
}

/* A header that was taken has one form. */
static void
vault(struct account *a)
{
	struct header h, again;
	struct json *j = json_new_object();

	check(j != NULL);
	if (account_vault(&h, a, zero) == 0) {
		check(memcmp(h.vault, zero, sizeof(h.vault)) == 0);
		check(header_to_json(j, &h) == 0);
		check(header_from_json(&again, j) == 0);
		check(header_equal(&h, &again));
	}
	json_free(j);
}

static void
mount(struct account *a)
{
	struct account_mount m;

	if (account_mount(&m, a, zero) == 0) {
		check(memcmp(m.mount, zero, sizeof(m.mount)) == 0);
		check(strlen(m.label) <= LIMIT_LABEL_BYTES);
	}
}

static void
identity(unsigned raw, const uint8_t *p, size_t len)
{
	static uint8_t public_key[SIGN_PUBLIC_BYTES];
	uint8_t is[SIGN_PUBLIC_BYTES], seed[SIGN_SEED_BYTES];
	struct buf saved = BUF_INIT;

	memcpy(public_key, account_public(store()), sizeof(public_key));
	planted_read(&saved, STORE_JSON);
	planted_state(STORE_JSON, raw != 0, p, len);
	if (storeid_read(is, seed, planted_dir()) == 0)
		check(memcmp(is, public_key, sizeof(is)) == 0);
	planted_write(STORE_JSON, saved.data, saved.len);
	buf_release(&saved);
}

static void
invitation(struct account *a)
{
	struct enroll_keys k;
	int r = invitation_find(&k, a, zero, zero);

	check(r == 0 || r == ERR_REFUSED || r == ERR_DAMAGED);
}

static void
generation(const uint8_t *p, size_t len)
{
	struct backend *b;
	struct generation g;
	uint8_t *file = malloc(len + HASH_BYTES);
	int r;

	check(file != NULL);
	memcpy(file, p, len);
	hash_bytes(file + len, p, len);
	check(backend_mem_open(&b, 1) == 0);
	check(backend_put_all(b, "state/generation.0000000007", file,
		  len + HASH_BYTES) == 0);
	r = generation_load(&g, b);
	check(g.number == 7 && r == (len != GENERATION_BYTES));
	check(r != 0 || memcmp(g.bytes, p, GENERATION_BYTES) == 0);
	b->ops->close(b);
	free(file);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const char *const names[] = {
	    VAULT_JSON, MOUNT_JSON, COPY_JSON, NULL, INVITATION_JSON};
	struct account *a = store();
	unsigned which, raw, i;

	if (len < 1 || len > LIMIT_JSON_BYTES)
		return 0;
	which = p[0] & ~RAW;
	raw = p[0] & RAW;
	if (which == 3)
		identity(raw, p + 1, len - 1);
	if (which == 5)
		generation(p + 1, len - 1);
	if (which >= 5 || names[which] == NULL)
		return 0;
	planted_state(names[which], raw != 0, p + 1, len - 1);
	if (which == 2) /* a copy is asked for when the record is damaged */
		planted_write(MOUNT_JSON, zero, 1);
	if (which < 3) {
		mount(a);
		vault(a);
	} else {
		invitation(a);
	}
	for (i = 0; i < 5; i++)
		if (names[i] != NULL)
			planted_remove(names[i]);
	return 0;
}
