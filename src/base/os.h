#ifndef HS_BASE_OS_H
#define HS_BASE_OS_H

/* What the kernel offers that POSIX does not; one file per system. */

#include <stddef.h>
#include <stdint.h>

/* Processors this process may run on, at least 1. */
unsigned os_cpus(void);

/* Nonzero when `fd` lies on a network file system (NFS, SMB, FUSE, 9p). */
int os_is_network(int fd);

/* A number of the mount that `fd` was opened through, the same while it is
 * mounted; 0 when the system does not tell. */
uint64_t os_mount_id(int fd);

/*
 * rename() inside the directory `dirfd` that fails with EEXIST instead of
 * replacing.  Returns 0, or -1 with errno.
 */
int os_rename_new(int dirfd, const char *from, const char *to);

/*
 * Write out all that the file system of `fd` holds back, and wait for it.
 * Returns 0, or -1 with errno: also when something that was written since `fd`
 * was opened could not be put on the disk.
 */
int os_sync_fs(int fd);

/*
 * The first stretch of the file `fd` at or behind `at` that has a place on the
 * disk, also one that was reserved and never written, which SEEK_DATA passes
 * over; it may begin before `at`.  Returns 0; 1 when there is none, or when the
 * file system cannot tell.
 */
int os_next_extent(uint64_t *begin, uint64_t *end, int fd, uint64_t at);

/* Nonzero when `len` bytes of addresses are free to be mapped. */
int os_can_map(size_t len);

#define OS_BOOT_ID_LEN 36

/*
 * A text that changes whenever the machine boots.  Returns 0, or -1 when the
 * system does not tell.
 */
int os_boot_id(char out[OS_BOOT_ID_LEN + 1]);

#define OS_MACHINE_ID_LEN 32

/*
 * A text that names this installation of a system, and stays.  Returns 0, or
 * -1 when the system does not tell.
 */
int os_machine_id(char out[OS_MACHINE_ID_LEN + 1]);

/*
 * Let all threads share one heap.  For a process in which many threads come
 * and go: of heaps of their own each keeps its peak, and the peaks add up.
 * Call it before there are threads.
 */
void os_one_heap(void);

#endif
