#include "lib/restoring.h"

#include "base/err.h"
#include "lib/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int
restoring_setup(void **state)
{
	struct restoring *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->m = memory_store_new();
	planter_init(&f->p, f->m);
	restored_init(&f->r, f->m);
	planter_meta(&f->root, "", ADDRESS_DIR);
	fill_random(f->data, sizeof(f->data), 5);
	*state = f;
	return 0;
}

int
restoring_teardown(void **state)
{
	struct restoring *f = *state;

	restored_release(&f->r);
	planter_release(&f->p);
	memory_store_free(f->m);
	free(f);
	return 0;
}

void
restoring_file_of(
    struct restoring *f, const char *name, const void *data, size_t len)
{
	struct entry e;

	planter_meta(&e, name, ADDRESS_FILE);
	planter_file(&f->p, &e, data, len);
}

void
restoring_file(struct restoring *f, const char *name, size_t len)
{
	restoring_file_of(f, name, f->data, len);
}

void
restoring_dir(struct restoring *f, const char *name)
{
	struct entry e;

	planter_meta(&e, name, ADDRESS_DIR);
	planter_enter(&f->p, &e);
}

void
restoring_commit(struct restoring *f)
{
	restoring_dir(f, "zz-good");
	restoring_file(f, "good", 1000);
	planter_leave(&f->p);
	planter_commit(&f->p, &f->root);
}

void
restoring_damaged(struct restoring *f, unsigned damaged)
{
	assert_int_equal(ERR_DAMAGED, restored_run(&f->r, NULL));
	assert_int_equal(damaged, f->r.result.damaged);
	assert_int_equal(0, f->r.result.failed);
	restored_has(&f->r, "zz-good/good", f->data, 1000);
}

void
restoring_bundle(struct restoring *f, uint8_t id[32])
{
	size_t i;

	assert_int_equal(0, memory_store_count(f->m));
	restoring_dir(f, "dir");
	restoring_file(f, "one", RESTORING_MEMBER);
	restoring_file(f, "two", RESTORING_MEMBER + 1);
	restoring_file(f, "three", RESTORING_MEMBER + 2);
	planter_leave(&f->p);
	for (i = 0; i < memory_store_count(f->m); i++) {
		memcpy(id, memory_store_id(f->m, i), 32);
		if (memory_store_record(f->m, id)->len > RESTORING_MEMBER)
			return;
	}
	fail();
}
