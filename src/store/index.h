#ifndef HS_STORE_INDEX_H
#define HS_STORE_INDEX_H

/*
 * Where every object of a vault lies, and what refers to what: tables over
 * base/kv.  A cache: the packs rebuild it (store/vault.h).
 *
 * Each object that is present and closed has a number, given in the order of
 * admission, and everything it refers to has a smaller one.  So the ancestors
 * of a lost object are found in one ascending pass over the refs, and what a
 * snapshot reaches in one descending pass.
 *
 *   obj       id -> place, class, epoch, state, number
 *   refs      number -> numbers of the refs, perhaps none
 *   num       number -> id
 *   file      file id -> number of a bundle, member
 *   pack      pack number -> name, size, class, records
 *   packname  name -> pack number
 *   open      ids of the objects in state INDEX_OPEN
 *   head      mount -> newest server sequence known here
 *   pending   pack number -> enum index_pending: it is not all in yet
 *   other     id, pack number, offset -> length, epoch, class: further records
 *             of an object, which `obj` does not name
 *   meta      version, vault, next numbers
 *
 * Each row has a checksum (KV_SUMS), and a number without a row of refs is
 * damage: what the disk spoils is no answer.  A spoilt index is made anew when
 * it is opened, which compares its sum (store/indexsum.h), or, where it was not
 * closed, looks at every page and row.
 *
 * A transaction keeps the pages that it changes in memory, so what may write
 * much calls index_step() now and then.  `have` is right after each of these
 * commits, for an object gets in after all that it needs.  What is not right
 * yet stands in `pending`.
 *
 * Thread use: as base/kv.h; a transaction belongs to one thread, which has no
 * second one beside it.
 */

#include "base/kv.h"

#include <stddef.h>
#include <stdint.h>

struct buf;

#define INDEX_ID_BYTES 32
#define INDEX_VAULT_BYTES 16
/* No number: the object is not closed. */
#define INDEX_NUM_NONE UINT32_MAX
/* Rows that a transaction writes before index_step() ends it.  Ids are random,
 * so each row may change a page of 4 KiB of its own: 16 MiB of memory. */
#define INDEX_TXN_ROWS 4096u

/* Further records of one object that anybody looks at: who makes more of them
 * only means to keep us busy. */
#define INDEX_OTHERS_MAX 64u

enum index_table {
	INDEX_OBJ,
	INDEX_REFS,
	INDEX_NUM,
	INDEX_FILE,
	INDEX_PACK,
	INDEX_PACKNAME,
	INDEX_OPEN_IDS,
	INDEX_HEAD,
	INDEX_PENDING,
	INDEX_OTHER,
	INDEX_META,
	INDEX_TABLES
};

enum index_state {
	INDEX_CLOSED = 1, /* in `have` */
	INDEX_OPEN = 2, /* `get` serves it; something it needs is not there */
	INDEX_DAMAGED = 3 /* its record is marked */
};

/* Why a pack must be read again: see store/admit.h. */
enum index_pending {
	INDEX_PENDING_ROWS = 1, /* objects or file ids of it may be missing */
	INDEX_PENDING_SEARCH = 2 /* the same, if it has an unknown object */
};

struct index_object {
	uint32_t num; /* INDEX_NUM_NONE unless closed */
	uint32_t pack; /* its number */
	uint32_t offset;
	uint32_t length;
	uint32_t epoch;
	uint8_t class; /* enum record_class */
	uint8_t state; /* enum index_state */
};

struct index_pack {
	uint32_t number;
	uint8_t name[32];
	uint64_t size;
	uint32_t records;
	uint8_t class;
	/* For whom it was written, and after which snapshot of that mount
	 * (store/pack.h); all zero: for nobody in particular. */
	uint8_t origin[16];
	uint64_t after;
};

struct index;

struct index_txn {
	struct index *ix;
	struct kv_txn *kv; /* NULL once it has ended */
	int write;
	uint32_t rows; /* written so far */
	uint32_t next_num;
	uint32_t next_pack;
};

/*
 * Open the index of `vault` in the folder `path`.  One that is missing,
 * broken, of another version or of another vault is made anew.
 * Returns 0; 1 when it was made anew and holds nothing; ERR_*.
 */
int index_open(struct index **out, const char *path,
    const uint8_t vault[INDEX_VAULT_BYTES]);
void index_close(struct index *ix);
/* Does it take changes?  Returns 0; ERR_READONLY (base/kv.h). */
int index_check(struct index *ix);

/* Forget everything. */
int index_clear(struct index *ix);

int index_begin(struct index_txn *out, struct index *ix, int write);
/* Returns 0, or ERR_*: then nothing was written. */
int index_commit(struct index_txn *t);
/* Without effect on one that has ended. */
void index_abort(struct index_txn *t);
/*
 * Commit `t` if it has written INDEX_TXN_ROWS, and begin another: others may
 * have written in between.  Returns 0 when nothing happened; 1 when it is
 * another transaction; ERR_*: it has ended.
 */
int index_step(struct index_txn *t);

/* Returns 0; 1 when it is not there; ERR_*. */
int index_find(struct index_object *out, struct index_txn *t,
    const uint8_t id[INDEX_ID_BYTES]);
/*
 * Admit an object whose refs all are closed: their numbers are at `refs`.
 * Sets `o->num` and `o->state`.  It must not be closed already.
 */
