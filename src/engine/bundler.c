#include "engine/bundler.h"

#include "base/err.h"
#include "engine/recent.h"
#include "engine/sealer.h"
#include "object/bundle.h"
#include "seal/keys.h"

#include <stdlib.h>
#include <string.h>

/*
 * What was laid but is not in the store yet cannot be asked for: the files of
 * some blocks and the bundles on their way, far fewer than 65,536.
 */
#define RECENT_BITS 14u

/* Where a recent file lies. */
struct place {
	struct bundle_ref *bundle; /* one reference */
	uint32_t member;
};

struct bundler {
	struct run *run;
	struct bundle open;
	struct bundle_ref *ref; /* of the open bundle; NULL while empty */
	struct recent *recent;
	struct place *places;
	struct object object; /* scratch */
};

int
bundler_new(struct bundler **out, struct run *run)
{
	struct bundler *bd = calloc(1, sizeof(*bd));
	int r;

	if (bd == NULL)
		return err_nomem(sizeof(*bd));
	bd->run = run;
	bundle_init(&bd->open);
	object_init(&bd->object, OBJECT_BUNDLE);
	r = recent_new(&bd->recent, RECENT_BITS);
	if (r == 0) {
		bd->places =
		    calloc(recent_places(bd->recent), sizeof(*bd->places));
		if (bd->places == NULL)
			r = err_nomem(
			    recent_places(bd->recent) * sizeof(*bd->places));
	}
	if (r != 0) {
		bundler_free(bd);
		return r;
	}
	*out = bd;
	return 0;
}

void
bundler_unref(struct bundle_ref *ref)
{
	if (ref != NULL && --ref->refs == 0)
		free(ref);
}

void
bundler_free(struct bundler *bd)
{
	uint32_t i;

	if (bd == NULL)
		return;
	for (i = 0; bd->places != NULL && i < recent_places(bd->recent); i++)
		bundler_unref(bd->places[i].bundle);
	free(bd->places);
	recent_free(bd->recent);
	bundler_unref(bd->ref);
	bundle_release(&bd->open);
	object_release(&bd->object);
	free(bd);
}

int
bundler_close(struct bundler *bd)
{
	size_t bytes = bd->open.bytes.len;
	int r;

	if (bd->ref == NULL)
		return 0;
	object_reset(&bd->object, OBJECT_BUNDLE);
	r = bundle_finish(&bd->object, &bd->open);
	if (r != 0)
		return r;
	object_name(&bd->object, bd->run->keys->id);
	memcpy(bd->ref->id, bd->object.id, OBJECT_ID_BYTES);
	bd->ref->done = 1;
	usage_laid(&bd->run->usage, bd->object.id, bytes);
	bundler_unref(bd->ref);
	bd->ref = NULL;
	return sealer_submit(bd->run->sealer, &bd->object, NULL);
}

static int
open_bundle(struct bundler *bd)
{
	if (bd->ref != NULL)
		return 0;
	bd->ref = calloc(1, sizeof(*bd->ref));
	if (bd->ref == NULL)
		return err_nomem(sizeof(*bd->ref));
	bd->ref->refs = 1;
	return 0;
}

static void
remember(struct bundler *bd, const uint8_t file_id[OBJECT_ID_BYTES],
    struct bundle_ref *ref, uint32_t member)
{
	struct place *p = &bd->places[recent_add(bd->recent, file_id)];

	bundler_unref(p->bundle);
	ref->refs++;
	p->bundle = ref;
	p->member = member;
}

int
bundler_lay(struct bundler *bd, struct slot *s, const uint8_t *p)
{
	uint32_t at = recent_find(bd->recent, s->id);
	int closed, r = 0;

	if (at != RECENT_NONE) {
		s->bundle = bd->places[at].bundle;
		s->bundle->refs++;
		s->member = bd->places[at].member;
		s->state = SLOT_READY;
		return 0;
	}
	if (bundle_full(&bd->open, s->size))
		r = bundler_close(bd);
	if (r == 0)
		r = open_bundle(bd);
	if (r != 0)
		return r;
	s->member = bundle_count(&bd->open);
	r = bundle_add(&closed, &bd->open, s->id, p, s->size);
	if (r != 0)
		return r;
	s->bundle = bd->ref;
	s->bundle->refs++;
	s->state = SLOT_READY;
	remember(bd, s->id, s->bundle, s->member);
	return closed ? bundler_close(bd) : 0;
}
