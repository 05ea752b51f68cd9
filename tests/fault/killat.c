/*
 * Runs a program, and kills it before one of its system calls.
 *
 * usage: killat LOG N PROGRAM ARG...
 *
 * Counted are the calls that change what outlives the program, of all its
 * threads and children together: writes, syncs, renames, links, removals,
 * new files, sizes, attributes, and what it says to others.  Before the Nth of
 * them the program gets SIGKILL, so the call is not made (N = 0: never).  What
 * goes to memory, as the pages of a mapped file, is not seen.
 *
 * LOG gets a line for each, "N CALL WHAT", WHAT being a path, and a last one
 * "killed N CALL WHAT" or "ended".  Until then its first line, "pid P", names
 * the program.  killat ends as the program did: its exit code, or 137.
 *
 * The kernel stops the program at these calls alone (seccomp, ptrace), which
 * makes this exact where strace counts for each thread and kind, and fast.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
/* After sys/ptrace.h, which has the calls. */
#include <linux/ptrace.h>

#define PATH_BYTES 4096

/* Which argument says what is changed: a descriptor, or a path. */
enum kind { FD, PATH };

static const struct call {
	const char *name;
	long number;
	enum kind kind;
	int at;
} calls[] = {
#define CALL(name, kind, at) \
	{ \
#name, __NR_##name, kind, at \
	}
    CALL(write, FD, 0),
    CALL(pwrite64, FD, 0),
    CALL(writev, FD, 0),
    CALL(pwritev, FD, 0),
    CALL(pwritev2, FD, 0),
    CALL(sendfile, FD, 0),
    CALL(copy_file_range, FD, 2),
    CALL(splice, FD, 2),
    CALL(sendto, FD, 0),
    CALL(sendmsg, FD, 0),
    CALL(fsync, FD, 0),
    CALL(fdatasync, FD, 0),
    CALL(syncfs, FD, 0),
    CALL(sync_file_range, FD, 0),
    CALL(msync, FD, -1),
    CALL(ftruncate, FD, 0),
    CALL(fallocate, FD, 0),
    CALL(ioctl, FD, 0),
    CALL(fchmod, FD, 0),
    CALL(fchown, FD, 0),
    CALL(fsetxattr, FD, 0),
    CALL(fremovexattr, FD, 0),
    CALL(openat, PATH, 1),
    CALL(renameat, PATH, 3),
    CALL(renameat2, PATH, 3),
    CALL(linkat, PATH, 3),
    CALL(symlinkat, PATH, 2),
    CALL(unlinkat, PATH, 1),
    CALL(mkdirat, PATH, 1),
    CALL(mknodat, PATH, 1),
    CALL(fchmodat, PATH, 1),
    CALL(fchownat, PATH, 1),
    CALL(utimensat, PATH, 1),
    CALL(truncate, PATH, 0),
    CALL(setxattr, PATH, 0),
    CALL(lsetxattr, PATH, 0),
    CALL(lremovexattr, PATH, 0),
#ifdef __NR_open /* what newer machines no longer have */
    CALL(open, PATH, 0),
    CALL(creat, PATH, 0),
    CALL(rename, PATH, 1),
    CALL(link, PATH, 1),
    CALL(symlink, PATH, 1),
    CALL(unlink, PATH, 0),
    CALL(mkdir, PATH, 0),
    CALL(rmdir, PATH, 0),
    CALL(mknod, PATH, 0),
    CALL(chmod, PATH, 0),
    CALL(chown, PATH, 0),
    CALL(lchown, PATH, 0),
#endif
};
#define NCALLS (sizeof(calls) / sizeof(calls[0]))

static FILE *log_file;
static unsigned long wanted, count;
static int killed;

static void
die(const char *what)
{
	perror(what);
	exit(99);
}

/* In the child: stop at these calls, and no other. */
static void
filter_calls(void)
{
	struct sock_filter f[NCALLS + 3];
	struct sock_fprog prog = {.filter = f};
	size_t i, n = 0;

	f[n++] = (struct sock_filter)BPF_STMT(
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (i = 0; i < NCALLS; i++)
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		    (uint32_t)calls[i].number, (uint8_t)(NCALLS - i), 0);
	f[n++] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	f[n++] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	prog.len = (unsigned short)n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) != 0)
		die("seccomp");
}

static const struct call *
call_of(uint64_t number)
{
	size_t i;

	for (i = 0; i < NCALLS; i++) {
		if ((uint64_t)calls[i].number == number)
			return &calls[i];
	}
	return NULL;
}

