#include "engine/restore_job.h"

#include "engine/restore_dir.h"
#include "engine/restore_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A warning's path; longer ones are cut at the front. */
#define PATH_SHOWN 3072

void
restore_job_init(struct restore_job *j, struct store *store,
    const struct keys *keys, const struct restore_options *o)
{
	memset(j, 0, sizeof(*j));
	j->o = o;
	j->keys = keys;
	j->store = store;
	j->uid = geteuid();
	j->gid = getegid();
	j->result.write_path = "buffered";
	atomic_init(&j->stop, 0);
	pool_lock_init(&j->lock);
}

void
restore_job_release(struct restore_job *j)
{
	fetch_free(j->fetch);
	pool_lock_release(&j->lock);
}

int
restore_job_stop(struct restore_job *j, int code)
{
	int none = 0;

	pool_lock_enter(&j->lock);
	if (atomic_compare_exchange_strong(&j->stop, &none, code))
		(void)snprintf(
		    j->stop_text, sizeof(j->stop_text), "%s", err_text());
	pool_lock_leave(&j->lock);
	return code;
}

int
restore_job_stopped(struct restore_job *j)
{
	return atomic_load_explicit(&j->stop, memory_order_relaxed) != 0;
}

int
restore_job_poll(struct restore_job *j)
{
	if (j->o->interrupt != NULL && *j->o->interrupt != 0)
		(void)restore_job_stop(j, err_set(ERR_INTR, "interrupted"));
	return restore_job_stopped(j);
}

void
restore_job_again(struct restore_job *j, struct restore_file *f)
{
	pool_lock_enter(&j->lock);
	f->next = j->again;
	j->again = f;
	pool_lock_leave(&j->lock);
}

struct restore_file *
restore_job_take_again(struct restore_job *j)
{
	struct restore_file *f;

	pool_lock_enter(&j->lock);
	f = j->again;
	if (f != NULL)
		j->again = f->next;
	pool_lock_leave(&j->lock);
	return f;
}

void
restore_job_count(struct restore_job *j, uint64_t *count, uint64_t n)
{
	pool_lock_enter(&j->lock);
	*count += n;
	pool_lock_leave(&j->lock);
}

void
restore_job_direct(struct restore_job *j)
{
	pool_lock_enter(&j->lock);
	j->result.write_path = "direct";
	pool_lock_leave(&j->lock);
}

void
restore_job_progress(struct restore_job *j, unsigned files, uint64_t bytes)
{
	struct restore_progress *p = j->o->progress;

	if (p == NULL)
		return;
	if (files > 0)
		atomic_fetch_add_explicit(
		    &p->files, files, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->bytes, bytes, memory_order_relaxed);
}

void
restore_job_warn(struct restore_job *j, const struct restore_dir *dir,
    const char *name, const char *why)
{
	char path[PATH_SHOWN], line[PATH_SHOWN + ERR_TEXT_MAX];

	if (j->o->warn == NULL)
		return;
	restore_dir_path(path, sizeof(path), dir, name);
	/* A reason too long is cut. */
	(void)snprintf(line, sizeof(line), "%s: %s", path, why);
	pool_lock_enter(&j->lock);
	j->o->warn(j->o->arg, line);
	pool_lock_leave(&j->lock);
}

void
restore_job_damaged(struct restore_job *j, const struct restore_dir *dir,
    const char *name, const char *why)
{
	restore_job_count(j, &j->result.damaged, 1);
	restore_job_warn(j, dir, name, why);
}

/* The code of an errno that ends the restore; 0: only this entry failed. */
static int
fatal_code(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		return ERR_NOSPACE;
	case EIO:
	case EROFS:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return ERR_IO;
	default:
		return 0;
	}
}

void
restore_job_failed(struct restore_job *j, const struct restore_dir *dir,
    const char *name, const char *what)
{
	char path[ERR_TEXT_MAX / 2];
	int error = errno, code = fatal_code(error);

	errno = error;
	if (code != 0) {
		restore_dir_path(path, sizeof(path), dir, name);
		errno = error;
		(void)restore_job_stop(
		    j, err_errno(code, "%s: cannot %s", path, what));
		return;
	}
	restore_job_count(j, &j->result.failed, 1);
	(void)err_errno(ERR_FAIL, "cannot %s", what);
	restore_job_warn(j, dir, name, err_text());
}
