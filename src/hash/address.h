#ifndef HS_HASH_ADDRESS_H
#define HS_HASH_ADDRESS_H

/*
 * Content addresses, the keys that users see; docs/format.md 4.  A file's
 * address is the BLAKE3 of its bytes; a directory's covers kind, name and
 * address of its entries.  Independent of chunking, compression and keys.
 */

#include "hash/hash.h"

enum address_kind {
	ADDRESS_FILE = 1,
	ADDRESS_DIR = 2,
	ADDRESS_SYMLINK = 3,
	ADDRESS_FIFO = 4,
	ADDRESS_CHARDEV = 5,
	ADDRESS_BLOCKDEV = 6
};

/* "X" + 64 digits + NUL. */
#define ADDRESS_TEXT_BYTES 66

/* Begin a directory; then its entries in order of raw name bytes. */
void address_dir_init(struct hash *h);
/* `name_len` is 1 .. 255. */
void address_dir_add(struct hash *h, enum address_kind kind, const char *name,
    size_t name_len, const uint8_t address[HASH_BYTES]);
void address_dir_final(const struct hash *h, uint8_t out[HASH_BYTES]);

void address_symlink(uint8_t out[HASH_BYTES], const char *target, size_t len);
void address_fifo(uint8_t out[HASH_BYTES]);
void address_device(uint8_t out[HASH_BYTES], uint32_t major, uint32_t minor);

/* The key as users see it: 64 digits, with an X in front for a directory. */
void address_text(char out[ADDRESS_TEXT_BYTES], enum address_kind kind,
    const uint8_t address[HASH_BYTES]);

#endif
