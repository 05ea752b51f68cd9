/*
 * A JSON message: which u8 (0 hello, 1 register, 2 its answer, 3 login, 4 its
 * answer, 5 error), text.  What decodes is encoded again and must decode to
 * the same.
 */

#include "fuzz/fuzz.h"
#include "proto/enroll.h"
#include "proto/fault.h"
#include "proto/hello.h"
#include "proto/login.h"

#include <stdlib.h>
#include <string.h>

static void
check(int ok)
{
	if (!ok)
		abort();
}

static void
enrolls(unsigned which, const uint8_t *p, size_t len)
{
	struct enroll_request rq, rq2;
	struct enroll_answer a, a2;
	struct buf b = BUF_INIT;

	if (which == 1 && enroll_request_decode(&rq, p, len) == 0) {
		check(enroll_request_encode(&b, &rq) == 0);
		check(enroll_request_decode(&rq2, b.data, b.len) == 0);
		check(memcmp(&rq, &rq2, sizeof(rq)) == 0);
	}
	if (which == 2 && enroll_answer_decode(&a, p, len) == 0) {
		check(enroll_answer_encode(&b, &a) == 0);
		check(enroll_answer_decode(&a2, b.data, b.len) == 0);
		check(memcmp(&a, &a2, sizeof(a)) == 0);
	}
	buf_release(&b);
}

static void
logins(unsigned which, const uint8_t *p, size_t len)
{
	struct login_request rq, rq2;
	struct login_answer a, a2;
	struct buf b = BUF_INIT;

	if (which == 3 && login_request_decode(&rq, p, len) == 0) {
		check(login_request_encode(&b, &rq) == 0);
		check(login_request_decode(&rq2, b.data, b.len) == 0);
		check(memcmp(&rq, &rq2, sizeof(rq)) == 0);
	}
	if (which == 4 && login_answer_decode(&a, p, len) == 0) {
		check(login_answer_encode(&b, &a) == 0);
		check(login_answer_decode(&a2, b.data, b.len) == 0);
		check(memcmp(&a, &a2, sizeof(a)) == 0);
	}
	buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct hello h;

	if (len < 1)
		return 0;
	/* An error is a good answer; wrong ones abort. */
	if (p[0] == 0)
		(void)hello_decode(&h, p + 1, len - 1);
	else if (p[0] == 5)
		check(fault_decode(p + 1, len - 1) < 0);
	enrolls(p[0], p + 1, len - 1);
	logins(p[0], p + 1, len - 1);
	return 0;
}
