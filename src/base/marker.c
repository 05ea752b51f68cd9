#include "base/marker.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/os.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARKER_NAME "unsynced"

struct marker {
	char *path;
	char boot_id[OS_BOOT_ID_LEN + 1]; /* empty: the system has none */
	int ours;
};

int
marker_new(struct marker **out, const char *dir)
{
	struct marker *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_nomem(sizeof(*m));
	m->path = fs_join(dir, MARKER_NAME);
	if (m->path == NULL) {
		free(m);
		return ERR_NOMEM;
	}
	if (os_boot_id(m->boot_id) != 0)
		m->boot_id[0] = '\0';
	*out = m;
	return 0;
}

void
marker_free(struct marker *m)
{
	if (m == NULL)
		return;
	free(m->path);
	free(m);
}

int
marker_check(const struct marker *m)
{
	struct buf text = BUF_INIT;
	int r;

	r = fs_read_file(&text, AT_FDCWD, m->path, OS_BOOT_ID_LEN);
	if (r == 1)
		r = 0;
	else if (r == ERR_DAMAGED)
		r = 1;
	else if (r == 0)
		/* Without an id nothing equals it: to rebuild is safe. */
		r = text.len != OS_BOOT_ID_LEN ||
		    memcmp(text.data, m->boot_id, OS_BOOT_ID_LEN) != 0;
	buf_release(&text);
	return r;
}

int
marker_put(struct marker *m)
{
	int r;

	/* Another process may have removed what we put. */
	if (m->ours && access(m->path, F_OK) == 0)
		return 0;
	r = fs_write_file(
	    AT_FDCWD, m->path, m->boot_id, strlen(m->boot_id), 0600, 0);
	if (r == 0)
		m->ours = 1;
	return r;
}

int
marker_is_ours(const struct marker *m)
{
	return m->ours;
}

void
marker_spoil(struct marker *m)
{
	static const char text[] = "failed";

	/* A disk that takes no file either has nothing that could mislead. */
	(void)fs_write_file(
	    AT_FDCWD, m->path, text, sizeof(text) - 1, 0600, FS_NOSYNC);
	m->ours = 0;
}

void
marker_remove(struct marker *m)
{
	(void)unlink(m->path); /* as the header says */
	m->ours = 0;
}
