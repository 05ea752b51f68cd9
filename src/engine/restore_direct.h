#ifndef HS_ENGINE_RESTORE_DIRECT_H
#define HS_ENGINE_RESTORE_DIRECT_H

/*
 * A large file written past the page cache, in aligned pieces from three
 * buffers that are used again and again: two threads of its own write while the
 * next one is filled.  The cache costs more time than everything else that a
 * restore does to a byte, and drives out of memory what the machine needs.
 * Ends that are not aligned go through the cache.
 *
 * Thread use: one thread at a time.
 */

#include <stddef.h>
#include <stdint.h>

/* Smaller files are not worth the waiting for the disk. */
#define RESTORE_DIRECT_BYTES_MIN (16u << 20)

struct restore_direct;

/*
 * Write the new file `fd` from its beginning; it gets its final `size` at
 * once.  Returns 0; 1 when it has to be done through the cache (nothing has
 * changed then).
 */
int restore_direct_new(struct restore_direct **out, int fd, uint64_t size);
/* Before the descriptor is closed.  NULL is fine. */
void restore_direct_free(struct restore_direct *d);

/*
 * The next bytes; the next `len` bytes are a hole; all was said.  Each returns
 * 0, or -1 with errno, which may be that of a write begun before.
 */
int restore_direct_write(
    struct restore_direct *d, const uint8_t *p, size_t len);
int restore_direct_skip(struct restore_direct *d, uint64_t len);
int restore_direct_end(struct restore_direct *d);

#endif
