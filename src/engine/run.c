#include "engine/run.h"

#include "base/err.h"
#include "engine/large.h"
#include "seal/seal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
run_init(struct run *run, const struct run_options *o)
{
	const struct chunker_params *chunker =
	    o->chunker != NULL ? o->chunker : &chunker_default;
	int r;

	memset(run, 0, sizeof(*run));
	fate_init(&run->fate, o->interrupt);
	notes_init(&run->notes, o->counts, o->warn, o->warn_arg);
	dir_set_init(&run->dirs, 0);
	mounts_init(&run->mounts, o->clock_dir);
	run->euid = geteuid();
	run->small_bytes = chunker->sizes.min_bytes;
	r = owners_new(&run->owners);
	if (r == 0)
		r = flow_new(&run->flow, run);
	if (r != 0)
		run_release(run);
	return r;
}

void
run_release(struct run *run)
{
	flow_free(run->flow);
	owners_free(run->owners);
	dir_set_release(&run->dirs);
	mounts_release(&run->mounts);
	past_set_release(&run->past);
	usage_release(&run->usage);
	notes_release(&run->notes);
	fate_release(&run->fate);
	hash_wipe(&run->chunker, sizeof(run->chunker));
}

int
run_worker_new(struct worker **out, struct run *run)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return err_nomem(sizeof(*w));
	w->run = run;
	xattrs_init(&w->xattrs);
	*out = w;
	return 0;
}

void
run_worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	xattrs_release(&w->xattrs);
	buf_release(&w->path);
	large_free(w->large);
	seal_free(w->seal);
	free(w);
}
