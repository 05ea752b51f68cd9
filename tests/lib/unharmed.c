#include "lib/unharmed.h"

static _Thread_local int depth;

void
unharmed_begin(void)
{
	depth++;
}

void
unharmed_end(void)
{
	depth--;
}

int
unharmed(void)
{
	return depth > 0;
}
