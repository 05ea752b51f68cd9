#include "server/scrubber.h"

#include "base/err.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/ticker.h"
#include "server/account.h"
#include "server/vaults.h"
#include "store/scrub.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* How often packs are read. */
#define TICK_MS 60000u
#define MS_PER_DAY UINT64_C(86400000)

/* What may still be read of a vault; below zero, a pack was read early. */
struct credit {
	struct credit *next;
	uint8_t vault[IDENT_BYTES];
	int64_t bytes;
	struct scrub_counts n; /* of this round */
};

struct scrubber {
	const struct account *account;
	struct vaults *vaults;
	unsigned days;
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

/* Read while the credit lasts. */
static int
scrub_vault(struct scrubber *sc, struct credit *c, struct vault *v)
{
	uint64_t total, before;
	int r = scrub_bytes(&total, v);

	if (r < 0 || total == 0)
		return r;
	c->bytes += (int64_t)scrubber_share(total, TICK_MS, sc->days);
	while (c->bytes > 0 && !ticker_is_halted(sc->ticker)) {
		before = c->n.bytes;
		r = scrub_step(&c->n, v, found, c);
		c->bytes -= (int64_t)(c->n.bytes - before);
		if (r == 0) {
			/* The rest of a credit is no debt of the next round. */
			tell_round(c);
			c->bytes = 0;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int
on_vault(void *arg, const uint8_t vault[IDENT_BYTES])
{
	struct scrubber *sc = arg;
	struct credit *c = credit_of(sc, vault);
	struct vault *v;
	int r;

	if (c == NULL || ticker_is_halted(sc->ticker))
		return 0;
	r = vaults_borrow(&v, sc->vaults, vault);
	if (r == 0) {
		r = scrub_vault(sc, c, v);
		vaults_return(sc->vaults, vault);
	}
	if (r < 0)
		log_warn("scrub: %s", err_text());
	/* The others are not concerned. */
	return 0;
}

static void
tick(void *arg, int kicked)
{
	struct scrubber *sc = arg;

	(void)kicked; /* nobody does */
	if (account_vaults(sc->account, on_vault, sc) < 0)
		log_warn("scrub: %s", err_text());
}

int
scrubber_start(struct scrubber **out, const struct account *a,
    struct vaults *vs, unsigned days)
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
