#ifndef HS_STORE_VERIFY_H
#define HS_STORE_VERIFY_H

/*
 * Checks all of a vault without keys: every byte of every pack (name, header,
 * footer, padding, each record's checksum), that index and packs agree both
 * ways, that everything closed refers to closed objects only, and of every
 * snapshot the checksum, the signature, the mount's chain and that all it
 * reaches is there; of tombstones the checksum and the signature.  A snapshot
 * that is gone by its tombstone is missed by nobody.
 *
 * Packs are read whole, one per processor at a time (VERIFY_THREADS_MAX), so
 * memory is a pack each.
 */

#include <stdint.h>

#define VERIFY_THREADS_MAX 4

struct vault;

/* `where` names the object of the backend, or "index". */
typedef void verify_found_fn(void *arg, const char *where, const char *what);
/* The public key of a mount: 0; 1 when it is unknown. */
typedef int verify_key_fn(
    void *arg, uint8_t public_key[32], const uint8_t mount[16]);

struct verify_options {
	struct vault *vault;
	verify_found_fn *found; /* from any thread, one at a time */
	verify_key_fn *key; /* NULL: signatures are not checked */
	const uint8_t *store_public; /* the same, of tombstones */
	/* So many bytes of packs were read since it was called the last time;
	 * from any thread, one at a time.  NULL: nobody wants to know. */
	void (*progress)(void *arg, uint64_t bytes);
	void *arg; /* of all three */
	/* Mark damaged records, and have the index forget what lay in packs
	 * that are gone, so that the next backup heals both; copy what is
	 * whole of packs whose frame is damaged (store/mend.h); and give the
	 * index back what it may lack after a loss. */
	int mark;
};

struct verify_counts {
	uint64_t packs, records, bytes; /* bytes of packs and snapshots */
	uint64_t snapshots;
	uint64_t findings;
};

/*
 * No session is open and none is opened meanwhile.  Returns 0 when the check
 * got through, with or without findings; ERR_* when it could not.
 */
int verify_vault(struct verify_counts *out, const struct verify_options *o);

#endif
