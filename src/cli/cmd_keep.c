/* shash keep: say which snapshots of a store are to be kept. */

#include "base/err.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/jsonl.h"
#include "cli/mode.h"
#include "cli/storemount.h"
#include "server/account.h"
#include "server/policy.h"

#include <stdio.h>
#include <string.h>

#define SECONDS_PER_DAY 86400
#define NS_PER_SECOND 1000000000ll
/* A count or a time that was not given. */
#define ABSENT (-1)

struct keep {
	const char *store_dir, *mount;
	long count[KEEP_COUNTS];
	int64_t within, floor, grace; /* seconds */
	int forever, reset;
	struct account *account;
	struct storemount mounts;
	struct policy_terms terms;
	int terms_lost; /* the store's policy is damaged */
};

static const char *
policy_words(char out[256], const struct keep_policy *p)
{
	int64_t s = p->within_ns / NS_PER_SECOND;
	size_t at = 0;
	int i;

	if (keep_is_empty(p))
		return "everything";
	out[0] = '\0';
	for (i = 0; i < KEEP_COUNTS; i++)
		if (p->count[i] > 0)
			at += (size_t)snprintf(out + at, 256 - at, "%s%s %u",
			    at > 0 ? ", " : "", keep_name((enum keep_count)i),
			    p->count[i]); /* all of them fit */
	if (s > 0 && s % SECONDS_PER_DAY == 0)
		(void)snprintf(out + at, 256 - at, "%swithin %lld d",
		    at > 0 ? ", " : "", (long long)s / SECONDS_PER_DAY);
	else if (s > 0)
		(void)snprintf(out + at, 256 - at, "%swithin %lld s",
		    at > 0 ? ", " : "", (long long)s);
	return out;
}

static int
print_json(
    const struct keep *k, const uint8_t *mount, const struct keep_policy *p)
{
	const char *label;
	struct jsonl l;
	int i;

	jsonl_begin(&l, "keep");
	if (mount != NULL) {
		jsonl_hex(&l, "mount", mount, IDENT_BYTES);
		label = storemount_label(&k->mounts, mount);
		if (label != NULL)
			jsonl_text(&l, "label", label);
	} else {
		jsonl_int(&l, "floor_days", k->terms.floor_days);
		jsonl_int(&l, "grace_days", k->terms.grace_days);
	}
	jsonl_bool(&l, "everything", keep_is_empty(p));
	for (i = 0; i < KEEP_COUNTS; i++)
		jsonl_int(&l, keep_name((enum keep_count)i), p->count[i]);
	jsonl_int(&l, "within_seconds", p->within_ns / NS_PER_SECOND);
	return jsonl_print(&l);
}

static int
print_policy(
    const struct keep *k, const uint8_t *mount, const struct keep_policy *p)
{
	char name[STOREMOUNT_NAME_BYTES], words[256];

	if (mode.json)
		return print_json(k, mount, p);
	return cli_print("%-16s  %s",
	    mount == NULL ? "(default)"
			  : storemount_name(name, &k->mounts, mount),
	    policy_words(words, p));
}

/* One of them; one that is damaged is named, and counted. */
static int
show_one(unsigned *damaged, const struct keep *k, const uint8_t *mount)
{
	struct keep_policy p;
	int rc = policy_read(&p, k->store_dir, mount);

	if (rc == 1 && mount != NULL)
		return 0;
	if (rc >= 0)
		return print_policy(k, mount, &p);
	if (rc != ERR_DAMAGED)
		return rc;
	log_warn(
	    "%s: nothing is retired by it until it is set anew", err_text());
	++*damaged;
	return 0;
}

/* The store's policy, and those of the directories that have their own. */
static int
show(unsigned *damaged, const struct keep *k)
{
	size_t i;
	int rc = show_one(damaged, k, NULL);

	for (i = 0; i < k->mounts.n && rc == 0; i++)
		rc = show_one(damaged, k, k->mounts.items[i].mount);
	if (rc == 0 && !mode.json && !k->terms_lost)
		log_info("no count retires what is younger than %u days; what "
			 "is retired waits %u days",
		    k->terms.floor_days, k->terms.grace_days);
	return rc;
}

