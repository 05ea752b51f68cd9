#include "engine/scan.h"

#include "base/err.h"
#include "base/pool.h"
#include "engine/assembler.h"
#include "engine/run.h"

#include <stdlib.h>
#include <string.h>

/* Start a worker on every processor. */
static int
start_crew(struct run *run, struct worker **workers, unsigned n)
{
	unsigned i;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++)
		r = run_worker_new(&workers[i], run);
	return r != 0 ? r : crew_start(&run->crew, (void *const *)workers, n);
}

int
scan_run(struct scan_result *out, const struct scan_options *o)
{
	const struct run_options options = {.counts = o->counts,
	    .warn = o->warn,
	    .warn_arg = o->warn_arg,
	    .interrupt = o->interrupt};
	struct assembler *a = NULL;
	struct pool_thread *thread = NULL;
	unsigned i, n = pool_cpus();
	struct worker **workers = calloc(n, sizeof(struct worker *));
	struct run run;
	int r;

	if (workers == NULL)
		return err_nomem(n * sizeof(struct worker *));
	r = run_init(&run, &options);
	if (r != 0) {
		free(workers);
		return r;
	}
	r = start_crew(&run, workers, n);
	if (r == 0)
		r = assembler_new(&a, &run);
	if (r == 0)
		r = pool_thread_start(&thread, assembler_run, a);
	if (r == 0) {
		(void)walk_run(&run, &o->walk); /* its error is in the fate */
		pool_thread_join(thread);
		r = fate_result(&run.fate);
	}
	crew_stop(run.crew);
	if (r == 0)
		memcpy(out->address, assembler_root(a)->address, HASH_BYTES);
	assembler_free(a);
	for (i = 0; i < n; i++)
		run_worker_free(workers[i]);
	run_release(&run);
	free(workers);
	return r;
}
