#ifndef HS_TESTS_TAMPER_H
#define HS_TESTS_TAMPER_H

/*
 * A hostile piece of network: forwards connections from a port of 127.0.0.1
 * to another one, and flips a byte or cuts.  Positions count the bytes of one
 * direction, over all connections, from the last tamper_set() on.
 */

#include <stdint.h>

struct tamper;

#define TAMPER_NEVER (-1)

struct tamper_plan {
	int64_t flip_down; /* server to client */
	int64_t cut_down;
	int64_t flip_up;
	int64_t cut_up;
};
extern const struct tamper_plan tamper_nothing;

/* Failures fail the test. */
struct tamper *tamper_start(uint16_t to);
uint16_t tamper_port(const struct tamper *t);
void tamper_set(struct tamper *t, const struct tamper_plan *p);
/* Bytes since then. */
int64_t tamper_down(struct tamper *t);
int64_t tamper_up(struct tamper *t);
void tamper_stop(struct tamper *t);

#endif
