/*
 * server/account: a folder that a dead process left is made durable by who
 * goes on with it.  fsync() is defined here, so the program's code uses this.
 */

#include "base/fs.h"
#include "lib/tempdir.h"
#include "server/account.h"

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

int
fsync(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd); /* fits */
	n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	synced += strcmp(path, wanted) == 0;
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vault_folder),
	};

	if (sign_start() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
