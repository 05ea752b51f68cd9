#ifndef HS_SERVER_CENSUS_H
#define HS_SERVER_CENSUS_H

/*
 * What a store holds, counted from its files alone: no lock, no index, nothing
 * that a server under way would notice.  Packs and snapshots are immutable and
 * appear whole, so what is counted was there.
 */

#include "server/account.h"
#include "server/vaults.h"

#include <stddef.h>
#include <stdint.h>

struct census_mount {
	struct account_mount mount; /* `label` empty: its file is lost */
	uint64_t snapshots; /* damaged ones included, retired ones not */
	uint64_t retired; /* those that wait for the end of their grace */
	uint64_t damaged; /* of them: those that fail their checksum */
	uint64_t bytes; /* of the contents of all its snapshots */
	/* The newest one that is not damaged; seq 0: there is none. */
	uint64_t last_seq;
	int64_t last_ns; /* receive time */
	uint64_t last_files, last_bytes;
};

struct census {
	uint64_t vaults;
	uint64_t packs, pack_bytes;
	uint64_t snapshots, snapshot_bytes; /* their files */
	uint64_t retired; /* snapshots that are not counted otherwise */
	uint64_t damaged; /* of the snapshots */
	uint64_t bytes; /* of the contents of all snapshots */
	uint64_t free_bytes; /* of the file system */
	const char *write_path; /* backend.h; NULL without a vault */
	struct census_mount *mounts; /* by label */
	size_t nmounts;
};

/*
 * Count.  Returns 0 and what census_release() ends; ERR_IO; ERR_NOMEM.
 */
int census_take(struct census *out, const struct account *a,
    vaults_backend_fn *open_backend);
void census_release(struct census *c);

#endif
