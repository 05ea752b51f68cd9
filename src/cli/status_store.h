#ifndef HS_CLI_STATUS_STORE_H
#define HS_CLI_STATUS_STORE_H

/*
 * `shash status --store_dir`: print what the store in `store_dir` holds, with
 * or without a server.  ERR_NOSTORE; ERR_IO; ERR_NOMEM.
 */
int status_store(const char *store_dir);

#endif
