#ifndef HS_NET_PEERS_H
#define HS_NET_PEERS_H

/*
 * How many connections each address has.
 *
 * Thread use: any thread, at once.
 */

#include <sys/socket.h>

struct peers;

/* For at most `max` connections at a time.  Returns 0; ERR_NOMEM. */
int peers_new(struct peers **out, unsigned max);
void peers_free(struct peers *p); /* NULL is fine */

/* A connection from `address` (IPv4 or IPv6; all others are one) comes or
 * goes; one that goes had come.  What goes beyond `max` is not counted. */
void peers_come(struct peers *p, const struct sockaddr *address);
void peers_go(struct peers *p, const struct sockaddr *address);
/* Connections of that address, and (unless NULL) `*all` of them. */
unsigned peers_count(
    unsigned *all, struct peers *p, const struct sockaddr *address);

#endif
