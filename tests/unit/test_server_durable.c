/*
 * server/account: what a dead process left, or a sync that failed, is made
 * durable by who goes on with it.  fsync() is defined here, so the program's
 * code uses this.
 */

#include "base/fs.h"
#include "lib/tempdir.h"
#include "server/account.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

static char wanted[PATH_MAX];
static unsigned synced; /* how often `wanted` was */
static int failing; /* the sync of `wanted` fails, and what it has is there */

int
fsync(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd); /* fits */
	n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	if (strcmp(path, wanted) == 0) {
		synced++;
		if (failing) {
			errno = EIO;
			return -1;
		}
	}
	return (int)syscall(SYS_fsync, fd);
}

static void
test_vault_folder(void **state)
{
	char *top = tempdir_new(), *dir = fs_join(top, "store"), *vault;
	static const uint8_t seed[SIGN_SEED_BYTES] = {1};
	uint8_t public_key[SIGN_PUBLIC_BYTES];
	struct header h = {.vault = {7}}, stored;
	struct account_mount m;
	struct account *a;
	int created;

	(void)state;
	assert_int_equal(account_open(&a, dir, ACCOUNT_CREATE), 0);
	/* It was made, and then the process died. */
	vault = account_vault_dir(a, h.vault);
	assert_int_equal(mkdir(vault, 0700), 0);
	(void)snprintf(wanted, sizeof(wanted), "%s/vaults", dir); /* it fits */
	sign_public(public_key, seed);
	assert_int_equal(account_add(&m, &stored, &created, a, public_key, "l",
			     &h, ENROLL_NEW),
	    0);
	assert_true(synced > 0);
	account_close(a);
	free(vault);
	free(dir);
	tempdir_free(top);
}

/* After a sync that failed nothing counts before it is written again: the name
 * of a file is there to be seen, and may be gone with the power. */
static void
test_repeated(void **state)
{
	static const char *const folders[] = {"mounts",
	    "vaults/07000000000000000000000000000000",
	    "vaults/07000000000000000000000000000000/mounts"};
	static const uint8_t seed[SIGN_SEED_BYTES] = {1};
	uint8_t public_key[SIGN_PUBLIC_BYTES];
	struct header h = {.vault = {7}}, stored;
	struct account_mount m;
	struct account *a;
	char *top, *dir;
	int created;
	size_t i;

	(void)state;
	sign_public(public_key, seed);
	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		top = tempdir_new();
		dir = fs_join(top, "store");
		assert_int_equal(account_open(&a, dir, ACCOUNT_CREATE), 0);
		(void)snprintf(wanted, sizeof(wanted), "%s/%s", dir,
		    folders[i]); /* it fits */
		synced = 0;
		failing = 1;
		assert_true(account_add(&m, &stored, &created, a, public_key,
				"l", &h, ENROLL_EITHER) < 0);
		assert_true(synced > 0);
		synced = 0;
		failing = 0;
		assert_int_equal(account_add(&m, &stored, &created, a,
				     public_key, "l", &h, ENROLL_EITHER),
		    0);
		assert_true(synced > 0);
		account_close(a);
		free(dir);
		tempdir_free(top);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vault_folder),
	    cmocka_unit_test(test_repeated),
	};

	if (sign_start() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
