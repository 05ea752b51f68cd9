#ifndef HS_STORE_SEQNAME_H
#define HS_STORE_SEQNAME_H

/*
 * Names of what a vault keeps per snapshot: "FOLDER/MOUNT/SEQ.END", MOUNT 32
 * hexadecimal and SEQ 10 decimal digits; docs/format.md 9.
 */

#include "base/buf.h"
#include "store/backend.h"

#include <stdint.h>

struct seqname_kind {
	const char *folder, *end; /* "snapshots", ".snap" */
};

struct heads_name;

void seqname_path(char out[BACKEND_NAME_MAX], const struct seqname_kind *k,
    const uint8_t mount[16], uint64_t seq);
/*
 * All objects of that kind and of `mount` (NULL: of all), by mount, then by
 * sequence, as an array of struct heads_name that replaces the content of
 * `out`; other names are passed over.  Returns 0; ERR_IO; ERR_NOMEM.
 */
int seqname_list(struct buf *out, struct backend *b,
    const struct seqname_kind *k, const uint8_t mount[16]);

#endif
