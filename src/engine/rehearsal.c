#include "engine/rehearsal.h"

#include "base/err.h"

static struct store *
real(struct store *s)
{
	return ((struct rehearsal *)s)->real;
}

static int
have(struct store *s, uint8_t *bitmap, const uint8_t *ids, uint32_t n)
{
	return real(s)->ops->have(real(s), bitmap, ids, n);
}

static int
have_files(struct store *s, struct store_member *out, const uint8_t *file_ids,
    uint32_t n)
{
	return real(s)->ops->have_files(real(s), out, file_ids, n);
}

static int
put(struct store *s, const uint8_t *records, size_t len)
{
	(void)s;
	(void)records; /* that they go nowhere is the point */
	(void)len;
	return 0;
}

static int
get(struct store *s, const uint8_t *ids, uint32_t n, store_got_fn *got,
    void *arg)
{
	return real(s)->ops->get(real(s), ids, n, got, arg);
}

static int
get_other(struct store *s, const uint8_t id[STORE_ID_BYTES], const uint8_t *bad,
    uint32_t n, store_got_fn *got, void *arg)
{
	return real(s)->ops->get_other(real(s), id, bad, n, got, arg);
}

static int
commit(struct store *s, struct store_receipt *receipt, struct buf *missing,
    const uint8_t *snapshot, size_t len)
{
	(void)s;
	(void)receipt; /* nothing is written on an error */
	(void)missing;
	(void)snapshot;
	(void)len;
	return err_set(ERR_FAIL, "a dry run commits nothing");
}

static int
snapshots(struct store *s, const uint8_t mount[STORE_NAME_BYTES],
    store_snapshot_fn *found, void *arg)
{
	return real(s)->ops->snapshots(real(s), mount, found, arg);
}

static int
tombs(struct store *s, const uint8_t mount[STORE_NAME_BYTES],
    store_snapshot_fn *found, void *arg)
{
	if (real(s)->ops->tombs == NULL)
		return 0; /* it retires nothing */
	return real(s)->ops->tombs(real(s), mount, found, arg);
}

static int
mounts(struct store *s, store_mount_fn *found, void *arg)
{
	return real(s)->ops->mounts(real(s), found, arg);
}

static int
report(struct store *s, const uint8_t id[STORE_ID_BYTES])
{
	return real(s)->ops->report(real(s), id);
}

static void
end(struct store *s)
{
	(void)s; /* the real one is its owner's to close */
}

static const struct store_ops ops = {
    .have = have,
    .have_files = have_files,
    .put = put,
    .get = get,
    .get_other = get_other,
    .commit = commit,
    .snapshots = snapshots,
    .tombs = tombs,
    .mounts = mounts,
    .report = report,
    .settle = NULL,
    .close = end,
};

void
rehearsal_init(struct rehearsal *r, struct store *store)
{
	r->store.ops = &ops;
	r->store.info = store->info;
	r->real = store;
}
