#include "fault/callers.h"

#include <execinfo.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_MAKE_MEM_DEFINED(p, len) ((void)0)
#endif

/* Where the program's code lies. */
extern const char __executable_start[], etext[];

void
callers_begin(void)
{
	void *frames[2];

	backtrace(frames, 2);
}

void
callers_find(uintptr_t frames[CALLERS_MAX], const void *caller, int depth)
{
	void *all[40];
	int i = 0, n = backtrace(all, 40), count = 0;

	memset(frames, 0, CALLERS_MAX * sizeof(frames[0]));
	while (i < n && all[i] != caller)
		i++;
	if (i == n)
		frames[count++] = (uintptr_t)caller;
	for (; i < n && count < depth; i++) {
		if ((char *)all[i] >= __executable_start &&
		    (char *)all[i] < etext)
			frames[count++] = (uintptr_t)all[i];
	}
	for (i = 0; i < count; i++)
		frames[i] -= (uintptr_t)__executable_start;
}

static uint64_t
add(uint64_t sum, uint64_t value)
{
	return (sum ^ value) * 1099511628211u;
}

uint64_t
callers_id(const char *name, const uintptr_t frames[CALLERS_MAX])
{
	uint64_t id = 14695981039346656037u;
	int i;

	for (i = 0; i < CALLERS_MAX; i++)
		id = add(id, frames[i]);
	for (; *name != '\0'; name++)
		id = add(id, (unsigned char)*name);
	return id + (id == 0);
}

/* Where the stack of this thread begins. */
static const uintptr_t *
stack_bottom(void)
{
	static _Thread_local const uintptr_t *bottom;
	pthread_attr_t attr;
	size_t size;
	void *p;

	if (bottom == NULL) {
		if (pthread_getattr_np(pthread_self(), &attr) != 0 ||
		    pthread_attr_getstack(&attr, &p, &size) != 0)
			abort();
		(void)pthread_attr_destroy(&attr); /* cannot fail */
		bottom = (const uintptr_t *)((uintptr_t)p + size);
	}
	return bottom;
}

/* It reads what belongs to nobody. */
__attribute__((no_sanitize("address"), no_sanitize("thread"))) uint64_t
callers_trail(const char *name, const void *caller)
{
	const uintptr_t *p = __builtin_frame_address(0), *end = stack_bottom();
	uintptr_t code = (uintptr_t)__executable_start,
		  len = (uintptr_t)etext - code;
	uint64_t sum =
	    add(add(14695981039346656037u, (uintptr_t)name), (uintptr_t)caller);
	int watched = RUNNING_ON_VALGRIND != 0;
	uintptr_t word;

	for (; p < end; p++) {
		word = *p;
		if (watched)
			(void)VALGRIND_MAKE_MEM_DEFINED(&word, sizeof(word));
		if (word - code < len)
			sum = add(sum, word - code);
	}
	return sum + (sum == 0);
}
