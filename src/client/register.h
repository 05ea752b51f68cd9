#ifndef HS_CLIENT_REGISTER_H
#define HS_CLIENT_REGISTER_H

/*
 * Registration of a directory with a server; docs/protocol.md 3.2.
 */

#include "client/channel.h"
#include "proto/enroll.h"

struct register_options {
	const char *url;
	const char *invitation; /* NULL: the server must be insecure */
	uint8_t mount_seed[SIGN_SEED_BYTES]; /* kept by the caller first */
	uint8_t join_seed[SIGN_SEED_BYTES]; /* of the vault */
	struct header header; /* of the vault */
	const char *label;
	enum enroll_mode mode;
	const struct channel_policy *policy; /* NULL: the default one */
};

struct register_result {
	uint8_t mount[IDENT_BYTES];
	uint8_t store_public[SIGN_PUBLIC_BYTES]; /* to be pinned */
	struct header header; /* as the store has it: the caller checks it */
	int created; /* the vault is new; 0 also when this was a repetition */
};

/*
 * Ask a server who it is: its key, and whether it takes registrations without
 * an invitation.  Nothing proves the answer yet.
 * Returns 0; ERR_USAGE; ERR_UNREACHABLE (also: not a hashstore server).
 */
int register_hello(uint8_t store_public[SIGN_PUBLIC_BYTES], int *insecure,
    const char *url, const struct channel_policy *policy);

/*
 * Register.  With the same mount seed and invitation it may be repeated until
 * an answer arrives.
 *
 * Returns 0; ERR_USAGE (URL, invitation or label); ERR_UNREACHABLE;
 * ERR_REFUSED; ERR_EXIST and ERR_NOENT as enum enroll_mode says.
 */
int register_mount(
    struct register_result *out, const struct register_options *o);

#endif
