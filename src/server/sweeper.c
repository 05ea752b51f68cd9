#include "server/sweeper.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/ticker.h"
#include "server/account.h"
#include "server/control.h"
#include "server/vaults.h"
#include "store/backend.h"
#include "store/vault.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often a sweep that waits asks whether the sessions have ended. */
#define POLL_MS 2000u
#define NS_PER_S INT64_C(1000000000)
/*
 * What copies may take: enough for sixteen full packs where there is room.
 * On a disk that is nearly full only as much as the packs that are made then
 * (two, and the index) are sure to find.
 */
#define COPY_BYTES_MAX (UINT64_C(1) << 30)
#define COPY_BYTES_MIN (UINT64_C(128) << 20)

/* A sweep that waits for sessions. */
struct waiting {
	struct waiting *next;
	uint8_t vault[IDENT_BYTES];
	struct sweep *sweep;
};

struct sweeper {
	const struct account *account;
	struct vaults *vaults;
	struct ticker *ticker;
	int64_t due_ns; /* when all is swept next; the ticker's */
	struct pool_lock working; /* one run at a time */
	struct waiting *first; /* under `working` */
};

void
sweeper_add(struct sweeper_counts *sum, const struct sweep_counts *n)
{
	sum->vaults++;
	sum->n.snapshots += n->snapshots;
	sum->n.bytes += n->bytes;
	sum->n.dead += n->dead;
	sum->n.dead_packs += n->dead_packs;
	sum->n.dead_bytes += n->dead_bytes;
	sum->n.freed_packs += n->freed_packs;
	sum->n.freed_bytes += n->freed_bytes;
	sum->n.copied_packs += n->copied_packs;
	sum->n.copied_bytes += n->copied_bytes;
	sum->n.sessions += n->sessions;
	sum->n.waiting_packs += n->waiting_packs;
	sum->n.waiting_bytes += n->waiting_bytes;
}

uint64_t
sweeper_copy_bytes(uint64_t free_bytes)
{
	uint64_t most = free_bytes / 4;

	if (most > COPY_BYTES_MAX)
		most = COPY_BYTES_MAX;
	return most < COPY_BYTES_MIN ? 0 : most;
}

/* Steps until it is done, waits, fails, or the server ends. */
static int
run_steps(struct sweeper *sw, struct sweep *s)
{
	int r;

	do
		r = ticker_is_halted(sw->ticker) ? SWEEP_WAITS : sweep_step(s);
	while (r == SWEEP_MORE);
	return r;
}

static struct waiting **
find_waiting(struct sweeper *sw, const uint8_t vault[IDENT_BYTES])
{
	struct waiting **at = &sw->first;

	while (*at != NULL && memcmp((*at)->vault, vault, IDENT_BYTES) != 0)
		at = &(*at)->next;
	return at;
}

static void
tell(const uint8_t vault[IDENT_BYTES], int r, const struct sweep_counts *n)
{
	char hex[2 * IDENT_BYTES + 1];

	hex_encode(hex, vault, IDENT_BYTES);
	if (r < 0)
		log_warn("vault %s: sweep: %s", hex, err_text());
	else if (r == 0 && (n->freed_packs > 0 || n->copied_packs > 0))
		log_info("vault %s: sweep freed %" PRIu64 " packs, %" PRIu64
			 " bytes, and wrote %" PRIu64 " packs anew",
		    hex, n->freed_packs, n->freed_bytes, n->copied_packs);
}

/* Go on with the sweep at `*at`.  Returns 0: it is over; SWEEP_WAITS; ERR_*. */
static int
go_on(struct sweep_counts *n, struct sweeper *sw, struct waiting **at)
{
	struct waiting *w = *at;
	struct vault *v;
	int r = vaults_borrow(&v, sw->vaults, w->vault);

	if (r == 0) {
		r = run_steps(sw, w->sweep);
		vaults_return(sw->vaults, w->vault);
	}
	sweep_counts(n, w->sweep);
	if (r != SWEEP_WAITS) {
		tell(w->vault, r, n);
		*at = w->next;
		sweep_free(w->sweep);
		free(w);
	}
	return r;
}

