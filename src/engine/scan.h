#ifndef HS_ENGINE_SCAN_H
#define HS_ENGINE_SCAN_H

/*
 * The key of a directory without any store or key: the same walk and the same
 * reading as a backup, so both come to the same address.
 */

#include "engine/notes.h"
#include "engine/walk.h"
#include "hash/hash.h"

#include <stdatomic.h>

struct scan_options {
	struct walk_options walk;
	notes_warn *warn; /* may be NULL */
	void *warn_arg;
	struct notes_counts *counts; /* zero at first; what was seen */
	const atomic_int *interrupt; /* may be NULL */
};

struct scan_result {
	uint8_t address[HASH_BYTES]; /* of the directory */
};

/*
 * Returns 0 (also when entries could not be read: see the counts); ERR_NOENT;
 * ERR_INTR; ERR_NOMEM; ERR_IO.
 */
int scan_run(struct scan_result *out, const struct scan_options *o);

#endif
