#ifndef HS_NET_DEADLINES_H
#define HS_NET_DEADLINES_H

/*
 * Deadlines of sockets: one whose time is up is shut down, so that whoever
 * waits for it sees its end.  A timer that starts anew with every byte does
 * not end a peer that sends a byte now and then; this does.
 *
 * Thread use: any thread, at once.
 */

struct deadlines;
struct deadline; /* of one socket */

/* Starts a thread.  Returns 0; ERR_NOMEM; ERR_FAIL. */
int deadlines_open(struct deadlines **out);
/* All deadlines must have been removed.  NULL is fine. */
void deadlines_close(struct deadlines *d);

/*
 * Watch the socket `fd`: it is shut down `seconds` from now, and 1 s later at
 * most.  Returns the deadline, ended by deadlines_remove() before `fd` is
 * closed; NULL for want of memory.
 */
struct deadline *deadlines_add(struct deadlines *d, int fd, unsigned seconds);
void deadlines_remove(struct deadlines *d, struct deadline *e);

/* From now on, instead of the last one.  0 seconds: none. */
void deadlines_set(struct deadlines *d, struct deadline *e, unsigned seconds);

#endif
