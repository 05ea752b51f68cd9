#ifndef HS_STORE_SALVAGE_H
#define HS_STORE_SALVAGE_H

/*
 * What is still whole in a pack whose frame (header, padding, footer, trailer,
 * length) is damaged: records tell by themselves what they are, and lie end
 * to end behind the header, so they are found without a footer.  Bytes that
 * are no whole record are passed over up to the next one.
 */

#include "base/buf.h"
#include "store/pack.h"

#include <stdint.h>

struct backend;

struct salvage {
	/* As if its footer listed just the whole records, by offset, and each
	 * with a class of its own; no origin. */
	struct pack k;
	/* The file up to LIMIT_PACK_BYTES; zeros where it cannot be read. */
	struct buf whole;
};

#define SALVAGE_INIT \
	{ \
		PACK_INIT, BUF_INIT \
	}

/*
 * Read the pack `name`.  Memory: the size of a pack.
 * Returns 0, perhaps with no record at all; 1: there is nothing wrong with the
 * pack, and `out` is empty; ERR_DAMAGED: it is a sound one of another vault;
 * ERR_NOENT; ERR_*.
 */
int salvage_pack(struct salvage *out, struct backend *b,
    const uint8_t name[HASH_BYTES], const uint8_t vault[PACK_VAULT_BYTES]);
void salvage_release(struct salvage *s);

/* The record of an entry of `s->k`. */
void salvage_record(
    struct record *out, const struct salvage *s, const struct pack_entry *e);

#endif
