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
 * LMDB calls files by itself: they (data.mdb, lock.mdb, and the folder `index`
 * of the root) are not part of the disk; see sim_tables.h.  Nor is a folder
 * `reserve`, and a directory that is renamed.
 *
 * Thread use: any, but for starting, stopping and what follows a cut.
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
/* Before call `at` is done, `call` is called.  0: never. */
void sim_disk_call(uint64_t at, void (*call)(void));
/* From now on fsync() of these says that it was done, and was not. */
#define SIM_DISK_FILES 1u
#define SIM_DISK_DIRS 2u
void sim_disk_lie(unsigned syncs);
/* What was not synced is gone at a cut, all of it. */
void sim_disk_lose_all(int all);
/* A changing call of others.  0: do it; 1: do it, and say EIO; -1: only say
 * that. */
int sim_disk_step(void);
/* Nonzero: the power has gone. */
int sim_disk_is_off(void);
/*
 * The power is back.  All files of the folder are closed.  Returns how many
 * sectors and names were lost.
 */
unsigned sim_disk_crash(void);
/* Not the power went, but the process died at that call: nothing is lost, and
 * all its files are closed. */
void sim_disk_revive(void);

#endif
