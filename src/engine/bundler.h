#ifndef HS_ENGINE_BUNDLER_H
#define HS_ENGINE_BUNDLER_H

/*
 * Lays small files into bundles, in the order of the walk; format.md 6.2.  An
 * entry names its bundle by an id that is known only when the bundle is
 * closed, so a slot holds a bundle_ref until then.
 *
 * Thread use: the assembler's.
 */

#include "engine/block.h"
#include "engine/run.h"

struct bundle_ref {
	uint8_t id[OBJECT_ID_BYTES];
	int done; /* `id` is known */
	uint32_t refs;
};

struct bundler;

int bundler_new(struct bundler **out, struct run *run);
void bundler_free(struct bundler *bd); /* NULL is fine */
/*
 * Lay the content of a slot in state LAY: it gets a bundle_ref and a member,
 * and is READY.  A content that was laid a short time ago is not laid again.
 * ERR_NOMEM; the run's error.
 */
int bundler_lay(struct bundler *bd, struct slot *s, const uint8_t *p);
/* Close the open bundle, if any: every slot's bundle is known then. */
int bundler_close(struct bundler *bd);
/* Give up a reference that a slot holds; NULL is fine. */
void bundler_unref(struct bundle_ref *ref);

#endif
