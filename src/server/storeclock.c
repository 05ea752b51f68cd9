#include "server/storeclock.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/pool.h"
#include "server/statefile.h"

#include <stdlib.h>
#include <string.h>

struct storeclock {
	char *path;
	int64_t from_ns;
	struct pool_lock lock; /* what follows */
	int unset;
	int64_t store_ns; /* at `at` */
	struct storeclock_reading at;
};

int64_t
storeclock_elapsed(
    const struct storeclock_reading *then, const struct storeclock_reading *now)
{
	int64_t gone;

	if (then->boot[0] != '\0' && strcmp(then->boot, now->boot) == 0 &&
	    now->mono_ns >= then->mono_ns)
		return now->mono_ns - then->mono_ns;
	if (now->wall_ns <= then->wall_ns)
		return 0;
	gone = now->wall_ns - then->wall_ns;
	return gone < STORECLOCK_STEP_NS ? gone : STORECLOCK_STEP_NS;
}

static void
read_clocks(struct storeclock_reading *out)
{
	memset(out, 0, sizeof(*out));
	out->mono_ns = clock_mono_ns();
	out->wall_ns = clock_wall_ns();
	/* A clock before 1970 is none that could say how much time went by. */
	if (out->wall_ns < 0)
		out->wall_ns = 0;
	if (os_boot_id(out->boot) != 0)
		out->boot[0] = '\0';
}

/* What the file says.  0; 1 when there is none; ERR_*. */
static int
load(int64_t *store_ns, struct storeclock_reading *at, const char *path)
{
	struct storeclock_reading r;
	struct json *j = NULL;
	const char *boot;
	int64_t ns;
	int rc = statefile_read(&j, path);

	if (rc != 0)
		return rc;
	memset(&r, 0, sizeof(r));
	rc = json_get_int(&ns, j, "store_ns", 0, STORECLOCK_MAX_NS);
	if (rc == 0)
		rc = json_get_int(
		    &r.mono_ns, j, "mono_ns", 0, STORECLOCK_MAX_NS);
	if (rc == 0)
		rc = json_get_int(&r.wall_ns, j, "wall_ns", 0, INT64_MAX);
	if (rc == 0)
		rc = json_get_text(&boot, j, "boot", OS_BOOT_ID_LEN);
	if (rc == 0) {
		memcpy(r.boot, boot, strlen(boot) + 1);
		*at = r;
		*store_ns = ns;
	}
	json_free(j);
	return rc;
}

int
storeclock_open(struct storeclock **out, const char *dir)
{
	struct storeclock *c = calloc(1, sizeof(*c));
	struct storeclock_reading then;
	int rc;

	if (c == NULL)
		return err_nomem(sizeof(*c));
	pool_lock_init(&c->lock);
	read_clocks(&c->at);
	c->path = fs_join(dir, "clock.json");
	rc = c->path == NULL ? ERR_NOMEM : load(&c->from_ns, &then, c->path);
	if (rc == ERR_DAMAGED) {
		log_warn("%s; the store's clock goes on from the last snapshot",
		    err_text());
		rc = 1;
	}
	if (rc < 0) {
		storeclock_close(c);
		return rc;
	}
	c->unset = rc == 1;
	if (!c->unset) {
		c->store_ns = c->from_ns + storeclock_elapsed(&then, &c->at);
		if (c->at.wall_ns < then.wall_ns)
			c->at.wall_ns = then.wall_ns;
	}
	*out = c;
	return 0;
}

void
storeclock_close(struct storeclock *c)
{
	if (c == NULL)
		return;
	pool_lock_release(&c->lock);
	free(c->path);
	free(c);
}

/* Bring `store_ns` and `at` up to now; the caller holds the lock. */
static void
advance(struct storeclock *c)
{
	int64_t mono = clock_mono_ns(), wall = clock_wall_ns();

	if (mono > c->at.mono_ns) {
		c->store_ns += mono - c->at.mono_ns;
		c->at.mono_ns = mono;
	}
	if (wall > c->at.wall_ns)
		c->at.wall_ns = wall;
}

int64_t
storeclock_now(struct storeclock *c)
{
	int64_t ns;

	pool_lock_enter(&c->lock);
	advance(c);
	ns = c->store_ns;
	pool_lock_leave(&c->lock);
	return ns;
}

int64_t
storeclock_from(const struct storeclock *c)
{
	return c->from_ns;
}

int
storeclock_is_unset(struct storeclock *c)
{
	int unset;

	pool_lock_enter(&c->lock);
	unset = c->unset;
	pool_lock_leave(&c->lock);
	return unset;
}

void
storeclock_meet(struct storeclock *c, int64_t ns)
{
	pool_lock_enter(&c->lock);
	advance(c);
	if (c->unset || c->store_ns < ns)
		c->store_ns = ns;
	c->unset = 0;
	pool_lock_leave(&c->lock);
}

int
storeclock_save(struct storeclock *c)
{
	struct json *j = json_new_object();
	struct storeclock_reading at;
	int64_t ns;
	int rc;

	if (j == NULL)
		return ERR_NOMEM;
	pool_lock_enter(&c->lock);
	advance(c);
	ns = c->store_ns;
	at = c->at;
	pool_lock_leave(&c->lock);
	rc = json_set_int(j, "store_ns", ns);
	if (rc == 0)
		rc = json_set_int(j, "mono_ns", at.mono_ns);
	if (rc == 0)
		rc = json_set_int(j, "wall_ns", at.wall_ns);
	if (rc == 0)
		rc = json_set_text(j, "boot", at.boot);
	if (rc == 0)
		rc = statefile_write(c->path, j, 0);
	json_free(j);
	return rc;
}
