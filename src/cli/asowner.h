#ifndef HS_CLI_ASOWNER_H
#define HS_CLI_ASOWNER_H

/*
 * Whoever looks after a machine is root, and the store on it is another
 * user's: what root made in there that user's server could not read.  So the
 * commands that take --store_dir do their work as the owner of the folder.
 */

/*
 * If this is root, become the owner of `store_dir`, for good.  Nothing happens
 * when that is root too, or unknown: the command itself says what is wrong
 * with the folder.  Before there is a second thread.
 * Returns 0; ERR_IO.
 */
int asowner_become(const char *store_dir);

#endif
