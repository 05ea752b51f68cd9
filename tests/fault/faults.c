/*
 * Lets one call of a program fail: a library for LD_PRELOAD.
 *
 * Calls that the program makes of the functions listed in calls.inc (memory,
 * files, network, libraries) are told apart by the functions of the program
 * that led there: a place is the function called and the DEPTH innermost
 * return addresses.  Each place that is met is noted in a table, a file
 * that is mapped, so that it outlives a crash; tests/fault/sweep.py reads it.
 *
 *   FAULTS_TABLE    the table's file; without it nothing happens
 *   FAULTS_PLACE    hex number of the place that fails; none: only note
 *   FAULTS_SKIP     how often it succeeds first (0)
 *   FAULTS_FOREVER  set: it fails from then on, otherwise once
 *   FAULTS_ERRNO    the error of functions that set errno
 *   FAULTS_SHORT    set: reads and writes do half instead of failing
 *   FAULTS_FROM     names of libraries whose calls count too, with commas
 *
 * What happens after main() or in exit() is nobody's business: there a build
 * with gcc's counters writes its files.
 *
 * Arguments are passed on as six words, whatever the function takes, as the
 * calling conventions of x86-64 and arm64 allow.
 */

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEPTH 5
#define SLOTS 16384
#define NAME_LEN 24
#define OTHERS 4

struct place {
	_Atomic uint64_t id; /* 0: free */
	_Atomic uint32_t calls;
	_Atomic uint32_t fired;
	uint32_t frames[DEPTH + 1]; /* offsets into the program, then 0 */
	char name[NAME_LEN];
};

struct table {
	struct place places[SLOTS];
};

struct range {
	uintptr_t start, end;
};

static struct table *table;
static _Atomic int active;
static uint64_t place_wanted;
static unsigned skip;
static int forever, short_wanted, errno_wanted;
static struct range program, others[OTHERS];
static const char *from;
static _Thread_local int busy;

/* Whether FAULTS_FROM names the library of a path. */
static int
is_wanted(const char *path)
{
	const char *name = strrchr(path, '/'), *p;
	size_t len;

	name = name != NULL ? name + 1 : path;
	for (p = from; p != NULL && *p != '\0'; p += len + (p[len] != '\0')) {
		len = strcspn(p, ",");
		if (strncmp(name, p, len) == 0 && name[len] == '.')
			return 1;
	}
	return 0;
}

/* Where the code of the program lies, and that of the libraries. */
static int
find_code(struct dl_phdr_info *info, size_t size, void *count)
{
	struct range *to = NULL;
	int i;

	(void)size;
	if (*(int *)count == 0)
		to = &program;
	else if (*(int *)count <= OTHERS && is_wanted(info->dlpi_name))
		to = &others[*(int *)count - 1];
	*(int *)count += to != NULL;
	for (i = 0; to != NULL && i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];

		if (h->p_type != PT_LOAD || !(h->p_flags & PF_X))
			continue;
		to->start = info->dlpi_addr + h->p_vaddr;
		to->end = to->start + h->p_memsz;
	}
	return 0;
}

static int
inside(const struct range *range, const void *address)
{
	return (uintptr_t)address >= range->start &&
	       (uintptr_t)address < range->end;
}

/* Whether a call from there counts. */
static int
counts(const void *address)
{
	int i;

	for (i = 0; i < OTHERS; i++) {
		if (inside(&others[i], address))
			return 1;
	}
	return inside(&program, address);
}

static uint64_t
number(const char *name, int base)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, base) : 0;
}

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("FAULTS_TABLE");
	void *frames[2];
	int fd, count = 0;

	if (path == NULL)
		return;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*table)) != 0)
		_exit(98);
	table = mmap(
	    NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (table == MAP_FAILED)
		_exit(98);
	close(fd);
	place_wanted = number("FAULTS_PLACE", 16);
	skip = (unsigned)number("FAULTS_SKIP", 10);
	forever = getenv("FAULTS_FOREVER") != NULL;
	short_wanted = getenv("FAULTS_SHORT") != NULL;
	errno_wanted = (int)number("FAULTS_ERRNO", 10);
	from = getenv("FAULTS_FROM");
	dl_iterate_phdr(find_code, &count);
	/* Its first call loads a library. */
	backtrace(frames, 2);
}

/* The place of a call of `name`, or NULL when the table is full. */
static struct place *
find_place(const char *name)
{
	void *frames[32];
	uint32_t kept[DEPTH + 1] = {0};
	uint64_t id = 14695981039346656037u, none;
	int i, n, count = 0;
	size_t slot;
	const char *p;

	n = backtrace(frames, 32);
	for (i = 0; i < n && count < DEPTH; i++) {
		if (inside(&program, frames[i]))
			kept[count++] =
			    (uint32_t)((uintptr_t)frames[i] - program.start);
	}
	for (i = 0; i < count; i++)
		id = (id ^ kept[i]) * 1099511628211u;
	for (p = name; *p != '\0'; p++)
		id = (id ^ (unsigned char)*p) * 1099511628211u;
	id += id == 0;
	for (i = 0; i < SLOTS; i++) {
		slot = (size_t)(id + (uint64_t)i) % SLOTS;
		none = 0;
		if (atomic_compare_exchange_strong(
			&table->places[slot].id, &none, id)) {
			memcpy(table->places[slot].frames, kept, sizeof(kept));
			strncpy(table->places[slot].name, name, NAME_LEN - 1);
			return &table->places[slot];
		}
		if (none == id)
			return &table->places[slot];
	}
	return NULL;
}

