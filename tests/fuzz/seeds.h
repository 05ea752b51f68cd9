#ifndef HS_TESTS_FUZZ_SEEDS_H
#define HS_TESTS_FUZZ_SEEDS_H

/* What the writers of seeds share; tests/fuzz/seeds.c. */

#include <stddef.h>

/* Write one input of `target`: arguments, then the bytes. */
void seeds_put(const char *target, const void *head, size_t head_len,
    const void *p, size_t len);

/* Those that are text: words, rules, JSON files. */
void seeds_text(void);

#endif