static void
read_path(char path[PATH_BYTES], pid_t pid, uint64_t address)
{
	/* A path may end right before a page that is not there. */
	size_t some = 4096 - address % 4096;
	struct iovec to = {.iov_base = path, .iov_len = PATH_BYTES - 1};
	struct iovec from[2] = {
	    {.iov_base = (void *)(uintptr_t)address, .iov_len = some},
	    {.iov_base = (void *)(uintptr_t)(address + some),
		.iov_len = PATH_BYTES - 1 - (some < PATH_BYTES ? some : 0)},
	};
	ssize_t n = process_vm_readv(pid, &to, 1, from, 2, 0);

	path[n > 0 ? n : 0] = '\0';
}

static void
read_fd(char path[PATH_BYTES], pid_t pid, uint64_t fd)
{
	char name[64];
	ssize_t n;

	(void)snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)pid, (int)fd);
	n = readlink(name, path, PATH_BYTES - 1);
	path[n > 0 ? n : 0] = '\0';
}

/* Whether a call changes something that outlives the program. */
static int
changes(const struct call *call, const __u64 args[6], const char *what)
{
	int flags;

	if (strcmp(call->name, "ioctl") == 0)
		return (uint32_t)args[1] == 0x40049409u; /* FICLONE */
	if (strncmp(call->name, "open", 4) == 0) {
		flags = (int)args[call->at + 1];
		return (flags & (O_CREAT | O_TRUNC)) != 0 ||
		       (flags & O_TMPFILE) == O_TMPFILE;
	}
	/* How threads wake each other. */
	return strncmp(what, "anon_inode:", 11) != 0 &&
	       (strncmp(what, "pipe:", 5) != 0 || args[0] <= 2);
}

/* A thread is about to make one of the calls. */
static void
meet(pid_t pid, pid_t program)
{
	struct ptrace_syscall_info info;
	char what[PATH_BYTES] = "";
	const struct call *call;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return;
	call = call_of(info.seccomp.nr);
	if (call == NULL || killed)
		return;
	if (call->kind == PATH)
		read_path(what, pid, info.seccomp.args[call->at]);
	else if (call->at >= 0)
		read_fd(what, pid, info.seccomp.args[call->at]);
	if (!changes(call, info.seccomp.args, what))
		return;
	count++;
	if (count == wanted) {
		killed = 1;
		(void)kill(program, SIGKILL);
		fprintf(log_file, "killed ");
	}
	fprintf(log_file, "%lu %s %s\n", count, call->name, what);
}

/* To the end of the program: its status. */
static int
follow(pid_t program)
{
	int status, sig;
	pid_t pid;

	for (;;) {
		pid = waitpid(-1, &status, __WALL);
		if (pid < 0 && errno != EINTR)
			die("waitpid");
		if (pid < 0)
			continue;
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (pid == program)
				return status;
			continue;
		}
		sig = WSTOPSIG(status);
		if (status >> 16 == PTRACE_EVENT_SECCOMP)
			meet(pid, program);
		/* New threads begin with a stop; events are no signals. */
		if (status >> 16 != 0 || sig == SIGSTOP)
			sig = 0;
		(void)ptrace(PTRACE_CONT, pid, NULL, (void *)(intptr_t)sig);
	}
}

int
main(int argc, char **argv)
{
	int status;
	pid_t program;

	if (argc < 4) {
		fprintf(stderr, "usage: killat LOG N PROGRAM ARG...\n");
		return 2;
	}
	log_file = fopen(argv[1], "we");
	if (log_file == NULL)
		die(argv[1]);
	wanted = strtoul(argv[2], NULL, 10);
	program = fork();
	if (program < 0)
		die("fork");
	if (program == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			die("ptrace");
		(void)raise(SIGSTOP);
		filter_calls();
		execv(argv[3], argv + 3);
		die(argv[3]);
	}
	fprintf(log_file, "pid %d\n", (int)program);
	fflush(log_file);
	if (waitpid(program, &status, __WALL) != program ||
	    !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, program, NULL,
		(void *)(PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE |
			 PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			 PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)) != 0 ||
	    ptrace(PTRACE_CONT, program, NULL, NULL) != 0)
		die("ptrace");
	status = follow(program);
	if (!killed)
		fprintf(log_file, "ended\n");
	if (fclose(log_file) != 0)
		die(argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
