#include "store/members.h"

#include "base/err.h"
#include "store/admit.h"
#include "store/index.h"

#include <stdlib.h>
#include <string.h>

/* What is known of a bundle in one transaction; else its number. */
#define UNKNOWN INDEX_NUM_NONE
#define NOT_OURS (INDEX_NUM_NONE - 1)

struct row {
	const uint8_t *id;
	uint32_t item;
	uint32_t member;
};

static int
compare_rows(const void *a, const void *b)
{
	return memcmp(((const struct row *)a)->id, ((const struct row *)b)->id,
	    INDEX_ID_BYTES);
}

/* The number of the bundle, if the index names this record of it. */
static int
find_bundle(uint32_t *num, struct index_txn *t, const struct index_pack *p,
    const struct admit_item *it)
{
	struct index_object o;
	int ret = index_find(&o, t, it->id);

	if (ret < 0)
		return ret;
	*num = NOT_OURS;
	if (ret == 0 && o.state == INDEX_CLOSED && o.pack == p->number &&
	    o.offset == it->offset)
		*num = o.num;
	return 0;
}

static int
add_rows(struct index_txn *t, struct index_pack *p,
    const struct admit_item *items, uint32_t n, const struct row *rows,
    size_t nrows)
{
	uint32_t *nums = malloc(n * sizeof(*nums)), *num;
	const struct row *r;
	int ret = 1;

	if (nums == NULL)
		return err_nomem(n * sizeof(*nums));
	for (r = rows; r < rows + nrows; r++) {
		/* What was known does not hold in another transaction. */
		if (ret == 1)
			memset(nums, 0xff, n * sizeof(*nums));
		num = nums + r->item;
		ret = *num == UNKNOWN ? find_bundle(num, t, p, items + r->item)
				      : 0;
		if (ret == 0 && *num != NOT_OURS)
			ret = index_add_file(t, r->id, *num, r->member);
		if (ret == 0)
			ret = index_step_pack(t, p);
		if (ret < 0)
			break;
	}
	free(nums);
	return ret < 0 ? ret : 0;
}

int
members_add(struct index_txn *t, struct index_pack *p,
    const struct admit_item *items, uint32_t n, const uint8_t *ids)
{
	const struct admit_item *it;
	struct row *rows, *r;
	size_t nrows = 0;
	uint32_t i;
	int ret;

	for (it = items; it < items + n; it++)
		nrows += it->damaged ? 0 : it->nmembers;
	if (nrows == 0)
		return 0;
	rows = malloc(nrows * sizeof(*rows));
	if (rows == NULL)
		return err_nomem(nrows * sizeof(*rows));
	r = rows;
	for (it = items; it < items + n; it++) {
		for (i = 0; i < it->nmembers && !it->damaged; i++, r++) {
			r->id = ids + ((size_t)it->ids_at + it->nrefs + i) *
					  INDEX_ID_BYTES;
			r->item = (uint32_t)(it - items);
			r->member = i;
		}
	}
	/* In the table's order each of its pages is changed once, not in every
	 * transaction: this is most of the time that it takes. */
	qsort(rows, nrows, sizeof(*rows), compare_rows);
	ret = add_rows(t, p, items, n, rows, nrows);
	free(rows);
	return ret;
}