static int
begin(struct sweep **out, struct vault *v, unsigned flags)
{
	struct sweep_options o = {.vault = v};
	uint64_t left;
	int r = v->backend->ops->space(&left, v->backend);

	if (r < 0)
		return r;
	o.dry_run = (flags & SWEEPER_DRY_RUN) != 0;
	o.give_up_lost = (flags & SWEEPER_GIVE_UP_LOST) != 0;
	o.copy_bytes_max = sweeper_copy_bytes(left);
	return sweep_new(out, &o);
}

/* A new sweep of one vault, to its end or until it waits. */
static int
sweep_vault(struct sweep_counts *n, struct sweeper *sw,
    const uint8_t vault[IDENT_BYTES], unsigned flags)
{
	struct waiting *w = calloc(1, sizeof(*w));
	struct vault *v;
	int r;

	if (w == NULL)
		return err_nomem(sizeof(*w));
	r = vaults_borrow(&v, sw->vaults, vault);
	if (r < 0) {
		free(w);
		return r;
	}
	memcpy(w->vault, vault, IDENT_BYTES);
	r = begin(&w->sweep, v, flags);
	if (r == 0)
		r = run_steps(sw, w->sweep);
	vaults_return(sw->vaults, vault);
	if (w->sweep != NULL)
		sweep_counts(n, w->sweep);
	if (r == SWEEP_WAITS) {
		w->next = sw->first;
		sw->first = w;
		return r;
	}
	tell(vault, r, n);
	sweep_free(w->sweep);
	free(w);
	return r;
}

struct request {
	struct sweeper *sw;
	struct control_peer *peer; /* NULL: nobody asked */
	unsigned flags;
};

/* What a line `swept` tells, in its order. */
#define SWEPT_FIELDS 12
static void
list_fields(uint64_t *out[SWEPT_FIELDS], struct sweep_counts *n)
{
	uint64_t *fields[SWEPT_FIELDS] = {&n->snapshots, &n->bytes, &n->dead,
	    &n->dead_packs, &n->dead_bytes, &n->freed_packs, &n->freed_bytes,
	    &n->copied_packs, &n->copied_bytes, &n->sessions, &n->waiting_packs,
	    &n->waiting_bytes};

	memcpy(out, fields, sizeof(fields));
}

static void
say_swept(struct control_peer *peer, struct sweep_counts *n)
{
	uint64_t *fields[SWEPT_FIELDS];
	char line[SWEPT_FIELDS * 24];
	size_t i, len = 0;

	list_fields(fields, n);
	for (i = 0; i < SWEPT_FIELDS; i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len,
		    "\t%" PRIu64, *fields[i]); /* 21 bytes at most */
	control_say(peer, "swept%s", line);
}

static int
on_vault(void *arg, const uint8_t vault[IDENT_BYTES])
{
	struct request *q = arg;
	struct sweep_counts n;
	struct waiting **at = find_waiting(q->sw, vault);
	int r = 0;

	memset(&n, 0, sizeof(n));
	/* A new one would wait for the same sessions. */
	if (*at != NULL && (q->flags & SWEEPER_DRY_RUN) == 0)
		r = go_on(&n, q->sw, at);
	else
		r = sweep_vault(&n, q->sw, vault, q->flags);
	if (r < 0) {
		char hex[2 * IDENT_BYTES + 1];

		hex_encode(hex, vault, IDENT_BYTES);
		return err_prefix(r, "vault %s", hex);
	}
	if (q->peer != NULL)
		say_swept(q->peer, &n);
	return 0;
}

/* Of those that nobody asked for, one that fails does not end the others. */
static int
on_vault_alone(void *arg, const uint8_t vault[IDENT_BYTES])
{
	(void)on_vault(arg, vault); /* it was told */
	return 0;
}

