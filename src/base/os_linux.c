#include "base/os.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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

int
os_rename_new(int dirfd, const char *from, const char *to)
{
	return renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE);
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

int
os_boot_id(char out[OS_BOOT_ID_LEN + 1])
{
	char text[OS_BOOT_ID_LEN];
	ssize_t n;
	int fd;

	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text));
	(void)close(fd); /* only read from */
	if (n != (ssize_t)sizeof(text))
		return -1;
	memcpy(out, text, sizeof(text));
	out[OS_BOOT_ID_LEN] = '\0';
	return 0;
}
