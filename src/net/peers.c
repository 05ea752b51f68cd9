#include "net/peers.h"

#include "base/err.h"
#include "base/pool.h"

#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct peer {
	uint8_t address[16];
	unsigned connections; /* not 0 */
};

struct peers {
	struct pool_lock lock;
	unsigned max, all;
	unsigned n; /* in no order */
	struct peer list[];
};

int
peers_new(struct peers **out, unsigned max)
{
	size_t bytes = sizeof(struct peers) + max * sizeof(struct peer);
	struct peers *p = calloc(1, bytes);

	if (p == NULL)
		return err_nomem(bytes);
	p->max = max;
	pool_lock_init(&p->lock);
	*out = p;
	return 0;
}

void
peers_free(struct peers *p)
{
	if (p == NULL)
		return;
	pool_lock_release(&p->lock);
	free(p);
}

/* An IPv4 address as IPv6 maps it, which is how a socket for both tells it. */
static void
address_bytes(uint8_t out[16], const struct sockaddr *a)
{
	memset(out, 0, 16);
	if (a->sa_family == AF_INET6) {
		memcpy(out,
		    &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
		    16);
	} else if (a->sa_family == AF_INET) {
		out[10] = out[11] = 0xff;
		memcpy(out + 12,
		    &((const struct sockaddr_in *)(const void *)a)->sin_addr,
		    4);
	}
}

/* The lock is held. */
static struct peer *
find(struct peers *p, const struct sockaddr *a)
{
	uint8_t address[16];
	unsigned i;

	address_bytes(address, a);
	for (i = 0; i < p->n; i++)
		if (memcmp(p->list[i].address, address, 16) == 0)
			return &p->list[i];
	return NULL;
}

void
peers_come(struct peers *p, const struct sockaddr *a)
{
	struct peer *e;

	pool_lock_enter(&p->lock);
	e = find(p, a);
	if (e == NULL && p->n < p->max) {
		e = &p->list[p->n++];
		address_bytes(e->address, a);
		e->connections = 0;
	}
	if (e != NULL) {
		e->connections++;
		p->all++;
	}
	pool_lock_leave(&p->lock);
}

void
peers_go(struct peers *p, const struct sockaddr *a)
{
	struct peer *e;

	pool_lock_enter(&p->lock);
	e = find(p, a);
	if (e != NULL) {
		p->all--;
		if (--e->connections == 0)
			*e = p->list[--p->n];
	}
	pool_lock_leave(&p->lock);
}

unsigned
peers_count(unsigned *all, struct peers *p, const struct sockaddr *a)
{
	const struct peer *e;
	unsigned n;

	pool_lock_enter(&p->lock);
	e = find(p, a);
	n = e == NULL ? 0 : e->connections;
	if (all != NULL)
		*all = p->all;
	pool_lock_leave(&p->lock);
	return n;
}
