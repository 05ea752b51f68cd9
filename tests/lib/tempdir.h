#ifndef HS_TESTS_TEMPDIR_H
#define HS_TESTS_TEMPDIR_H

/*
 * A folder of a test's own below $TMPDIR, removed with all that is in it.  A
 * failure fails the test.
 */

/* The absolute path, owned by the caller and ended by tempdir_free(). */
char *tempdir_new(void);
void tempdir_free(char *dir);

#endif
