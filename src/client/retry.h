#ifndef HS_CLIENT_RETRY_H
#define HS_CLIENT_RETRY_H

/*
 * When a failed request is made again: as long as the server does not answer
 * or is busy, for so much time; docs/protocol.md 2.1.
 *
 * Thread use: a struct retry belongs to one call; policies are shared.
 */

#include <stdatomic.h>
#include <stdint.h>

struct retry_policy {
	unsigned for_ms; /* from the first failure on; 0: never again */
	unsigned pause_ms; /* before the second try; then twice as long... */
	unsigned pause_ms_max; /* ... up to this */
	/* Set by a signal handler: no more tries.  NULL: never. */
	const atomic_int *interrupt;
	/* A pause begins, and err_text() says why; at most `left_ms` more will
	 * be spent.  From any thread, at once from several.  NULL: nobody. */
	void (*waiting)(void *arg, unsigned left_ms);
	void *arg;
};

struct retry {
	const struct retry_policy *policy;
	int64_t since_ns; /* the first failure; 0: there was none */
	unsigned pause_ms;
};

void retry_init(struct retry *t, const struct retry_policy *p);

/*
 * A try ended with `*r`.  Returns nonzero, after a pause, when it should be
 * made again: that is ERR_UNREACHABLE or ERR_BUSY, and time is left.  An
 * interrupt makes `*r` ERR_INTR.
 */
int retry_again(struct retry *t, int *r);

/* The work went on: what fails now is not the same failure. */
void retry_reset(struct retry *t);

#endif
