#include "server/census.h"

#include "base/err.h"
#include "store/backend.h"
#include "store/envelope.h"
#include "store/heads.h"
#include "store/retire.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

struct count {
	struct census c;
	const struct account *account;
	vaults_backend_fn *open_backend;
};

static int
add_mount(void *arg, const struct account_mount *m)
{
	struct census *c = arg;
	struct census_mount *more;

	more = realloc(c->mounts, (c->nmounts + 1) * sizeof(*more));
	if (more == NULL)
		return err_nomem((c->nmounts + 1) * sizeof(*more));
	c->mounts = more;
	memset(&more[c->nmounts], 0, sizeof(*more));
	more[c->nmounts].mount = *m;
	c->nmounts++;
	return 0;
}

static struct census_mount *
find_mount(const struct census *c, const uint8_t mount[IDENT_BYTES])
{
	size_t i;

	for (i = 0; i < c->nmounts; i++)
		if (memcmp(c->mounts[i].mount.mount, mount, IDENT_BYTES) == 0)
			return &c->mounts[i];
	return NULL;
}

/* The mount of a snapshot, also of one whose own file is lost. */
static int
need_mount(struct census_mount **out, struct census *c,
    const uint8_t vault[IDENT_BYTES], const uint8_t mount[IDENT_BYTES])
{
	struct account_mount lost;
	int r = 0;

	if (find_mount(c, mount) == NULL) {
		memset(&lost, 0, sizeof(lost));
		memcpy(lost.mount, mount, IDENT_BYTES);
		memcpy(lost.vault, vault, IDENT_BYTES);
		r = add_mount(c, &lost);
	}
	if (r == 0)
		*out = find_mount(c, mount);
	return r;
}

static int
count_pack(void *arg, const char *name, uint64_t size)
{
	struct census *c = arg;

	(void)name; /* verify says what is none */
	c->packs++;
	c->pack_bytes += size;
	return 0;
}

static int
count_snapshot(struct count *k, struct backend *b,
    const uint8_t vault[IDENT_BYTES], const struct heads_name *name,
    int retired)
{
	struct buf file = BUF_INIT;
	struct census_mount *m;
	struct envelope e;
	int r = need_mount(&m, &k->c, vault, name->mount);

	if (r != 0)
		return r;
	k->c.snapshot_bytes += name->size;
	if (retired) {
		m->retired++;
		k->c.retired++;
		return 0;
	}
	m->snapshots++;
	k->c.snapshots++;
	r = heads_read(&file, b, name);
	if (r == 0)
		r = envelope_decode_file(&e, file.data, file.len);
	if (r == ERR_DAMAGED) {
		m->damaged++;
		k->c.damaged++;
		r = 0;
	} else if (r == 0) {
		m->bytes += e.bytes;
		k->c.bytes += e.bytes;
		/* They come by their sequence. */
		m->last_seq = e.server_seq;
		m->last_ns = e.receive_ns;
		m->last_files = e.files;
		m->last_bytes = e.bytes;
	}
	buf_release(&file);
	return r;
}

static int
count_snapshots(
    struct count *k, struct backend *b, const uint8_t vault[IDENT_BYTES])
{
	struct buf list = BUF_INIT, tombs = BUF_INIT;
	const struct heads_name *names, *t;
	int r = heads_list(&list, b, NULL), order;
	size_t i, at = 0, n = r == 0 ? list.len / sizeof(*names) : 0, nt;

	if (r == 0)
		r = retire_list(&tombs, b, NULL);
	names = (const struct heads_name *)(const void *)list.data;
	t = (const struct heads_name *)(const void *)tombs.data;
	nt = tombs.len / sizeof(*t);
	for (i = 0; i < n && r == 0; i++) {
		order = 1;
		while (
		    at < nt && (order = heads_compare(&t[at], &names[i])) < 0)
			at++;
		r = count_snapshot(
		    k, b, vault, &names[i], at < nt && order == 0);
	}
	buf_release(&tombs);
	buf_release(&list);
	return r;
}

static int
count_vault(void *arg, const uint8_t vault[IDENT_BYTES])
{
	char *dir = NULL, *incoming = NULL;
	struct backend *b = NULL;
	struct count *k = arg;
	int r = ERR_NOMEM;

	dir = account_vault_dir(k->account, vault);
	incoming = account_incoming_dir(k->account);
	if (dir == NULL || incoming == NULL)
		goto out;
	r = k->open_backend(&b, dir, incoming);
	if (r < 0)
		goto out;
	k->c.vaults++;
	k->c.write_path = b->ops->write_path(b);
	r = b->ops->list(b, "packs", count_pack, &k->c);
	if (r == 0)
		r = count_snapshots(k, b, vault);
	b->ops->close(b);
out:
	free(dir);
	free(incoming);
	return r;
}

static int
compare(const void *a, const void *b)
{
	const struct account_mount *x =
	    &((const struct census_mount *)a)->mount;
	const struct account_mount *y =
	    &((const struct census_mount *)b)->mount;
	int r = strcmp(x->label, y->label);

	return r != 0 ? r : memcmp(x->mount, y->mount, IDENT_BYTES);
}

int
census_take(struct census *out, const struct account *a,
    vaults_backend_fn *open_backend)
{
	struct count k = {.account = a, .open_backend = open_backend};
	struct statvfs fs;
	int r;

	if (statvfs(account_dir(a), &fs) != 0)
		return err_errno(ERR_IO, "%s", account_dir(a));
	k.c.free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	r = account_mounts(a, NULL, add_mount, &k.c);
	if (r == 0)
		r = account_vaults(a, count_vault, &k);
	if (r < 0) {
		census_release(&k.c);
		return r;
	}
	if (k.c.nmounts > 0)
		qsort(k.c.mounts, k.c.nmounts, sizeof(*k.c.mounts), compare);
	*out = k.c;
	return 0;
}

void
census_release(struct census *c)
{
	free(c->mounts);
	memset(c, 0, sizeof(*c));
}
