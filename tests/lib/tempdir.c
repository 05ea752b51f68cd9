#include "lib/tempdir.h"

#include "base/err.h"
#include "base/fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

char *
tempdir_new(void)
{
	const char *top = getenv("TMPDIR");
	char *dir;

	dir = fs_join(top == NULL ? "/tmp" : top, "shash-test-XXXXXX");
	assert_non_null(dir);
	assert_non_null(mkdtemp(dir));
	return dir;
}

void
tempdir_free(char *dir)
{
	if (fs_remove_tree(dir) != 0)
		fail_msg("%s", err_text());
	free(dir);
}
