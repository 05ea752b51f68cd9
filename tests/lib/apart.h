#ifndef HS_TESTS_APART_H
#define HS_TESTS_APART_H

/*
 * A server in a process of its own, a child of this one that begins as its
 * copy.  To be started while there is one thread, and nothing is simulated
 * that the server should not meet.  Failures fail the test.
 */

#include <stdint.h>
#include <sys/types.h>

struct apart {
	pid_t pid; /* 0: none runs */
	char url[64];
};

/*
 * Serve the store in the folder `dir`, which is made, on a free port of
 * 127.0.0.1; what the server says goes to the file `log`.  `before` (NULL:
 * nothing) is called in the new process first.
 */
void apart_start(struct apart *a, const char *dir, const char *log,
    void (*before)(uint64_t seed), uint64_t seed);
/* It ends by itself, and well. */
void apart_stop(struct apart *a);

#endif
