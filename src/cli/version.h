#ifndef HS_CLI_VERSION_H
#define HS_CLI_VERSION_H

#define VERSION_TEXT "0.1"

/* Print version, libraries and the fast paths in use here; 0 or ERR_IO. */
int version_print(void);

#endif