static void
sweep_all(struct sweeper *sw)
{
	struct request q = {.sw = sw};

	pool_lock_enter(&sw->working);
	if (account_vaults(sw->account, on_vault_alone, &q) < 0)
		log_warn("sweep: %s", err_text());
	pool_lock_leave(&sw->working);
}

static void
poll_waiting(struct sweeper *sw)
{
	struct waiting **at;
	struct sweep_counts n;

	pool_lock_enter(&sw->working);
	at = &sw->first;
	while (*at != NULL && !ticker_is_halted(sw->ticker)) {
		if (go_on(&n, sw, at) == SWEEP_WAITS)
			at = &(*at)->next;
	}
	pool_lock_leave(&sw->working);
}

static void
look(void *arg, int kicked)
{
	struct sweeper *sw = arg;

	poll_waiting(sw);
	if (!kicked && clock_mono_ns() < sw->due_ns)
		return;
	sweep_all(sw);
	sw->due_ns = clock_mono_ns() + SWEEPER_PERIOD_S * NS_PER_S;
}

int
sweeper_start(struct sweeper **out, const struct account *a, struct vaults *vs)
{
	struct sweeper *sw = calloc(1, sizeof(*sw));
	int r;

	if (sw == NULL)
		return err_nomem(sizeof(*sw));
	sw->account = a;
	sw->vaults = vs;
	sw->due_ns = clock_mono_ns() + SWEEPER_FIRST_S * NS_PER_S;
	pool_lock_init(&sw->working);
	r = ticker_start(&sw->ticker, look, sw, POLL_MS);
	if (r < 0) {
		sweeper_stop(sw);
		return r;
	}
	*out = sw;
	return 0;
}

void
sweeper_kick(struct sweeper *sw)
{
	ticker_kick(sw->ticker);
}

void
sweeper_halt(struct sweeper *sw)
{
	if (sw != NULL)
		ticker_halt(sw->ticker);
}

void
sweeper_stop(struct sweeper *sw)
{
	struct waiting *w;

	if (sw == NULL)
		return;
	ticker_stop(sw->ticker);
	while ((w = sw->first) != NULL) {
		sw->first = w->next;
		sweep_free(w->sweep);
		free(w);
	}
	pool_lock_release(&sw->working);
	free(sw);
}

int
sweeper_command(void *arg, struct control_peer *peer, const char *command)
{
	struct request q = {.sw = arg, .peer = peer};
	int r;

	if (sscanf(command, "sweep %u", &q.flags) != 1)
		return 1;
	pool_lock_enter(&q.sw->working);
	r = account_vaults(q.sw->account, on_vault, &q);
	pool_lock_leave(&q.sw->working);
	control_say_end(peer, r);
	return 0;
}

struct answer {
	struct sweeper_counts counts;
	int done;
};

static int
on_line(void *arg, const char *line)
{
	uint64_t *fields[SWEPT_FIELDS];
	struct sweep_counts n;
	struct answer *a = arg;
	const char *at = line + 5;
	char *end;
	size_t i;
	int last = control_read_end(line);

	a->done |= last == 0;
	if (last <= 0)
		return last;
	list_fields(fields, &n);
	for (i = 0; i < SWEPT_FIELDS; i++) {
		if (strncmp(line, "swept", 5) != 0 || *at != '\t')
			return err_set(ERR_UNREACHABLE,
			    "the server's answer is malformed");
		*fields[i] = strtoull(at + 1, &end, 10);
		at = end;
	}
	sweeper_add(&a->counts, &n);
	return 0;
}

int
sweeper_ask(struct sweeper_counts *out, const char *dir, unsigned flags)
{
	struct answer a;
	char command[32];
	int r;

	memset(&a, 0, sizeof(a));
	(void)snprintf(command, sizeof(command), "sweep %u", flags); /* fits */
	r = control_lines(dir, command, 0, on_line, &a);
	if (r == 0 && !a.done)
		r = err_set(ERR_UNREACHABLE, "the server ended meanwhile");
	if (r == 0)
		*out = a.counts;
	return r;
}
