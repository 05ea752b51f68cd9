#ifndef HS_TESTS_UNHARMED_H
#define HS_TESTS_UNHARMED_H

/*
 * What a fixture calls of src/ must not fail while fault/failing.h makes calls
 * fail: between these two, nothing fails in this thread.  They nest.
 */
void unharmed_begin(void);
void unharmed_end(void);
/* Nonzero in between. */
int unharmed(void);

#endif
