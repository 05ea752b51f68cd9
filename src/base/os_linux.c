#include "base/os.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* File systems that linux/magic.h does not name. */
#define MAGIC_CIFS 0xff534d42u
#define MAGIC_SMB2 0xfe534d42u
#define MAGIC_FUSE 0x65735546u
#define MAGIC_CEPH 0x00c36400u
#define MAGIC_LUSTRE 0x0bd00bd0u
#define MAGIC_BEEGFS 0x19830326u

/* Masks are tried up to this many processors. */
#define CPUS_MAX 65536

unsigned
os_cpus(void)
{
	cpu_set_t *set;
	int n, count = 0;
	size_t bytes;

	for (n = 1024; n <= CPUS_MAX && count == 0; n *= 2) {
		set = CPU_ALLOC(n);
		if (set == NULL)
			break;
		bytes = CPU_ALLOC_SIZE(n);
		if (sched_getaffinity(0, bytes, set) == 0)
			count = CPU_COUNT_S(bytes, set);
		CPU_FREE(set);
	}
	return count > 0 ? (unsigned)count : 1;
}

int
os_is_network(int fd)
{
	static const unsigned magics[] = {NFS_SUPER_MAGIC, SMB_SUPER_MAGIC,
	    MAGIC_CIFS, MAGIC_SMB2, MAGIC_FUSE, MAGIC_CEPH, MAGIC_LUSTRE,
	    MAGIC_BEEGFS, V9FS_MAGIC, AFS_SUPER_MAGIC, AFS_FS_MAGIC,
	    CODA_SUPER_MAGIC, NCP_SUPER_MAGIC};
	struct statfs st;
	size_t i;

	if (fstatfs(fd, &st) != 0)
		return 0;
	for (i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		/* f_type is signed and of 4 or 8 bytes. */
		if ((unsigned)st.f_type == magics[i])
			return 1;
	}
	return 0;
}

uint64_t
os_mount_id(int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) != 0 ||
	    (st.stx_mask & STATX_MNT_ID) == 0)
		return 0;
	return st.stx_mnt_id;
}

int
os_rename_new(int dirfd, const char *from, const char *to)
{
	return renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE);
}

int
os_sync_fs(int fd)
{
	return syncfs(fd);
}

int
os_next_extent(uint64_t *begin, uint64_t *end, int fd, uint64_t at)
{
	/* The request, and room for the one answer behind it. */
	union {
		struct fiemap map;
		uint8_t
		    room[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
	} u;
	const struct fiemap_extent *e = u.map.fm_extents;

	memset(&u, 0, sizeof(u));
	u.map.fm_start = at;
	u.map.fm_length = FIEMAP_MAX_OFFSET - at;
	u.map.fm_extent_count = 1;
	if (ioctl(fd, FS_IOC_FIEMAP, &u) != 0 || u.map.fm_mapped_extents == 0 ||
	    e->fe_length > UINT64_MAX - e->fe_logical)
		return 1;
	*begin = e->fe_logical;
	*end = e->fe_logical + e->fe_length;
	return 0;
}

int
os_can_map(size_t len)
{
	void *p = mmap(NULL, len, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return 0;
	(void)munmap(p, len); /* a range that we just got */
	return 1;
}

/* The first `len` bytes of a file of the system's, as a text. */
static int
read_text(char *out, size_t len, const char *path)
{
	char text[64];
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, len);
	(void)close(fd); /* only read from */
	if (n != (ssize_t)len)
		return -1;
	memcpy(out, text, len);
	out[len] = '\0';
	return 0;
}

int
os_boot_id(char out[OS_BOOT_ID_LEN + 1])
{
	return read_text(
	    out, OS_BOOT_ID_LEN, "/proc/sys/kernel/random/boot_id");
}

int
os_machine_id(char out[OS_MACHINE_ID_LEN + 1])
{
	return read_text(out, OS_MACHINE_ID_LEN, "/etc/machine-id");
}

void
os_one_heap(void)
{
#ifdef M_ARENA_MAX
	(void)mallopt(M_ARENA_MAX, 1); /* if not, it only takes more */
#endif
}
