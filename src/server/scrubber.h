#ifndef HS_SERVER_SCRUBBER_H
#define HS_SERVER_SCRUBBER_H

/*
 * Scrubs the vaults of a running server in the background, so fast that each
 * byte is read once in so many days (store/scrub.h).  A round ends with a look
 * at the snapshots themselves.  What is found is logged, and which directories
 * have snapshots that lack something.
 */

#include <stdint.h>

struct account;
struct scrubber;
struct vaults;

#define SCRUBBER_DAYS_DEFAULT 30

/* With `now` everything is read once as soon as it starts, as fast as it can
 * be read.  `days` 0: that is all. */
int scrubber_start(struct scrubber **out, const struct account *a,
    struct vaults *vs, unsigned days, int now);
/* Waits for a pack under way; NULL is fine. */
void scrubber_stop(struct scrubber *sc);

/* Bytes of `total` that may be read in `ms`, for one round in `days`. */
uint64_t scrubber_share(uint64_t total, unsigned ms, unsigned days);

#endif
