#ifndef HS_STORE_SCRUB_H
#define HS_STORE_SCRUB_H

/*
 * Reads one pack after the other, in the order of their names, and checks what
 * can be checked without keys, beside sessions.  A damaged record is marked:
 * its object leaves `have` unless another record of it is whole, so that the
 * next backup of a client that has the data puts it again (store/vault.h).
 * What is whole of a pack whose frame is damaged is copied to another one
 * (store/mend.h).  Nothing is deleted or rewritten, and a healthy pack leaves
 * no trace but the position, which stands in the index: without it a round
 * begins anew.
 *
 * Thread use: one at a time per vault, and not beside a sweep or a verify.
 */

#include <stdint.h>

struct vault;

/* As verify_found_fn of store/verify.h. */
typedef void scrub_found_fn(void *arg, const char *where, const char *what);

struct scrub_counts {
	uint64_t packs, bytes; /* read */
	uint64_t findings;
};

/*
 * Read the next pack and add to `n`.  Returns 1; 0 when there was none: the
 * round is over, and the next call begins another; ERR_*: the pack will be
 * read again.
 */
int scrub_step(
    struct scrub_counts *n, struct vault *v, scrub_found_fn *found, void *arg);

/* The next step begins a round, from the first pack on. */
int scrub_rewind(struct vault *v);

/* Bytes of all packs that the index knows. */
int scrub_bytes(uint64_t *out, struct vault *v);

#endif
