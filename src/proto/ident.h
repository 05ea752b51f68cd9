#ifndef HS_PROTO_IDENT_H
#define HS_PROTO_IDENT_H

/*
 * Sizes that several messages share.  Vaults, mounts, sessions and
 * invitations are named by 16 bytes; docs/protocol.md 1.2.
 */

#define IDENT_BYTES 16

/* What `hello` names; a client of another number does not go on. */
#define IDENT_PRODUCT "hashstore"
#define IDENT_PROTOCOL 1

#define IDENT_NONCE_BYTES 32
#define IDENT_GENERATION_BYTES 32

#endif