int index_add_closed(struct index_txn *t, const uint8_t id[INDEX_ID_BYTES],
    struct index_object *o, const uint32_t *refs, uint32_t nrefs);
/* Keep the place of an object that is INDEX_OPEN or INDEX_DAMAGED. */
int index_add_unclosed(struct index_txn *t, const uint8_t id[INDEX_ID_BYTES],
    struct index_object *o, enum index_state state);
/* Replace the place and epoch of an object, whatever its state. */
int index_move(struct index_txn *t, const uint8_t id[INDEX_ID_BYTES],
    const struct index_object *o);
/* Forget an object that is not closed. */
int index_forget(struct index_txn *t, const uint8_t id[INDEX_ID_BYTES]);
/* Take a closed object out: it keeps its place in `state` (INDEX_OPEN or
 * INDEX_DAMAGED), or is forgotten with 0. */
int index_unclose(struct index_txn *t, uint32_t num, int state);
/*
 * Let a closed object leave `have` because no snapshot needs it: it is
 * INDEX_OPEN from now on, but not in the table `open`, for nobody misses it.
 * Returns 0; 1 when there is no such number; ERR_*.
 */
int index_retire(struct index_txn *t, uint32_t num);
/* A further record of an object, whatever its state; `num` and `state` of `o`
 * mean nothing. */
int index_other_add(struct index_txn *t, const uint8_t id[INDEX_ID_BYTES],
    const struct index_object *o);
/* Forget it; it may be unknown. */
int index_other_del(struct index_txn *t, const uint8_t id[INDEX_ID_BYTES],
    uint32_t pack, uint32_t offset);
/* Append the further records of an object: struct index_object, at most
 * INDEX_OTHERS_MAX.  The one that `obj` names may be among them. */
int index_other_list(
    struct buf *out, struct index_txn *t, const uint8_t id[INDEX_ID_BYTES]);
/* Forget all that lie in the `n` packs with these numbers (sorted). */
int index_other_del_packs(struct index_txn *t, const uint32_t *packs, size_t n);

/* The id of a number.  Returns 0; 1; ERR_*. */
int index_id_of(uint8_t id[INDEX_ID_BYTES], struct index_txn *t, uint32_t num);
/*
 * The numbers that `num` refers to: native u32, in memory of the transaction
 * and perhaps unaligned; an empty slice when there are none.
 */
int index_refs(struct kv_slice *out, struct index_txn *t, uint32_t num);
/* Whoever went through INDEX_REFS met so many rows: were these all? */
int index_check_refs(struct index_txn *t, uint64_t rows);

/* A bundle that holds a file id.  Returns 0; 1; ERR_*. */
int index_find_file(uint8_t bundle[INDEX_ID_BYTES], uint32_t *member,
    struct index_txn *t, const uint8_t file_id[INDEX_ID_BYTES]);
/*
 * The first bundle keeps a file id.  A row that is missing makes a client
 * store a file that is here already; nothing else relies on these rows.
 */
int index_add_file(struct index_txn *t, const uint8_t file_id[INDEX_ID_BYTES],
    uint32_t num, uint32_t member);

/* Sets `p->number`. */
int index_add_pack(struct index_txn *t, struct index_pack *p);
/* Say something else of the pack with the number `p->number`; its name stays.
 */
int index_set_pack(struct index_txn *t, const struct index_pack *p);
int index_remove_pack(struct index_txn *t, const struct index_pack *p);
/*
 * index_step() amid the admission of pack `p`: before the commit it is noted
 * as INDEX_PENDING_ROWS, afterwards `p->number` is what it is now.  The same,
 * or ERR_STALE: the index does not know the pack any more.
 */
int index_step_pack(struct index_txn *t, struct index_pack *p);
/* Note, or with 0 forget, that the pack is not all in. */
int index_set_pending(struct index_txn *t, uint32_t pack, int why);
/* enum index_pending; 0 when the pack is all in; ERR_*. */
int index_pending(struct index_txn *t, uint32_t pack);
/* Returns 0; 1; ERR_*. */
int index_pack(struct index_pack *out, struct index_txn *t, uint32_t number);
int index_pack_named(
    struct index_pack *out, struct index_txn *t, const uint8_t name[32]);
/* Every pack; nonzero from `found` ends it with that code. */
int index_packs(struct index_txn *t,
    int (*found)(void *arg, const struct index_pack *p), void *arg);

/* The generation that the index was last true for.  Returns 0; 1; ERR_*. */
int index_generation(uint8_t out[32], struct index_txn *t);
int index_set_generation(struct index_txn *t, const uint8_t generation[32]);

/* The newest sequence of a mount, 0 when there is none. */
int index_head(uint64_t *out, struct index_txn *t, const uint8_t mount[16]);
int index_set_head(struct index_txn *t, const uint8_t mount[16], uint64_t seq);
int index_heads(struct index_txn *t,
    int (*found)(void *arg, const uint8_t mount[16], uint64_t seq), void *arg);

/* For the files of the index alone: all rows of the objects and packs are
 * written and deleted by these two; ERR_DAMAGED and what to do. */
int index_put_row(struct index_txn *t, unsigned table, const void *key,
    size_t key_len, const void *value, size_t len);
int index_del_row(
    struct index_txn *t, unsigned table, const void *key, size_t key_len);
int index_is_damaged(void);

/* Decode a value of INDEX_OBJ for those who walk the table. */
int index_decode_object(struct index_object *out, struct kv_slice value);

#endif
