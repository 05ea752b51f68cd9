#include "server/scrubber.h"

#include "base/err.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/ticker.h"
#include "server/account.h"
#include "server/vaults.h"
#include "store/envelope.h"
#include "store/heads.h"
#include "store/retire.h"
#include "store/scrub.h"
#include "store/vault.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often packs are read. */
#define TICK_MS 60000u
#define MS_PER_DAY UINT64_C(86400000)
/* In a hurry, others get the vault after so many bytes. */
#define HURRY_BYTES ((int64_t)1 << 28)

/* What may still be read of a vault; below zero, a pack was read early. */
struct credit {
	struct credit *next;
	uint8_t vault[IDENT_BYTES];
	int64_t bytes;
	int hurry; /* the first round, of which everything is read at once */
	struct scrub_counts n; /* of this round */
};

struct scrubber {
	const struct account *account;
	struct vaults *vaults;
	unsigned days;
	int now; /* the ticker's: this is the first pass, in a hurry */
	struct ticker *ticker;
	struct credit *first; /* the ticker's */
};

uint64_t
scrubber_share(uint64_t total, unsigned ms, unsigned days)
{
	uint64_t span = days * MS_PER_DAY;

	/* A tick has more than 2^15 ms, so nothing overflows below 2^48. */
	return total / span * ms + total % span * ms / span;
}

