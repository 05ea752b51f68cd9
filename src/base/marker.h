#ifndef HS_BASE_MARKER_H
#define HS_BASE_MARKER_H

/*
 * A file in a directory of ours that says: there is data here that was
 * written and not synced, during the boot whose id I hold.  While the machine
 * runs, its page cache has everything, even when the writer dies.  A marker of
 * another boot means that some of it may be missing.
 *
 * Thread use: one thread at a time.
 */

struct marker;

/* A handle for the marker of the directory `dir`, freed by marker_free(). */
int marker_new(struct marker **out, const char *dir);
void marker_free(struct marker *m); /* NULL is fine */

/*
 * Returns 0: all data is there; 1: data may be missing, so rebuild it; ERR_*.
 */
int marker_check(const struct marker *m);

/* Durably, before the first unsynced write; cheap when it is there. */
int marker_put(struct marker *m);

/* Nonzero when this handle put it: then sync and remove it at the end. */
int marker_is_ours(const struct marker *m);

/*
 * Some of the data can never be synced: whoever checks this marker from now
 * on, in this boot too, is told to rebuild.  Not synced itself: what the page
 * cache forgets, a rebuild is not needed for.
 */
void marker_spoil(struct marker *m);

/* After everything was synced.  Should it stay, a rebuild is all it costs. */
void marker_remove(struct marker *m);

#endif
