#ifndef HS_STORE_INDEXSUM_H
#define HS_STORE_INDEXSUM_H

/*
 * What an index was when it was closed: a file `sum` beside LMDB's, with the
 * length and the hash of its data, but for zeros at its end.  LMDB maps that
 * data and trusts it: a page that the disk spoilt ends the process, or lets it
 * answer wrongly, and wrong answers let a client skip an upload and a sweep
 * delete what is needed.  So nothing of an index that was closed is used
 * before it was compared.
 *
 *   no sum --(closed)--> sum --(first write)--> no sum
 *
 * A process that is killed leaves no sum: store/index.h has what is looked at
 * instead.
 *
 *   sum: length u64, BLAKE3 of the data, BLAKE3 of these 40 bytes
 *
 * Nothing is synced: a power cut may leave a sum of another state, which costs
 * a rebuild.
 */

/*
 * Compare the index in the folder `dir`, which nobody has open.  Returns 0; 1:
 * it was not closed, or there is none; ERR_DAMAGED: it must not be used;
 * ERR_IO; ERR_NOMEM.
 */
int indexsum_check(const char *dir);

/* Before the first write. */
int indexsum_forget(const char *dir);

/* After it was closed.  An error leaves it as one that was not. */
int indexsum_note(const char *dir);

#endif
