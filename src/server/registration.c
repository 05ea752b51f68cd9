#include "server/registration.h"

#include "base/err.h"
#include "base/log.h"
#include "hash/hash.h"
#include "server/invitation.h"

#include <string.h>

void
registration_init(struct registration *g, struct account *a, int insecure)
{
	g->account = a;
	g->insecure = insecure;
	pool_lock_init(&g->lock);
}

void
registration_release(struct registration *g)
{
	pool_lock_release(&g->lock);
}

static int
register_locked(struct enroll_answer *out, struct registration *g,
    const struct enroll_request *rq, const struct enroll_keys *keys)
{
	struct account_mount m;
	struct header stored;
	int r, created;

	/* Proofs first: who has none learns nothing about vaults. */
	r = enroll_request_check(rq, keys, rq->header.join_public);
	if (r == 0)
		r = account_check(&stored, &created, g->account,
		    rq->mount_public, &rq->header, rq->mode);
	if (r == 0 && keys != NULL)
		r = invitation_use(g->account, keys, rq->mount_public);
	if (r == 0)
		r = account_add(&m, &stored, &created, g->account,
		    rq->mount_public, rq->label, &rq->header, rq->mode);
	if (r < 0)
		return r;
	memset(out, 0, sizeof(*out));
	memcpy(out->mount, m.mount, IDENT_BYTES);
	out->created = created;
	out->header = stored;
	r = enroll_answer_make(out, rq, account_seed(g->account), keys);
	if (r == 0)
		log_info(
		    "registered %s%s", m.label, created ? ", a new vault" : "");
	return r;
}

int
registration_do(struct enroll_answer *out, struct registration *g,
    const struct enroll_request *rq)
{
	struct enroll_keys keys;
	int r = 0;

	if (memcmp(rq->store, account_public(g->account), SIGN_PUBLIC_BYTES) !=
	    0)
		return err_set(ERR_REFUSED, "this is another store");
	if (rq->label[0] == '\0')
		return err_set(ERR_REFUSED, "the label is empty");
	if (!rq->has_invitation && !g->insecure)
		return err_set(ERR_REFUSED, "an invitation is needed");
	pool_lock_enter(&g->lock);
	if (rq->has_invitation)
		r = invitation_find(
		    &keys, g->account, rq->invitation, rq->mount_public);
	if (r == 0)
		r = register_locked(
		    out, g, rq, rq->has_invitation ? &keys : NULL);
	hash_wipe(&keys, sizeof(keys));
	pool_lock_leave(&g->lock);
	return r;
}
