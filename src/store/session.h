#ifndef HS_STORE_SESSION_H
#define HS_STORE_SESSION_H

/*
 * One mount's session on a vault: the packs that it is writing, what is in
 * them, and the way from there into the index.
 *
 *   put --> open pack --close--> durable pack --admit--> closed: in `have`
 *                                                 |
 *                                                 +----> waiting: its refs
 *                                                        are not all here
 *
 * A session says that it has what was put in it, in an open pack or waiting,
 * though the vault does not yet.  When a pack fails, that promise is broken:
 * every later call gets ERR_STALE, and the client asks everything again.
 *
 * Thread use: all calls but session_close() may run at once.
 */

#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

struct session;
struct vault;

/* Flags of session_put(). */
/* Store the records even if the vault has undamaged ones of these ids. */
#define SESSION_REPLACE 1u

/*
 * An open pack keeps what it will tell the index in memory, so it is closed
 * early when its records are tiny.  A record takes 200 bytes, with room to
 * grow 400: 13 MiB.
 */
#define SESSION_RECORDS_MAX 32768u
/* Refs and members: with room to grow and a table of file ids, 14 MiB; when it
 * is closed, 4 MiB to sort these (store/members.h). */
#define SESSION_IDS_BYTES_MAX (8u << 20)
/* Waiting objects that a session remembers; of more it says that it does not
 * have them, and commit still finds them.  5 MiB. */
#define SESSION_WAITING_MAX 65536u

/*
 * Open a session of the mount with this id and public key; its parent is
 * pinned now.  On a full disk whose index is behind, the session reads, and
 * everything else gives ERR_NOSPACE.  Returns 0; ERR_*.
 */
int session_open(struct session **out, struct vault *v,
    const uint8_t mount[STORE_NAME_BYTES], const uint8_t public_key[32]);
/* Vault, mount, generation, parent and write path as they were then. */
void session_info(struct store_info *out, const struct session *s);

/* As store.h says. */
int session_have(
    struct session *s, uint8_t *bitmap, const uint8_t *ids, uint32_t n);
int session_have_files(struct session *s, struct store_member *out,
    const uint8_t *file_ids, uint32_t n);
/* Every record is checked before any is stored: ERR_DAMAGED, ERR_REFUSED. */
int session_put(
    struct session *s, const uint8_t *records, size_t len, unsigned flags);
int session_get(struct session *s, const uint8_t *ids, uint32_t n,
    store_got_fn *got, void *arg);
int session_get_other(struct session *s, const uint8_t id[STORE_ID_BYTES],
    const uint8_t *bad, uint32_t n, store_got_fn *got, void *arg);
int session_commit(struct session *s, struct store_receipt *receipt,
    struct buf *missing, const uint8_t *snapshot, size_t len);
int session_report(struct session *s, const uint8_t id[STORE_ID_BYTES]);

/* store.h: settle.  The session goes on with new packs. */
int session_settle(struct session *s);
/*
 * How many sessions that are open now had been opened before session number
 * `before` (vault.h: next_session) was; those that were fenced do not count.
 */
uint64_t session_count_before(struct vault *v, uint64_t before);
/* From now on every call gives ERR_STALE; what was stored is kept. */
void session_fence(struct session *s);
/*
 * Close and admit the open packs, so that interrupted work resumes, and free
 * the session; NULL is fine.  Returns 0, or the error of a pack: nothing of
 * it was acknowledged.
 */
int session_close(struct session *s);

#endif
