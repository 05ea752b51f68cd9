#ifndef HS_CLI_VERSION_H
#define HS_CLI_VERSION_H

#define VERSION_TEXT "0.1"

/*
 * Print which fast paths are in use: a line each, for SIMD, the private
 * chunker and, unless NULL, the `write_path` of a store (store/backend.h).
 * 0 or ERR_IO.
 */
int version_fast_paths(const char *write_path);

/* Print version, libraries and the fast paths in use here; 0 or ERR_IO. */
int version_print(void);

#endif
