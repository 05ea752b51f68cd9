#ifndef HS_SERVER_SERVER_H
#define HS_SERVER_SERVER_H

/*
 * The server: one process per store folder, in the foreground.
 */

#include <stdint.h>

struct backend;

#define SERVER_PORT_DEFAULT 7532

struct server_options {
	const char *store_dir; /* becomes a store if absent or empty */
	const char *listen; /* numeric address; NULL: all */
	uint16_t port; /* 0: any free one */
	int insecure; /* register without an invitation */
	unsigned scrub_days; /* every pack is read once in so many; 0: never */
	int scrub_now; /* and once, as soon as the server runs */
	/*
	 * Opens the backend of the vault in `vault_dir`, which lays files
	 * under way into `incoming_dir`.
	 */
	int (*open_backend)(struct backend **out, const char *vault_dir,
	    const char *incoming_dir);
	/* The server answers now; NULL: nobody wants to know. */
	void (*ready)(void *arg, uint16_t port);
	void *arg;
};

/*
 * Serve until SIGTERM, SIGINT or server_stop().  Says on stderr where it
 * listens.  To be called from a process with one thread: it sets signals and
 * the umask.
 *
 * Returns 0 after a clean end; ERR_NOSTORE; ERR_BUSY (the store has a
 * server, or is used without one); ERR_FAIL (the port is taken); ERR_IO.
 */
int server_run(const struct server_options *o);

/*
 * Ask the server of the store to end and wait until it has ended and the
 * store is free.  Returns 0; 1 when none is running; ERR_NOSTORE;
 * ERR_UNREACHABLE when it does not end.
 */
int server_stop(const char *store_dir);

#endif