/* Whole days of an option. */
static int
take_days(uint32_t *out, int64_t seconds, const char *name, int64_t min)
{
	if (seconds == ABSENT)
		return 0;
	if (seconds % SECONDS_PER_DAY != 0 ||
	    seconds / SECONDS_PER_DAY > POLICY_DAYS_MAX)
		return err_set(
		    ERR_USAGE, "keep: --%s takes whole days, as 30d", name);
	if (seconds < min * SECONDS_PER_DAY)
		return err_set(ERR_USAGE, "keep: --%s is %lld days at least",
		    name, (long long)min);
	*out = (uint32_t)(seconds / SECONDS_PER_DAY);
	return 0;
}

/* Nonzero when a count was given. */
static int
has_counts(const struct keep *k)
{
	int i;

	for (i = 0; i < KEEP_COUNTS; i++)
		if (k->count[i] != ABSENT)
			return 1;
	return k->within != ABSENT;
}

static int
check(const struct keep *k)
{
	if (has_counts(k) + k->forever + k->reset > 1)
		return err_set(ERR_USAGE,
		    "keep: counts, --forever and --reset exclude each other");
	if (k->reset && k->mount == NULL)
		return err_set(ERR_USAGE,
		    "keep: --reset is for one --mount; --forever keeps all");
	/* The duration itself may be longer (policy.h). */
	if (k->within > (int64_t)POLICY_DAYS_MAX * SECONDS_PER_DAY)
		return err_set(ERR_USAGE, "keep: --within is %u days at most",
		    POLICY_DAYS_MAX);
	if (k->mount != NULL && (k->floor != ABSENT || k->grace != ABSENT))
		return err_set(ERR_USAGE,
		    "keep: --floor and --grace are for the whole store");
	return 0;
}

static int
set(struct keep *k)
{
	uint8_t mount[IDENT_BYTES];
	struct keep_policy p;
	int rc = 0, i;

	if (k->mount != NULL)
		rc = storemount_find(mount, &k->mounts, k->mount);
	if (rc == 0 && k->reset)
		return policy_reset(k->store_dir, mount);
	if (rc == 0 && (has_counts(k) || k->forever)) {
		memset(&p, 0, sizeof(p));
		for (i = 0; i < KEEP_COUNTS; i++)
			if (k->count[i] != ABSENT)
				p.count[i] = (uint32_t)k->count[i];
		if (k->within != ABSENT)
			p.within_ns = k->within * NS_PER_SECOND;
		if (keep_is_empty(&p) && !k->forever)
			rc = err_set(ERR_USAGE,
			    "keep: that keeps nothing; --forever keeps all");
	} else if (rc == 0) {
		rc = policy_read(&p, k->store_dir, NULL);
		rc = rc == 1 ? 0 : rc;
	}
	if (rc == 0)
		rc = policy_write(k->store_dir, k->mount != NULL ? mount : NULL,
		    &p, k->mount != NULL ? NULL : &k->terms);
	return rc;
}

/* Nonzero when something is to be set, not only shown. */
static int
sets(const struct keep *k)
{
	return has_counts(k) || k->forever || k->reset || k->floor != ABSENT ||
	       k->grace != ABSENT;
}

/* A file that is damaged can be set anew, but only as a whole. */
static int
read_terms(struct keep *k)
{
	int rc = policy_terms(&k->terms, k->store_dir);

	if (rc != ERR_DAMAGED)
		return rc;
	k->terms.floor_days = POLICY_FLOOR_DAYS;
	k->terms.grace_days = POLICY_GRACE_DAYS;
	/* A directory's own policy has none. */
	k->terms_lost = k->mount != NULL || !sets(k);
	if (k->terms_lost)
		return 0;
	if (!has_counts(k) && !k->forever)
		return err_set(ERR_DAMAGED,
		    "%s/keep/default.json is damaged; it is set anew as a "
		    "whole: give counts too, or --forever",
		    k->store_dir);
	log_warn("%s; it is set anew, with a floor of %u and a grace of %u "
		 "days unless they are given",
	    err_text(), k->terms.floor_days, k->terms.grace_days);
	return 0;
}

