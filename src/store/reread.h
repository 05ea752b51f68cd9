#ifndef HS_STORE_REREAD_H
#define HS_STORE_REREAD_H

/*
 * After a failed sync, when the vault is opened again: reads what was under
 * way then from the device.
 *
 * The kernel reports a write that it could not do once, to the sync that
 * fails, and may from then on answer reads from a page cache that differs from
 * the disk.  So nothing of such a file was acknowledged, and all of it was
 * taken back; but a removal can fail as well, and then the file is found at
 * the next start.  Its records are read here past the cache.  One that is bad
 * is marked as damaged before anybody asks the index; a pack whose footer is
 * bad is left to store/survey.h, which trusts no record that it did not read.
 * A snapshot that is bad is removed: nobody was told of it.  State files have
 * checksums that their readers check.
 *
 * This file knows what a pack is, the backend which objects are unsure.
 */

struct vault;

/*
 * Called when the vault is opened, before anything else looks at it.
 * Returns 0, the counts in `v`, also when the device takes nothing and all
 * stays as it is; ERR_IO: it cannot be read; ERR_NOSPACE; ERR_NOMEM.
 */
int reread_vault(struct vault *v);

#endif
