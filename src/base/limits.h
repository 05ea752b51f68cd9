#ifndef HS_BASE_LIMITS_H
#define HS_BASE_LIMITS_H

/*
 * Every limit of the formats and the protocol, with its reason.  docs/format.md
 * section 1.3 is normative.  Decoders check a limit before they take memory.
 */

/* A plain payload: a chunk is at most 1 MiB, a bundle 2 MiB; xattr blocks
 * and trees may need more.  Bounds what one hostile record makes us take. */
#define LIMIT_PAYLOAD_BYTES (4u << 20)

/* References of one object: 1 MiB of ids. */
#define LIMIT_REFS 32768u

/* Members of one bundle: a bundle of tiny files stays below. */
#define LIMIT_MEMBERS 8192u

/* What sealing may add: nonce, tag, frame header, zstd's worst case, Padme. */
#define LIMIT_SEAL_OVERHEAD (512u << 10)
#define LIMIT_SEALED_BYTES (LIMIT_PAYLOAD_BYTES + LIMIT_SEAL_OVERHEAD)

/* A whole record; see format.md 3 for the parts. */
#define LIMIT_RECORD_BYTES \
	(72u + 32u * LIMIT_REFS + 32u * LIMIT_MEMBERS + LIMIT_SEALED_BYTES + \
	    32u)

/* A pack: large enough that syncs do not count, small enough to rewrite. */
#define LIMIT_PACK_BYTES (64u << 20)
/* Records of one pack: bounds the footer (88 bytes each). */
#define LIMIT_PACK_RECORDS 131072u
/* A footer: LIMIT_PACK_RECORDS entries and room for later sections. */
#define LIMIT_FOOTER_BYTES (16u << 20)

/* A snapshot file: its refs are one, its payload a root entry. */
#define LIMIT_SNAPSHOT_BYTES (1u << 20)

/* A name in a directory, as in the kernel. */
#define LIMIT_NAME_BYTES 255u
/* A symlink's target, as in the kernel. */
#define LIMIT_TARGET_BYTES 4096u
/* A user or group name. */
#define LIMIT_OWNER_BYTES 255u
/* All xattrs of one entry, encoded: they are one payload, so 63 values of the
 * kernel's 64 KiB; more are named and left out. */
#define LIMIT_XATTR_BYTES LIMIT_PAYLOAD_BYTES
/* Encoded xattrs above this go to an object of their own. */
#define LIMIT_XATTR_INLINE 1024u
/* A file that stands in the tree entry; writers do so up to fewer bytes
 * (object/entry.h). */
#define LIMIT_INLINE_BYTES 4096u
/* Chunks listed in the entry itself; longer lists become chunk maps. */
#define LIMIT_LIST_ITEMS 16u
/* Levels of trees-in-a-directory and of chunk maps. */
#define LIMIT_LEVELS 8u
/* Nesting of directories that restore and walk accept. */
#define LIMIT_DEPTH 8192u
/* A mount's label, a host name, a directory name, a tag. */
#define LIMIT_LABEL_BYTES 255u
#define LIMIT_TAGS 64u

/* One pattern of names or paths: a path is at most so long to the kernel. */
#define LIMIT_PATTERN_BYTES 4096u
/* A file of exclusion rules, and all that are in force in one directory: far
 * above what people write, and an upper bound of the time for one entry. */
#define LIMIT_RULES_BYTES (1u << 20)
#define LIMIT_RULES_FORCE_BYTES (4u << 20)

/* Requests: ids in one have or get; bytes of one put body; a JSON message. */
#define LIMIT_HAVE_IDS 8192u
#define LIMIT_GET_IDS 4096u
#define LIMIT_PUT_BYTES (16u << 20)
#define LIMIT_JSON_BYTES (64u << 10)
/* Records of one object that a client calls bad while it asks for another. */
#define LIMIT_OTHER_SUMS 16u
/* Missing ids that one refused commit lists. */
#define LIMIT_MISSING_IDS 4096u

#endif
