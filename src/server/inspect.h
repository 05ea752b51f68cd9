#ifndef HS_SERVER_INSPECT_H
#define HS_SERVER_INSPECT_H

/*
 * Work on whole vaults that needs them alone: `verify` and `reindex`, asked
 * for through the control socket of a running server.  A vault that has
 * sessions is left out and named; while one is worked on, nobody can log in
 * to it.  And `sessions`, which says how many there are.
 */

#include <stdint.h>

struct control_peer;
struct dispatch;
struct vaults;

struct inspect {
	struct dispatch *dispatch;
	struct vaults *vaults;
};

/* A control_command_fn; `arg` is a struct inspect. */
int inspect_command(void *arg, struct control_peer *peer, const char *command);

/* What came of it, over all vaults. */
struct inspect_counts {
	uint64_t vaults; /* done */
	uint64_t packs, records, bytes, snapshots, findings;
};

/* A finding: where it is, and what. */
typedef void inspect_found_fn(void *arg, const char *where, const char *what);
/* So many packs and bytes of them were read so far. */
typedef void inspect_progress_fn(void *arg, uint64_t packs, uint64_t bytes);

/*
 * Ask the server of the store `dir` for `command`, "verify" or "reindex".
 * Both texts of a finding are fit to be printed; a reindex has none, and tells
 * no progress: `found` and `progress` may be NULL.
 * Returns 0; 1 when no server is running there; ERR_BUSY when a vault has
 * sessions; the errors of the work; ERR_UNREACHABLE.
 */
int inspect_ask(struct inspect_counts *out, const char *dir,
    const char *command, inspect_found_fn *found, inspect_progress_fn *progress,
    void *arg);

#endif
