/*
 * What was compressed and encrypted: a form u8, bytes.  Form 0: a frame; 1 to
 * 3: a payload of the kind form - 1, which must come back as it was; 4: sealed
 * bytes, where nobody guesses a tag.
 */

#include "fuzz/fuzz.h"
#include "seal/frame.h"
#include "seal/seal.h"

#include <stdlib.h>
#include <string.h>

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* Contexts are costly: one for the process, as in the program. */
static struct frame *
frame(void)
{
	static struct frame *f;

	if (f == NULL)
		check(frame_new(&f, 0, 1) == 0);
	return f;
}

static void
there_and_back(enum frame_kind kind, const uint8_t *p, size_t len)
{
	struct buf packed = BUF_INIT, out = BUF_INIT;

	check(frame_pack(&packed, frame(), kind, p, len) == 0);
	check(packed.len <= frame_bound(len));
	check(frame_padded(packed.len) == packed.len);
	check(frame_unpack(&out, frame(), packed.data, packed.len) == 0);
	check(out.len == len && (len == 0 || memcmp(out.data, p, len) == 0));
	buf_release(&packed);
	buf_release(&out);
}

static void
sealed(const uint8_t *p, size_t len)
{
	static const uint8_t master[KEYS_BYTES], id[32];
	static struct keys keys;
	static struct seal *s;
	struct seal_bind bind = {.type = 1, .id = id};
	struct buf out = BUF_INIT;

	if (s == NULL) {
		keys_derive(&keys, master, 0);
		check(seal_new(&s, &keys, &seal_default) == 0);
	}
	check(seal_unwrap(&out, s, &bind, p, len) < 0);
	buf_release(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct buf out = BUF_INIT;

	if (len < 1)
		return 0;
	if (p[0] == 0)
		/* An error is a good answer. */
		(void)frame_unpack(&out, frame(), p + 1, len - 1);
	else if (p[0] <= FRAME_KINDS)
		there_and_back((enum frame_kind)(p[0] - 1), p + 1, len - 1);
	else if (p[0] == 4)
		sealed(p + 1, len - 1);
	buf_release(&out);
	return 0;
}
