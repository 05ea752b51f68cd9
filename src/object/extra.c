#include "object/extra.h"

#include "base/err.h"

/* Read one item; 0; ERR_DAMAGED. */
static int
read_one(struct extra *out, struct bytes_reader *r)
{
	struct extra x;

	x.type = bytes_read16(r);
	x.len = bytes_read16(r);
	x.value = bytes_read(r, x.len);
	if (r->failed)
		return err_set(ERR_DAMAGED, "extra items: they end too early");
	*out = x;
	return 0;
}

static int
check(const uint8_t *area, size_t len)
{
	struct bytes_reader r;
	struct extra x, before;
	int rc, first = 1;

	if (len > EXTRA_BYTES_MAX)
		return err_set(ERR_DAMAGED, "extra items: more than %u bytes",
		    (unsigned)EXTRA_BYTES_MAX);
	bytes_reader_init(&r, area, len);
	while (r.left > 0) {
		rc = read_one(&x, &r);
		if (rc < 0)
			return rc;
		if (!first && x.type <= before.type)
			return err_set(ERR_DAMAGED,
			    "extra items: types are not sorted and unique");
		before = x;
		first = 0;
	}
	return 0;
}

int
extra_next(struct extra *out, size_t *pos, const uint8_t *area, size_t len)
{
	struct bytes_reader r;
	int rc;

	if (*pos == 0) {
		rc = check(area, len);
		if (rc < 0)
			return rc;
	}
	if (*pos >= len)
		return 1;
	bytes_reader_init(&r, area + *pos, len - *pos);
	rc = read_one(out, &r);
	if (rc < 0)
		return rc;
	*pos = len - r.left;
	return 0;
}
