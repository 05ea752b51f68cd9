#ifndef HS_CHUNK_UNROLL_H
#define HS_CHUNK_UNROLL_H

/* Eight times the same, for numbered variables that are to stay in registers:
 * compilers leave loops over an array as loops over memory. */
#define UNROLL8(DO) \
	do { \
		DO(0); \
		DO(1); \
		DO(2); \
		DO(3); \
		DO(4); \
		DO(5); \
		DO(6); \
		DO(7); \
	} while (0)

#endif
