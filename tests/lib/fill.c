#include "lib/fill.h"

#include <string.h>

void
fill_init(struct fill *f, uint64_t seed)
{
	f->state = seed;
}

/* SplitMix64, https://prng.di.unimi.it/splitmix64.c */
uint64_t
fill_next(struct fill *f)
{
	uint64_t z = (f->state += 0x9e3779b97f4a7c15u);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

size_t
fill_below(struct fill *f, size_t n)
{
	return (size_t)(fill_next(f) % n);
}

void
fill_random(uint8_t *p, size_t len, uint64_t seed)
{
	struct fill f;
	uint64_t v = 0;
	size_t i;

	fill_init(&f, seed);
	for (i = 0; i < len; i++) {
		if (i % 8 == 0)
			v = fill_next(&f);
		p[i] = (uint8_t)(v >> i % 8 * 8);
	}
}

void
fill_text(uint8_t *p, size_t len, uint64_t seed)
{
	static const char *const words[] = {"static ", "return ", "struct ",
	    "\n\t", "if (", "for (", "const uint8_t *", "len", "; ", ") ",
	    "0x3f", "a", "bc", "vault", "pack_", "= "};
	struct fill f;
	const char *word;
	size_t i, n;

	fill_init(&f, seed);
	for (i = 0; i < len; i += n) {
		word = words[fill_below(&f, 16)];
		n = strlen(word);
		if (n > len - i)
			n = len - i;
		memcpy(p + i, word, n);
	}
}
