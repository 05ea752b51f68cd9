#include "engine/notes.h"

#include "base/err.h"

#include <errno.h>
#include <string.h>

void
notes_init(
    struct notes *n, struct notes_counts *counts, notes_warn *warn, void *arg)
{
	pool_lock_init(&n->lock);
	n->counts = counts;
	n->warn = warn;
	n->arg = arg;
}

void
notes_zero(struct notes_counts *c)
{
	_Atomic uint64_t *p = (_Atomic uint64_t *)(void *)c;
	size_t i;

	/* It has no members of another type. */
	for (i = 0; i < sizeof(*c) / sizeof(*p); i++)
		atomic_store(&p[i], 0);
}

void
notes_release(struct notes *n)
{
	pool_lock_release(&n->lock);
}

void
notes_say(struct notes *n, const struct dir *d, const char *name,
    size_t name_len, const char *text)
{
	struct buf path = BUF_INIT;

	if (n->warn == NULL)
		return;
	/* Without memory for the path its last part must do. */
	if (dir_path(&path, d, name, name_len) != 0)
		buf_reset(&path);
	pool_lock_enter(&n->lock);
	if (path.len > 0)
		n->warn(n->arg, (const char *)path.data, path.len, text);
	else
		n->warn(n->arg, name == NULL ? "" : name,
		    name == NULL ? 0 : name_len, text);
	pool_lock_leave(&n->lock);
	buf_release(&path);
}

void
notes_no_cache(struct notes *n)
{
	static const char what[] = "stat cache";

	if (n->warn == NULL)
		return;
	(void)err_set(ERR_FAIL, "%s (the next backup reads every file again)",
	    err_text()); /* a text only */
	pool_lock_enter(&n->lock);
	n->warn(n->arg, what, sizeof(what) - 1, err_text());
	pool_lock_leave(&n->lock);
}

void
notes_unreadable(struct notes *n, const struct dir *d, const char *name,
    size_t name_len, int error)
{
	char text[128];

	if (error == ENOENT) {
		(void)atomic_fetch_add(&n->counts->vanished, 1);
		notes_say(n, d, name, name_len, "vanished before it was read");
		return;
	}
	(void)atomic_fetch_add(&n->counts->unreadable, 1);
	notes_say(n, d, name, name_len,
	    error == 0 ? err_text() : strerror_r(error, text, sizeof(text)));
}
