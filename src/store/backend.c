#include "store/backend.h"

int
backend_put_all(struct backend *b, const char *name, const void *p, size_t len)
{
	struct backend_put *put;
	/* A hint of 0 would mean that the size is unknown. */
	int ret = b->ops->put_begin(&put, b, len + 1);

	if (ret < 0)
		return ret;
	if (len > 0)
		ret = b->ops->put_write(put, p, len);
	if (ret < 0) {
		b->ops->put_abort(put);
		return ret;
	}
	return b->ops->put_commit(put, name);
}
