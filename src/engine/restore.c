#include "engine/restore.h"

#include "base/fs.h"
#include "base/os.h"
#include "engine/restore_find.h"
#include "engine/restore_plan.h"
#include "engine/restore_sync.h"
#include "engine/restore_there.h"
#include "engine/restore_work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Tree objects, maps and xattr blocks kept for the next use. */
#define CACHE_BYTES (16u << 20)
/* Twice what a snapshot counts, and some, cannot be right. */
#define ENTRIES_SLACK 1000u
/* Workers beyond the processors: one waits for the disk while the others
 * decrypt. */
#define WORKERS_MORE 1u

/* Open the destination, made if absent; -1 in a dry run when it is. */
static int
open_dest(int *out, const struct restore_options *o, int all)
{
	const char *dest = o->dest;
	int fd, rc;

	fd = open(dest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && !o->dry_run) {
		rc = fs_make_dirs(dest, 0755);
		if (rc != 0)
			return rc;
		fd = open(dest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0 && (errno == ENOTDIR || errno == EACCES))
		return err_errno(ERR_USAGE, "cannot restore into %s", dest);
	if (fd < 0 && !(o->dry_run && errno == ENOENT))
		return err_errno(ERR_IO, "cannot open %s", dest);
	rc = fd >= 0 && !o->force ? restore_there_occupied(fd) : 0;
	if (rc != 0) {
		(void)close(fd); /* only read */
		if (rc < 0)
			return err_prefix(rc, "%s", dest);
		return err_set(ERR_USAGE,
		    "%s is not empty: restore writes into a new or empty "
		    "directory; --force restores over what is there",
		    dest);
	}
	if (all && !o->force && !o->dry_run) {
		/* It becomes the snapshot's root: nobody looks in before it is
		 * done, and what is made in it inherits no ACL.  Both may be
		 * refused where it is another's: then they stay. */
		(void)fchmod(fd, 0700);
		(void)fremovexattr(fd, "system.posix_acl_default");
		(void)fremovexattr(fd, "system.posix_acl_access");
	}
	*out = fd;
	return 0;
}

/* Everything that one restore opens. */
struct run {
	struct restore_job job;
	struct restore_select *select;
	struct restore_dirs *dirs;
	struct restore_walk *walk;
	struct restore_link *links;
	struct restore_plan *plan;
	struct restore_work *work;
	struct restore_dir *root;
	struct restore_range range;
};

/* Windows under way, the oldest first. */
struct under_way {
	struct restore_window *windows[RESTORE_WORK_WINDOWS_MAX];
	unsigned n;
};

/* Wait for the oldest until only `most` are left.  Returns what
 * restore_plan_links() said last. */
static int
wait_oldest(struct run *r, struct under_way *u, unsigned most)
{
	int more = 0;

	while (u->n > most) {
		restore_work_wait(r->work, u->windows[0]);
		u->n--;
		memmove(&u->windows[0], &u->windows[1],
		    u->n * sizeof(u->windows[0]));
		more = restore_plan_links(r->plan);
	}
	return more;
}

/*
 * Window after window: while the workers write one, others are planned and
 * fetched.
 */
static void
go(struct run *r)
{
	struct under_way u = {.n = 0};
	int more = 1, rc;
	mode_t mask;

	/* Every mode is given in full; a mask would only cost a call more. */
	mask = umask(0);
	while (more && !restore_job_stopped(&r->job)) {
		(void)wait_oldest(r, &u, restore_work_windows(r->work) - 1);
		rc = restore_window_new(&u.windows[u.n]);
		if (rc != 0) {
			(void)restore_job_stop(&r->job, rc);
			break;
		}
		more = restore_plan_fill(r->plan, u.windows[u.n]);
		restore_work_run(r->work, u.windows[u.n++]);
		/* Links may be left that only now can be made. */
		if (!more)
			more = wait_oldest(r, &u, 0);
	}
	while (u.n > 0)
		restore_work_wait(r->work, u.windows[--u.n]);
	restore_plan_unwind(r->plan);
	(void)umask(mask); /* cannot fail */
}

static unsigned
thread_count(const struct restore_options *o)
{
	return o->threads != 0 ? o->threads : os_cpus() + WORKERS_MORE;
}

/* The destination as the root of everything; `fd` is taken over. */
static int
begin_root(struct run *r, int fd)
{
	const struct entry *root = &r->job.o->snapshot->info.root;
	int rc;

	rc =
	    restore_dir_root(&r->root, r->dirs, fd, r->range.all ? root : NULL);
	if (rc != 0) {
		if (fd >= 0)
			(void)close(fd); /* only read */
		return rc;
	}
	rc = restore_link_new(&r->links, &r->job, r->root);
	if (rc == 0)
		rc = restore_plan_new(&r->plan, &r->job, r->walk, r->links);
	if (rc == 0)
		rc =
		    restore_work_new(&r->work, &r->job, thread_count(r->job.o));
	if (rc == 0)
		rc = restore_walk_enter(r->walk, r->root, root, &r->range);
	if (rc != 0) {
		(void)restore_job_stop(&r->job, rc);
		restore_dir_done(r->root);
	}
	return rc;
}

static int
run(struct run *r)
{
	const struct restore_options *o = r->job.o;
	const struct snapshot_info *info = &o->snapshot->info;
	int fd = -1, rc;

	rc = fetch_new(&r->job.fetch, r->job.store, r->job.keys, CACHE_BYTES);
	if (rc == 0)
		rc = restore_select_new(&r->select, o->paths, o->npaths);
	if (rc == 0)
		rc = restore_find_paths(r->job.fetch, r->select, &info->root);
	if (rc != 0)
		return rc;
	restore_select_root(&r->range, r->select);
	if (rc == 0)
		rc = restore_dir_all_new(&r->dirs, &r->job);
	if (rc == 0)
		rc = restore_walk_new(&r->walk, &r->job, r->select,
		    2 * (info->files + info->dirs) + ENTRIES_SLACK);
	if (rc == 0)
		rc = open_dest(&fd, o, r->range.all);
	if (rc == 0 && o->sync) {
		rc = restore_sync_new(&r->job.sync, &r->job, fd);
		if (rc != 0)
			(void)close(fd); /* only read */
	}
	if (rc == 0)
		rc = begin_root(r, fd);
	if (rc == 0)
		go(r);
	return rc;
}

/* What the counts and the first fatal error come to. */
static int
outcome(struct restore_job *j, const char *missed)
{
	const struct restore_result *r = &j->result;
	int stop = atomic_load(&j->stop);

	if (stop != 0)
		return err_set(stop, "%s", j->stop_text);
	if (r->damaged > 0)
		return err_set(ERR_DAMAGED,
		    "%llu entr%s damaged, see above; all others were restored",
		    (unsigned long long)r->damaged,
		    r->damaged == 1 ? "y is" : "ies are");
	if (r->failed > 0)
		return err_set(ERR_FAIL,
		    "%llu entries could not be restored, see above; all "
		    "others were",
		    (unsigned long long)r->failed);
	if (missed != NULL)
		return err_set(
		    ERR_NOENT, "nothing in the snapshot matches '%s'", missed);
	return 0;
}

int
restore_run(struct restore_result *out, struct store *store,
    const struct keys *keys, const struct restore_options *o)
{
	char text[ERR_TEXT_MAX];
	const char *missed = NULL;
	struct run r;
	int rc;

	memset(&r, 0, sizeof(r));
	restore_job_init(&r.job, store, keys, o);
	rc = run(&r);
	(void)snprintf(text, sizeof(text), "%s", err_text());
	if (r.select != NULL)
		missed = restore_select_missed(r.select);
	restore_work_free(r.work);
	restore_plan_free(r.plan);
	restore_link_free(r.links);
	restore_walk_free(r.walk);
	restore_dir_all_free(r.dirs);
	restore_select_free(r.select);
	restore_sync_end(r.job.sync);
	*out = r.job.result;
	if (rc == 0)
		rc = outcome(&r.job, missed);
	else
		(void)err_set(rc, "%s", text);
	(void)snprintf(text, sizeof(text), "%s", err_text());
	restore_job_release(&r.job);
	return rc == 0 ? 0 : err_set(rc, "%s", text);
}

int
restore_lack(char *out, size_t cap, const struct restore_result *r)
{
	if (r->lack_owner == 0 && r->lack_device == 0 && r->lack_xattr == 0)
		return 0;
	/* Three numbers fit into any line; a shorter one is cut. */
	(void)snprintf(out, cap,
	    "for want of privileges: %llu owners, %llu devices and the "
	    "attributes of %llu entries were not restored",
	    (unsigned long long)r->lack_owner,
	    (unsigned long long)r->lack_device,
	    (unsigned long long)r->lack_xattr);
	return 1;
}
