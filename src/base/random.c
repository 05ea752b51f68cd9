#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void
random_bytes(uint8_t *out, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = getrandom(out, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		/* uncovered: keys made without randomness are worse than no
		 * program; the kernel never refuses so little */
		if (n <= 0)
			abort();
		out += n;
		len -= (size_t)n;
	}
}
