#include "server/inspect.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/log.h"
#include "server/control.h"
#include "server/dispatch.h"
#include "server/policy.h"
#include "server/vaults.h"
#include "store/vault.h"
#include "store/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * Lines of an answer, their parts separated by tabs (which names and messages
 * do not hold, for they are escaped):
 *
 *     finding WHERE WHAT
 *     progress PACKS BYTES                 so far, of all vaults
 *     account FINDINGS                     of the store's own small files
 *     vault PACKS RECORDS BYTES SNAPSHOTS FINDINGS
 *     failed CODE TEXT                     and nothing more
 *     done                                 and nothing more
 */

#define WHERE_BYTES_MAX 512
#define WHAT_BYTES_MAX 2048
/* How often progress is told: for a line that somebody watches. */
#define PROGRESS_NS 200000000

struct work {
	struct inspect *in;
	struct control_peer *peer;
	int verify; /* else reindex */
	uint64_t account_findings;
	char hex[2 * IDENT_BYTES + 1]; /* the vault under way */
	uint64_t packs, bytes; /* read so far */
	int64_t told_ns; /* when that was said */
};

static void
say_finding(void *arg, const char *where, const char *what)
{
	char place[WHERE_BYTES_MAX], text[WHAT_BYTES_MAX];
	struct work *w = arg;

	control_say(w->peer, "finding\tvaults/%s/%s\t%s", w->hex,
	    log_escape(place, sizeof(place), where, strlen(where)),
	    log_escape(text, sizeof(text), what, strlen(what)));
}

static void
say_progress(void *arg, uint64_t bytes)
{
	struct work *w = arg;
	int64_t now = clock_mono_ns();

	w->packs++;
	w->bytes += bytes;
	if (now - w->told_ns < PROGRESS_NS)
		return;
	w->told_ns = now;
	control_say(
	    w->peer, "progress\t%" PRIu64 "\t%" PRIu64, w->packs, w->bytes);
}

/* Of the store's own files: what is not in a vault's packs. */
static void
say_account(void *arg, const char *where, const char *what)
{
	struct work *w = arg;

	w->account_findings++;
	control_say(w->peer, "finding\t%s\t%s", where, what);
}

static int
check_account(struct work *w)
{
	int r = account_audit(w->in->dispatch->account, say_account, w);

	if (r == 0)
		r = policy_audit(
		    account_dir(w->in->dispatch->account), say_account, w);
	if (r == 0)
		control_say(w->peer, "account\t%" PRIu64, w->account_findings);
	return r;
}

static int
find_key(void *arg, uint8_t public_key[32], const uint8_t mount[16])
{
	const struct work *w = arg;
	struct account_mount m;
	int r = account_mount(&m, w->in->dispatch->account, mount);

	if (r == 0)
		memcpy(public_key, m.public_key, sizeof(m.public_key));
	return r;
}

/* With the vault for us alone. */
static int
work_on(struct work *w, struct vault *vault)
{
	struct verify_options o;
	struct verify_counts n;
	int r;

	memset(&n, 0, sizeof(n));
	if (w->verify) {
		memset(&o, 0, sizeof(o));
		o.vault = vault;
		o.found = say_finding;
		o.key = find_key;
		o.store_public = account_public(w->in->dispatch->account);
		o.progress = say_progress;
		o.arg = w;
		o.mark = 1;
		r = verify_vault(&n, &o);
	} else {
		r = vault_reindex(vault);
	}
	if (r == 0)
		control_say(w->peer,
		    "vault\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64
		    "\t%" PRIu64,
		    n.packs, n.records, n.bytes, n.snapshots, n.findings);
	return r;
}

static int
on_vault(void *arg, const uint8_t vault[IDENT_BYTES])
{
	struct work *w = arg;
	struct vault *v;
	int r;

	hex_encode(w->hex, vault, IDENT_BYTES);
	r = vaults_borrow(&v, w->in->vaults, vault);
	if (r == 0) {
		r = dispatch_close_vault(w->in->dispatch, vault);
		if (r == 0) {
			r = work_on(w, v);
			dispatch_open_vault(w->in->dispatch);
		}
		vaults_return(w->in->vaults, vault);
	}
	return r == 0 ? 0 : err_prefix(r, "vault %s", w->hex);
}

int
inspect_command(void *arg, struct control_peer *peer, const char *command)
{
	struct work w = {.in = arg, .peer = peer};
	int r;

	if (strcmp(command, "sessions") == 0) {
		control_say(peer, "sessions %u",
		    sessions_count(w.in->dispatch->sessions, NULL));
		return 0;
	}
	w.verify = strcmp(command, "verify") == 0;
	if (!w.verify && strcmp(command, "reindex") != 0)
		return 1;
	log_info("%s begins", command);
	r = w.verify ? check_account(&w) : 0;
	if (r == 0)
		r = account_vaults(w.in->dispatch->account, on_vault, &w);
	if (r < 0) {
		log_warn("%s: %s", command, err_text());
	} else {
		log_info("%s has ended", command);
	}
	control_say_end(peer, r);
	return 0;
}

struct answer {
	struct inspect_counts counts;
	inspect_found_fn *found;
	inspect_progress_fn *progress;
	void *arg;
	int done;
};

/* Split at the first tab; returns the second part, empty without one. */
static char *
split(char *text)
{
	char *tab = strchr(text, '\t');

	if (tab == NULL)
		return text + strlen(text);
	*tab = '\0';
	return tab + 1;
}

static int
on_line(void *arg, const char *line)
{
	char text[WHERE_BYTES_MAX + WHAT_BYTES_MAX + 64], *rest, *what;
	uint64_t packs, records, bytes, snapshots, findings;
	struct answer *a = arg;
	int end = control_read_end(line);

	a->done |= end == 0;
	if (end <= 0)
		return end;
	(void)snprintf(text, sizeof(text), "%s", line); /* cut is malformed */
	rest = split(text);
	if (strcmp(text, "finding") == 0 && a->found != NULL) {
		what = split(rest);
		a->found(a->arg, rest, what);
	} else if (strcmp(text, "progress") == 0 &&
		   sscanf(rest, "%" SCNu64 "\t%" SCNu64, &packs, &bytes) == 2) {
		if (a->progress != NULL)
			a->progress(a->arg, packs, bytes);
	} else if (strcmp(text, "account") == 0 &&
		   sscanf(rest, "%" SCNu64, &findings) == 1) {
		a->counts.findings += findings;
	} else if (strcmp(text, "vault") == 0 &&
		   sscanf(rest,
		       "%" SCNu64 "\t%" SCNu64 "\t%" SCNu64 "\t%" SCNu64
		       "\t%" SCNu64,
		       &packs, &records, &bytes, &snapshots, &findings) == 5) {
		a->counts.vaults++;
		a->counts.packs += packs;
		a->counts.records += records;
		a->counts.bytes += bytes;
		a->counts.snapshots += snapshots;
		a->counts.findings += findings;
	} else {
		return err_set(
		    ERR_UNREACHABLE, "the server's answer is malformed");
	}
	return 0;
}

int
inspect_ask(struct inspect_counts *out, const char *dir, const char *command,
    inspect_found_fn *found, inspect_progress_fn *progress, void *arg)
{
	struct answer a = {.found = found, .progress = progress, .arg = arg};
	int r = control_lines(dir, command, 0, on_line, &a);

	if (r == 0 && !a.done)
		r = err_set(ERR_UNREACHABLE, "the server ended meanwhile");
	if (r == 0)
		*out = a.counts;
	return r;
}
