#ifndef HS_BASE_POOL_H
#define HS_BASE_POOL_H

/*
 * Threads: the only place of pthread.  Locks, conditions, threads, and a
 * bounded queue through which a worker takes whole ownership of what it is
 * handed.
 */

#include <pthread.h>
#include <stddef.h>

struct pool_lock {
	pthread_mutex_t m;
};
struct pool_cond {
	pthread_cond_t c;
};

/* For one that lives as long as the process. */
#define POOL_LOCK_INIT \
	{ \
		PTHREAD_MUTEX_INITIALIZER \
	}

/* These abort on misuse: a failing lock is our bug, not an input. */
void pool_lock_init(struct pool_lock *l);
void pool_lock_release(struct pool_lock *l);
void pool_lock_enter(struct pool_lock *l);
void pool_lock_leave(struct pool_lock *l);
void pool_cond_init(struct pool_cond *c); /* monotonic clock */
void pool_cond_release(struct pool_cond *c);
void pool_cond_wait(struct pool_cond *c, struct pool_lock *l);
/* Returns 0, or 1 when `timeout_ms` went by. */
int pool_cond_wait_ms(
    struct pool_cond *c, struct pool_lock *l, unsigned timeout_ms);
void pool_cond_wake_all(struct pool_cond *c);

struct pool_thread; /* one joinable thread */
/*
 * Start `run(arg)`; ERR_NOMEM or ERR_FAIL.  SIGINT, SIGTERM and the like stay
 * blocked in it, so they reach the main thread.
 */
int pool_thread_start(struct pool_thread **out, void (*run)(void *), void *arg);
/* Wait for its end and free it; NULL is fine. */
void pool_thread_join(struct pool_thread *t);

/* Processors this process may use, at least 1. */
unsigned pool_cpus(void);

/* A bounded first-in-first-out queue of pointers. */
struct pool_queue;
int pool_queue_new(struct pool_queue **out, size_t capacity);
/* The queue must be empty or its items owned elsewhere; NULL is fine. */
void pool_queue_free(struct pool_queue *q);
/* Waits for room.  Returns 0, or 1 when the queue was closed (item stays
 * the caller's). */
int pool_queue_push(struct pool_queue *q, void *item);
/* Waits for an item.  Returns 0, or 1 when closed and empty. */
int pool_queue_pop(void **out, struct pool_queue *q);
/* As pop, at once: 1 also when nothing is there. */
int pool_queue_try_pop(void **out, struct pool_queue *q);
/* No more pushes; pops go on until it is empty. */
void pool_queue_close(struct pool_queue *q);

#endif
