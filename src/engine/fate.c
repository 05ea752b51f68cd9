#include "engine/fate.h"

#include <string.h>

void
fate_init(struct fate *f, const atomic_int *interrupt)
{
	pool_lock_init(&f->lock);
	atomic_init(&f->code, 0);
	f->text[0] = '\0';
	f->interrupt = interrupt;
}

void
fate_release(struct fate *f)
{
	pool_lock_release(&f->lock);
}

int
fate_fail(struct fate *f, int code)
{
	pool_lock_enter(&f->lock);
	if (atomic_load(&f->code) == 0) {
		memcpy(f->text, err_text(), strlen(err_text()) + 1);
		atomic_store(&f->code, code);
	}
	pool_lock_leave(&f->lock);
	return code;
}

int
fate_check(struct fate *f)
{
	int code = atomic_load_explicit(&f->code, memory_order_acquire);

	if (code == 0 && f->interrupt != NULL && *f->interrupt != 0)
		return fate_fail(f, err_set(ERR_INTR, "interrupted"));
	return code;
}

int
fate_result(struct fate *f)
{
	int code = fate_check(f);

	return code == 0 ? 0 : err_set(code, "%s", f->text);
}