/* Whether this call of `name`, from code at `caller`, fails. */
static int
hit(const char *name, const void *caller)
{
	struct place *place;
	unsigned before;
	int saved = errno, fails = 0;

	if (!active || busy || !counts(caller))
		return 0;
	busy = 1;
	place = find_place(name);
	if (place != NULL) {
		before = atomic_fetch_add(&place->calls, 1);
		fails = place->id == place_wanted &&
			(forever ? before >= skip : before == skip);
		if (fails)
			atomic_fetch_add(&place->fired, 1);
	}
	busy = 0;
	errno = saved;
	return fails;
}

typedef long words(long, long, long, long, long, long);
#define EIGHT_WORDS(type, x) \
	type x##0, type x##1, type x##2, type x##3, type x##4, type x##5, \
	    type x##6, type x##7
#define MANY_WORDS(type) \
	EIGHT_WORDS(type, a), EIGHT_WORDS(type, b), EIGHT_WORDS(type, c), \
	    EIGHT_WORDS(type, d), EIGHT_WORDS(type, e)
typedef long many_words(MANY_WORDS(long));

static void *
real_of(const char *name)
{
	void *found;

	busy++;
	found = dlsym(RTLD_NEXT, name);
	busy--;
	return found;
}

#define CALLER __builtin_return_address(0)
#define HEAD(name) \
	long faults_##name( \
	    long a, long b, long c, long d, long e, long f) __asm__(#name); \
	long faults_##name(long a, long b, long c, long d, long e, long f)
#define REAL(name) \
	static words *real; \
	if (real == NULL) \
	real = (words *)real_of(#name)

/* Fails with `value`, and with errno unless that is 0. */
#define FAILS(kind, name, value, error) \
	HEAD(name) \
	{ \
		REAL(name); \
		if (hit(#name, CALLER)) { \
			if (error != 0) \
				errno = errno_wanted ? errno_wanted : error; \
			return (long)(value); \
		} \
		return real(a, b, c, d, e, f); \
	}

/* Returns the error itself. */
#define GIVES(kind, name, value) FAILS(kind, name, value, 0)

/* Moves `c` bytes; may move half of them. */
#define MOVES(kind, name, error) \
	HEAD(name) \
	{ \
		REAL(name); \
		if (hit(#name, CALLER)) { \
			if (short_wanted && c > 1) \
				return real(a, b, c / 2, d, e, f); \
			errno = errno_wanted ? errno_wanted : error; \
			return -1; \
		} \
		return real(a, b, c, d, e, f); \
	}

/* Does it, and then says that it failed: nothing is left behind. */
#define LOSES(kind, name, value, error) \
	HEAD(name) \
	{ \
		REAL(name); \
		if (hit(#name, CALLER)) { \
			(void)real(a, b, c, d, e, f); \
			if (error != 0) \
				errno = errno_wanted ? errno_wanted : error; \
			return (long)(value); \
		} \
		return real(a, b, c, d, e, f); \
	}

/* Memory.  dlsym() itself asks for some, so glibc's own names are called. */
#define LIBC_NAME(name) LIBC_NAME_##name
#define LIBC_NAME_malloc __libc_malloc
#define LIBC_NAME_calloc __libc_calloc
#define LIBC_NAME_realloc __libc_realloc
#define LIBC_NAME_aligned_alloc __libc_memalign
#ifdef FAULTS_NO_MEMORY
#define ALLOCATES(kind, name)
#else
#define ALLOCATES(kind, name) \
	long LIBC_NAME(name)(long a, long b); \
	long faults_##name(long a, long b) __asm__(#name); \
	long faults_##name(long a, long b) \
	{ \
		if (hit(#name, CALLER)) { \
			errno = ENOMEM; \
			return 0; \
		} \
		return LIBC_NAME(name)(a, b); \
	}
#endif

/* Functions of the program itself are out of reach. */
#define GROWS(name)

#include "calls.inc"

/* A failed commit has ended its transaction. */
HEAD(mdb_txn_commit)
{
	static words *aborts;

	REAL(mdb_txn_commit);
	if (hit("mdb_txn_commit", CALLER)) {
		if (aborts == NULL)
			aborts = (words *)real_of("mdb_txn_abort");
		aborts(a, b, c, d, e, f);
		return EIO;
	}
	return real(a, b, c, d, e, f);
}

/* It takes its options as words after the others, many of them. */
long faults_daemon(MANY_WORDS(long)) __asm__("MHD_start_daemon");
long
faults_daemon(MANY_WORDS(long))
{
	many_words *real = (many_words *)real_of("MHD_start_daemon");

	if (hit("MHD_start_daemon", CALLER))
		return 0;
	return real(MANY_WORDS());
}

typedef int main_function(int, char **, char **);
typedef int start_function(
    main_function *, int, char **, void *, void *, void *, void *);
typedef void exit_function(int);

/* A build of this library that makes of every failure a success: a test of the
 * sweep is that it finds out. */
#ifdef FAULTS_LIE
#define SAID(rc) ((rc)*0)
#else
#define SAID(rc) (rc)
#endif

static main_function *program_main;

static int
watched_main(int argc, char **argv, char **env)
{
	int rc;

	active = table != NULL;
	rc = program_main(argc, argv, env);
	active = 0;
	return SAID(rc);
}

int __libc_start_main(main_function *to, int argc, char **argv, void *init,
    void *fini, void *ld_fini, void *stack_end);
int
__libc_start_main(main_function *to, int argc, char **argv, void *init,
    void *fini, void *ld_fini, void *stack_end)
{
	start_function *real = (start_function *)real_of("__libc_start_main");

	program_main = to;
	return real(watched_main, argc, argv, init, fini, ld_fini, stack_end);
}

void faults_exit(int rc) __asm__("exit") __attribute__((noreturn));
void
faults_exit(int rc)
{
	exit_function *real = (exit_function *)real_of("exit");

	active = 0;
	real(SAID(rc));
	__builtin_unreachable();
}