static struct credit *
credit_of(struct scrubber *sc, const uint8_t vault[IDENT_BYTES])
{
	struct credit *c;

	for (c = sc->first; c != NULL; c = c->next) {
		if (memcmp(c->vault, vault, IDENT_BYTES) == 0)
			return c;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	memcpy(c->vault, vault, IDENT_BYTES);
	c->hurry = sc->now;
	c->next = sc->first;
	sc->first = c;
	return c;
}

static void
found(void *arg, const char *where, const char *what)
{
	const struct credit *c = arg;
	char hex[2 * IDENT_BYTES + 1];

	hex_encode(hex, c->vault, IDENT_BYTES);
	log_warn("scrub: vaults/%s/%s: %s", hex, where, what);
}

static void
tell_round(struct credit *c)
{
	char hex[2 * IDENT_BYTES + 1];

	hex_encode(hex, c->vault, IDENT_BYTES);
	log_info("scrub: vault %s is read through: %" PRIu64 " packs, %" PRIu64
		 " findings",
	    hex, c->n.packs, c->n.findings);
	memset(&c->n, 0, sizeof(c->n));
}

/* What the snapshots of one directory after the other lack. */
struct lack {
	struct scrubber *sc;
	struct credit *c;
	struct vault *v;
	int files; /* say which snapshots' files are damaged, too */
	uint8_t mount[IDENT_BYTES];
	unsigned snapshots; /* of this mount, that lack something */
	uint64_t last; /* the newest of them */
};

static void
tell_mount(struct lack *l)
{
	char hex[2 * IDENT_BYTES + 1];
	struct account_mount m;

	if (l->snapshots == 0)
		return;
	hex_encode(hex, l->mount, IDENT_BYTES);
	if (account_mount(&m, l->sc->account, l->mount) != 0)
		(void)snprintf(m.label, sizeof(m.label), "a directory");
	log_warn("scrub: %s (%s): %u snapshot%s, up to @%" PRIu64
		 ", lack%s something; back it up, and what it still has "
		 "is sent again",
	    m.label, hex, l->snapshots, l->snapshots == 1 ? "" : "s", l->last,
	    l->snapshots == 1 ? "s" : "");
	l->snapshots = 0;
}

/* Nonzero unless all that the snapshot needs is in `have`; ERR_*. */
static int
lacks(struct vault *v, const struct envelope *e)
{
	uint8_t have[LIMIT_REFS / 8] = {0};
	uint32_t i;
	int r = vault_have(v, have, e->refs, e->nrefs);

	for (i = 0; r == 0 && i < e->nrefs; i++)
		r = !(have[i / 8] >> i % 8 & 1);
	return r;
}

static int
on_root(void *arg, const struct retire_root *root)
{
	struct lack *l = arg;
	char path[HEADS_PATH_BYTES];
	int r = root->damaged ? 1 : lacks(l->v, root->e);

	if (memcmp(l->mount, root->mount, IDENT_BYTES) != 0)
		tell_mount(l);
	memcpy(l->mount, root->mount, IDENT_BYTES);
	if (root->damaged && l->files) {
		heads_path(path, root->mount, root->seq);
		found(l->c, path, "is damaged");
		l->c->n.findings++;
	}
	if (r < 0)
		return r;
	l->snapshots += (unsigned)r;
	if (r > 0)
		l->last = root->seq;
	return ticker_is_halted(l->sc->ticker) ? 1 : 0;
}

/* Whom it concerns; at the end of a round also whose files are damaged. */
static int
look_at_snapshots(
    struct scrubber *sc, struct credit *c, struct vault *v, int files)
{
	struct lack l = {.sc = sc, .c = c, .v = v, .files = files};
	int r = vault_complete(v);

	if (r == 0)
		r = retire_roots(v, NULL, on_root, &l);
	if (r == 0)
		tell_mount(&l);
	return r < 0 ? r : 0;
}

static int
end_round(struct scrubber *sc, struct credit *c, struct vault *v)
{
	int r = look_at_snapshots(sc, c, v, 1);

	tell_round(c);
	/* The rest of a credit is no debt of the next round. */
	c->bytes = 0;
	c->hurry = 0;
	return r;
}

/* Read while the credit lasts. */
static int
scrub_vault(struct scrubber *sc, struct credit *c, struct vault *v)
{
	uint64_t total, before, findings = c->n.findings;
	int r = scrub_bytes(&total, v);

	if (r < 0 || total == 0) {
		c->hurry = 0;
		return r;
	}
	if (c->hurry && c->n.packs == 0)
		r = scrub_rewind(v);
	c->bytes = c->hurry ? HURRY_BYTES
			    : c->bytes + (int64_t)scrubber_share(
					     total, TICK_MS, sc->days);
	while (r >= 0 && c->bytes > 0 && !ticker_is_halted(sc->ticker)) {
		before = c->n.bytes;
		r = scrub_step(&c->n, v, found, c);
		c->bytes -= (int64_t)(c->n.bytes - before);
		if (r == 0) {
			r = end_round(sc, c, v);
			findings = 0;
		}
	}
	if (r >= 0 && c->n.findings > findings)
		r = look_at_snapshots(sc, c, v, 0);
	return r < 0 ? r : 0;
}

static int
on_vault(void *arg, const uint8_t vault[IDENT_BYTES])
{
	struct scrubber *sc = arg;
	struct credit *c = credit_of(sc, vault);
	struct vault *v;
	int r;

	if (c == NULL)
		return 0;
	do {
		if (ticker_is_halted(sc->ticker))
			return 0;
		r = vaults_borrow(&v, sc->vaults, vault);
		if (r == 0) {
			r = scrub_vault(sc, c, v);
			vaults_return(sc->vaults, vault);
		}
	} while (r == 0 && c->hurry);
	if (r < 0)
		log_warn("scrub: %s", err_text());
	/* The others are not concerned. */
	return 0;
}

static void
tick(void *arg, int kicked)
{
	struct scrubber *sc = arg;

	/* The kick of scrubber_start(). */
	sc->now = kicked;
	if (!kicked && sc->days == 0)
		return;
	if (account_vaults(sc->account, on_vault, sc) < 0)
		log_warn("scrub: %s", err_text());
}

int
scrubber_start(struct scrubber **out, const struct account *a,
    struct vaults *vs, unsigned days, int now)
{
	struct scrubber *sc = calloc(1, sizeof(*sc));
	int r;

	if (sc == NULL)
		return err_nomem(sizeof(*sc));
	sc->account = a;
	sc->vaults = vs;
	sc->days = days;
	r = ticker_start(&sc->ticker, tick, sc, TICK_MS);
	if (r < 0) {
		scrubber_stop(sc);
		return r;
	}
	if (now)
		ticker_kick(sc->ticker);
	*out = sc;
	return 0;
}

void
scrubber_stop(struct scrubber *sc)
{
	struct credit *c;

	if (sc == NULL)
		return;
	ticker_stop(sc->ticker);
	while ((c = sc->first) != NULL) {
		sc->first = c->next;
		free(c);
	}
	free(sc);
}
