#ifndef HS_TESTS_SIM_DISK_H
#define HS_TESTS_SIM_DISK_H

/*
 * A simulated disk under a folder, for programs whose calls of files and
 * directories the linker hands to it (the Makefile's DISKED): the calls are
 * done on real files in memory, and noted.  When the power goes, the folder
 * becomes what a disk may have kept:
 *  - of a file, what its last fsync covered; of what was written since, each
 *    sector of 512 bytes old, new or torn, and a length from the old one to
 *    the new one;
 *  - of a directory, what its last fsync covered; of the changes since (a
 *    rename is one in each of two directories), any, in their order.
 * So a name may be there and its data not, a file may lose its old name before
 * it has its new one, and what lies in a directory whose own name was not
 * synced is gone with it.
 *
 * LMDB calls files by itself: its folder, `index`, is not part of the disk.
 *
 * Thread use: one thread at a time.
 */

#include <stdint.h>

/* Take the empty folder `root`, which lives as long as the disk. */
void sim_disk_start(const char *root, uint64_t seed);
void sim_disk_stop(void);

/* Changing calls so far. */
uint64_t sim_disk_count(void);
/* At call `at` the power goes: it is done or not, it and all later ones that
 * change something fail with EIO.  0: never. */
void sim_disk_cut(uint64_t at);
/* Nonzero: the power has gone. */
int sim_disk_is_off(void);
/*
 * The power is back.  All files of the folder are closed.  Returns how many
 * sectors and names were lost.
 */
unsigned sim_disk_crash(void);

#endif
