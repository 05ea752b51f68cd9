#ifndef HS_BASE_TICKER_H
#define HS_BASE_TICKER_H

/*
 * A thread that works once in a while, and when it is told to.
 */

struct ticker;

/* `kicked`: somebody asked for it since the last time. */
typedef void ticker_fn(void *arg, int kicked);

/*
 * Call `work` every `period_ms`, which begins anew after each call, and soon
 * after a kick.  `*out` is set before the first call, so `work` may use it.
 * Returns 0 and what ticker_stop() ends; ERR_NOMEM, ERR_FAIL.
 */
int ticker_start(
    struct ticker **out, ticker_fn *work, void *arg, unsigned period_ms);
/* Kicks during a call make one call after it. */
void ticker_kick(struct ticker *t);
/* No call begins any more; one that runs is not waited for.  NULL is fine. */
void ticker_halt(struct ticker *t);
/* For work that takes long: whether it should end now. */
int ticker_is_halted(struct ticker *t);
/* Halts, waits for the call that runs, and frees; NULL is fine. */
void ticker_stop(struct ticker *t);

#endif
