#include "engine/crew.h"

#include "base/err.h"
#include "base/pool.h"

#include <stddef.h>
#include <stdlib.h>

struct list {
	struct crew_task *first;
	struct crew_task **end;
};

struct member {
	struct crew *crew;
	struct pool_thread *thread;
	void *context;
};

struct crew {
	struct pool_lock lock;
	struct pool_cond work;
	struct list urgent;
	struct list ordinary;
	unsigned idle; /* threads that wait */
	int stopping;
	unsigned n;
	struct member members[];
};

static void
list_init(struct list *l)
{
	l->first = NULL;
	l->end = &l->first;
}

static struct crew_task *
list_take(struct list *l)
{
	struct crew_task *task = l->first;

	if (task != NULL) {
		l->first = task->next;
		if (l->first == NULL)
			l->end = &l->first;
	}
	return task;
}

static void
work(void *arg)
{
	struct member *m = arg;
	struct crew *c = m->crew;
	struct crew_task *task;

	pool_lock_enter(&c->lock);
	for (;;) {
		task = list_take(&c->urgent);
		if (task == NULL)
			task = list_take(&c->ordinary);
		if (task == NULL && c->stopping)
			break;
		if (task == NULL) {
			c->idle++;
			pool_cond_wait(&c->work, &c->lock);
			c->idle--;
			continue;
		}
		pool_lock_leave(&c->lock);
		task->run(task, m->context);
		pool_lock_enter(&c->lock);
	}
	pool_lock_leave(&c->lock);
}

int
crew_start(struct crew **out, void *const *contexts, unsigned n)
{
	struct crew *c = calloc(1, sizeof(*c) + n * sizeof(c->members[0]));
	unsigned i;
	int r = 0;

	if (c == NULL)
		return err_nomem(sizeof(*c));
	pool_lock_init(&c->lock);
	pool_cond_init(&c->work);
	list_init(&c->urgent);
	list_init(&c->ordinary);
	for (i = 0; r == 0 && i < n; i++) {
		c->members[i].crew = c;
		c->members[i].context = contexts[i];
		r = pool_thread_start(
		    &c->members[i].thread, work, &c->members[i]);
		if (r == 0)
			c->n++;
	}
	if (r != 0) {
		crew_stop(c);
		return r;
	}
	*out = c;
	return 0;
}

void
crew_stop(struct crew *c)
{
	unsigned i;

	if (c == NULL)
		return;
	pool_lock_enter(&c->lock);
	c->stopping = 1;
	pool_cond_wake_all(&c->work);
	pool_lock_leave(&c->lock);
	for (i = 0; i < c->n; i++)
		pool_thread_join(c->members[i].thread);
	pool_cond_release(&c->work);
	pool_lock_release(&c->lock);
	free(c);
}

void
crew_submit(struct crew *c, struct crew_task *task, int urgent)
{
	struct list *l = urgent ? &c->urgent : &c->ordinary;

	task->next = NULL;
	pool_lock_enter(&c->lock);
	*l->end = task;
	l->end = &task->next;
	if (c->idle > 0)
		pool_cond_wake_all(&c->work);
	pool_lock_leave(&c->lock);
}

int
crew_withdraw(struct crew *c, struct crew_task *task)
{
	struct list *l = &c->urgent;
	struct crew_task **at;
	int found;

	pool_lock_enter(&c->lock);
	for (at = &l->first; *at != NULL && *at != task; at = &(*at)->next)
		;
	found = *at == task;
	if (found) {
		*at = task->next;
		if (*at == NULL)
			l->end = at;
	}
	pool_lock_leave(&c->lock);
	return found;
}

int
crew_help(struct crew *c, void *context)
{
	struct crew_task *task;

	pool_lock_enter(&c->lock);
	task = list_take(&c->urgent);
	pool_lock_leave(&c->lock);
	if (task == NULL)
		return 1;
	task->run(task, context);
	return 0;
}
