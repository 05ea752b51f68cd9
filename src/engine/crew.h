#ifndef HS_ENGINE_CREW_H
#define HS_ENGINE_CREW_H

/*
 * Worker threads with two queues of tasks.  Urgent ones (sealing) come before
 * ordinary ones (reading), so that what is nearest to the end of the pipeline
 * is done first and memory drains.  Tasks are parts of what they work on:
 * submitting takes no memory and never waits.
 */

struct crew;

struct crew_task {
	struct crew_task *next; /* the crew's */
	/* `context` is the thread's own, as given to crew_start(). */
	void (*run)(struct crew_task *task, void *context);
};

/* Start `n` threads; number i works with `contexts[i]`.  ERR_NOMEM, ERR_FAIL.
 */
int crew_start(struct crew **out, void *const *contexts, unsigned n);
/* Finish what was submitted, end the threads, free; NULL is fine. */
void crew_stop(struct crew *c);
void crew_submit(struct crew *c, struct crew_task *task, int urgent);
/*
 * Take back an urgent task that was submitted.  Returns 1, or 0 when somebody
 * has begun it.
 */
int crew_withdraw(struct crew *c, struct crew_task *task);
/*
 * For a task that must wait: run one urgent task meanwhile.  Returns 0, or 1
 * when there is none.
 */
int crew_help(struct crew *c, void *context);

#endif
