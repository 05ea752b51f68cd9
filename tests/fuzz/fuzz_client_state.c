/*
 * A file of a registered directory or of the keyring: which u8 (0 config.json,
 * 1 mount.key, 2 pending.key, 3 head.json, 4 a file of the keyring), bytes.
 * What was read is written and must be read as the same.
 */

#include "base/err.h"
#include "cli/keyring.h"
#include "cli/shamo.h"
#include "fuzz/fuzz.h"
#include "lib/planted.h"

#include <stdlib.h>
#include <string.h>

#define ZERO_HEX "00000000000000000000000000000000"
#define RING "hashstore/vault-" ZERO_HEX ".json"

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* The state's folder is the directory itself. */
static void
locate(struct shamo *s)
{
	shamo_init(s);
	check(shamo_locate(s, planted_dir(), planted_dir()) == 0);
}

static void
config(void)
{
	struct shamo s, again;

	locate(&s);
	locate(&again);
	memset(s.mount_seed, 1, sizeof(s.mount_seed));
	check(shamo_save_seed(&s) == 0);
	if (shamo_load(&s) == 0) {
		check(shamo_save(&s) == 0);
		check(shamo_load(&again) == 0);
		check(strcmp(s.url, again.url) == 0);
		check(strcmp(s.label, again.label) == 0);
		check(strlen(s.url) <= SHAMO_URL_BYTES);
		check(memcmp(s.vault, again.vault, sizeof(s.vault)) == 0);
		check(memcmp(s.mount, again.mount, sizeof(s.mount)) == 0);
	}
	shamo_release(&again);
	shamo_release(&s);
}

static void
secret(int pending)
{
	uint8_t master[32], again[32];
	struct shamo s;

	locate(&s);
	if (pending && shamo_load_pending(master, &s) == 0) {
		check(shamo_save_pending(master, &s) == 0);
		check(shamo_load_pending(again, &s) == 0);
		check(memcmp(master, again, sizeof(master)) == 0);
	} else if (!pending && shamo_load_seed(&s) == 0) {
		memcpy(master, s.mount_seed, sizeof(master));
		check(shamo_save_seed(&s) == 0);
		check(shamo_load_seed(&s) == 0);
		check(memcmp(master, s.mount_seed, sizeof(master)) == 0);
	}
	shamo_release(&s);
}

static void
head(void)
{
	struct shamo_head h, again;
	struct shamo s;

	memset(&h, 0, sizeof(h));
	memset(&again, 0, sizeof(again));
	locate(&s);
	if (shamo_load_head(&h, &s) == 0) {
		check(shamo_save_head(&s, &h) == 0);
		check(shamo_load_head(&again, &s) == 0);
		check(memcmp(&h, &again, sizeof(h)) == 0);
	}
	shamo_release(&s);
}

static void
ring(void)
{
	static const uint8_t zero[32];
	uint8_t master[32], vault[16];
	unsigned found;
	int r;

	check(setenv("XDG_CONFIG_HOME", planted_dir(), 1) == 0);
	/* The name is another vault's: no key can be its own. */
	check(keyring_load(master, zero) < 0);
	r = keyring_find(vault, &found, zero);
	check(r == 1 || r == ERR_NOSTORE ||
	      (r == 0 && memcmp(vault, zero, sizeof(vault)) == 0));
	r = keyring_save(zero, zero, zero);
	check(r == 0 || r == ERR_NOSTORE || r == ERR_LIMIT);
	if (r == 0)
		check(keyring_find(vault, &found, zero) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const char *const names[] = {
	    "config.json", "mount.key", "pending.key", "head.json", RING};

	if (len < 1 || p[0] > 4)
		return 0;
	planted_make("hashstore");
	planted_write(names[p[0]], p + 1, len - 1);
	if (p[0] == 0)
		config();
	else if (p[0] <= 2)
		secret(p[0] == 2);
	else if (p[0] == 3)
		head();
	else
		ring();
	planted_remove(names[p[0]]);
	planted_remove("mount.key");
	return 0;
}