static int
run(struct keep *k)
{
	unsigned damaged = 0;
	int rc = check(k);

	if (rc == 0)
		rc = account_open(&k->account, k->store_dir, 0);
	if (rc == 0)
		rc = storemount_load(&k->mounts, k->account);
	if (rc == 0)
		rc = read_terms(k);
	if (rc == 0)
		rc = take_days(&k->terms.floor_days, k->floor, "floor", 0);
	if (rc == 0)
		rc = take_days(&k->terms.grace_days, k->grace, "grace",
		    POLICY_GRACE_DAYS_MIN);
	if (rc == 0 && sets(k))
		rc = set(k);
	else if (rc == 0 && k->mount != NULL)
		rc = err_set(ERR_USAGE,
		    "keep: --mount goes with counts, --forever or --reset");
	if (rc == 0)
		rc = show(&damaged, k);
	/* Whoever set one has what he wanted. */
	if (rc == 0 && damaged > 0 && !sets(k))
		rc = err_set(ERR_DAMAGED,
		    "a policy is damaged; set it anew with counts or "
		    "--forever, and --mount M for a directory's own");
	storemount_release(&k->mounts);
	account_close(k->account);
	return rc;
}

int
cmd_keep(int argc, char **argv)
{
	struct keep k;
	const struct args_option options[] = {
	    {"store_dir", ARGS_STORE, &k.store_dir, "D", "the store [.]", 0, 0},
	    {"mount", ARGS_TEXT, &k.mount, "M",
		"one directory alone, by label or id", 0, 0},
	    {"last", ARGS_NUMBER, &k.count[KEEP_LAST], "N", "the newest N", 0,
		KEEP_COUNT_MAX},
	    {"hourly", ARGS_NUMBER, &k.count[KEEP_HOURLY], "N",
		"one of each of the last N hours that have one", 0,
		KEEP_COUNT_MAX},
	    {"daily", ARGS_NUMBER, &k.count[KEEP_DAILY], "N", "of the days", 0,
		KEEP_COUNT_MAX},
	    {"weekly", ARGS_NUMBER, &k.count[KEEP_WEEKLY], "N", "of the weeks",
		0, KEEP_COUNT_MAX},
	    {"monthly", ARGS_NUMBER, &k.count[KEEP_MONTHLY], "N",
		"of the months", 0, KEEP_COUNT_MAX},
	    {"yearly", ARGS_NUMBER, &k.count[KEEP_YEARLY], "N", "of the years",
		0, KEEP_COUNT_MAX},
	    {"within", ARGS_DURATION, &k.within, "T",
		"all that is younger than this", 0, 0},
	    {"forever", ARGS_FLAG, &k.forever, NULL, "everything", 0, 0},
	    {"reset", ARGS_FLAG, &k.reset, NULL,
		"let the directory follow the store again", 0, 0},
	    {"floor", ARGS_DURATION, &k.floor, "T",
		"keep all that is younger in any case [30d]", 0, 0},
	    {"grace", ARGS_DURATION, &k.grace, "T",
		"how long what is retired waits, 7d at least [14d]", 0, 0},
	    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct args_command command = {"keep",
	    "[--store_dir D] [--mount M] [COUNTS]",
	    "Set which snapshots of a store are kept, or show it.",
	    "Without counts it shows. Counts replace the policy that was "
	    "there;\ntogether they say what is kept. Nothing goes before "
	    "'shash prune', which a\nserver does once a day. At first "
	    "everything is kept.",
	    options, 0};
	size_t operands;
	int rc, i;

	memset(&k, 0, sizeof(k));
	k.store_dir = ".";
	for (i = 0; i < KEEP_COUNTS; i++)
		k.count[i] = ABSENT;
	k.within = k.floor = k.grace = ABSENT;
	rc = args_parse(&operands, &command, argc, argv);
	return rc == 0 ? run(&k) : rc;
}
