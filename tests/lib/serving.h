#ifndef HS_TESTS_SERVING_H
#define HS_TESTS_SERVING_H

/*
 * A server on a thread of this process.  SIGTERM, which ends it, must be
 * blocked in all threads.
 */

#include "base/pool.h"
#include "server/server.h"

struct serving {
	struct server_options o; /* the caller's, but for `ready` and `arg` */
	char listen[32]; /* room for the caller's o.listen */
	struct pool_thread *thread;
	struct pool_lock lock;
	struct pool_cond change;
	int up, ended;
	int rc; /* what it ended with */
};

/* Once, before the others. */
void serving_init(struct serving *s);
/* Whether it came up; o.port is then its port, which later ones keep. */
int serving_begin(struct serving *s);
/* End it, if it runs. */
void serving_end(struct serving *s);

#endif
