#ifndef HS_TESTS_SIM_TABLES_H
#define HS_TESTS_SIM_TABLES_H

/*
 * LMDB's data on the simulated disk (sim_disk.h), which its library writes by
 * itself: what commits and syncs of src/ do to it are calls at which the power
 * may go, and a cut leaves of data.mdb
 *  - the pages of its last sync, those of now, or any of both;
 *  - nothing at all;
 *  - flipped bytes, zeros or a part: of a stat cache, whose records have
 *    checksums, and where something beside it says that it cannot be trusted
 *    (`sum`, which it then contradicts, or `unsynced` of another boot).
 * A boot has an id of its own.  And no file is too young for a cache, a restore
 * and the reserve are no part of the disk.
 */

#include <stdint.h>

/* The environments below `root`, which lives as long. */
void sim_tables_start(const char *root, uint64_t seed);
void sim_tables_stop(void);
/* The power has gone: before and after sim_disk_crash(). */
void sim_tables_take(void);
void sim_tables_put(void);

/* What became of them so far, as the end of a line. */
void sim_tables_print(void);

#endif
