#ifndef HS_BASE_KVPAGES_H
#define HS_BASE_KVPAGES_H

/*
 * Are the pages of an environment (base/kv.h) what LMDB takes them for?  It
 * maps its file and believes it: a page that the disk spoilt ends the process,
 * sends a search astray, or has a page in use written over.  This reads the
 * file instead, every page that is in use once, and says no to whatever LMDB
 * could stumble on:
 *
 *  - two heads, of which the newer one counts; its tables and no others;
 *  - each tree as deep as it says, keys in order within a page and between
 *    its neighbours' bounds, nodes that fill the page without gap or overlap,
 *    as many entries as are counted;
 *  - no page used twice, or used and free; behind the end of the file only
 *    free ones, which were never written.
 *
 * It knows nothing of what the values say: who keeps an environment checks
 * that by himself.
 *
 * Source: the file format of LMDB 0.9 (MDB_DATA_VERSION 1), which has been the
 * same since 2011; what another version writes is damaged, that is made anew.
 */

#include <stdint.h>

/*
 * Is there an environment in the folder `dir`, and of how many bytes?
 * Returns 0; 1: there is none; ERR_DAMAGED: something that can be none; ERR_IO;
 * ERR_NOMEM.
 */
int kvpages_look(uint64_t *bytes, const char *dir);

/*
 * Check the pages of the environment in `dir`, which nobody writes to.
 * Returns 0; 1: there is none; ERR_DAMAGED; ERR_IO; ERR_NOMEM.
 */
int kvpages_check(const char *dir);

#endif
