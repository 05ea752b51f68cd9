#ifndef HS_TESTS_FILL_H
#define HS_TESTS_FILL_H

/* Test data that is the same in every run. */

#include <stddef.h>
#include <stdint.h>

struct fill {
	uint64_t state;
};

void fill_init(struct fill *f, uint64_t seed);
uint64_t fill_next(struct fill *f);
/* A number in 0 .. n - 1. */
size_t fill_below(struct fill *f, size_t n);
/* Bytes that no codec can shorten. */
void fill_random(uint8_t *p, size_t len, uint64_t seed);
/* Words and line ends, which every codec can shorten. */
void fill_text(uint8_t *p, size_t len, uint64_t seed);

#endif
