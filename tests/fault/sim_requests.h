#ifndef HS_TESTS_SIM_REQUESTS_H
#define HS_TESTS_SIM_REQUESTS_H

/*
 * A client's requests as calls at which the power may go (sim_disk.h): such a
 * one is not sent, or its answer does not arrive; and none is sent by who is
 * dead.
 */

/* The power goes at the `n`th request from now.  0: at none. */
void sim_requests_cut(unsigned n);

/* How many that were so far, as a part of a line. */
void sim_requests_print(void);

#endif
