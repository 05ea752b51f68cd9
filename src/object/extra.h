#ifndef HS_OBJECT_EXTRA_H
#define HS_OBJECT_EXTRA_H

/*
 * Areas of typed items that entries and snapshots may grow by; docs/format.md
 * 7.5.  Version 1 knows no type: items are checked for their form, kept when
 * an entry is written again, and otherwise passed over.
 */

#include "base/bytes.h"

/* The items of one area: its length is a u16. */
#define EXTRA_BYTES_MAX UINT16_MAX

struct extra {
	uint16_t type;
	const uint8_t *value; /* into the area */
	size_t len;
};

/*
 * The next item.  Set `*pos` to 0 before the first call, which checks the
 * whole area: types ascend, none stands twice, nothing is left over.
 * Returns 0; 1 at the end (an area of no bytes has no items); ERR_DAMAGED.
 */
int extra_next(struct extra *out, size_t *pos, const uint8_t *area, size_t len);

#endif
