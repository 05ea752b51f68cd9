/* Snapshots: envelope, file and payload; round trips and refusals. */

#include "object/snapshot.h"

#include "base/err.h"
#include "base/limits.h"
#include "lib/fill.h"
#include "lib/object_again.h"
#include "lib/object_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DIR_INDEX 5 /* of the fixture's entries */

static void
make_envelope(struct snapshot_envelope *e)
{
	static uint8_t refs[64], sealed[100];

	memset(e, 0, sizeof(*e));
	memset(refs, 3, 32);
	memset(refs + 32, 4, 32);
	fill_random(sealed, sizeof(sealed), 9);
	e->epoch = 5;
	memset(e->vault, 0x11, sizeof(e->vault));
	memset(e->mount, 0x22, sizeof(e->mount));
	e->client_seq = 3;
	memset(e->previous, 0x33, sizeof(e->previous));
	e->files = 7;
	e->bytes = 8;
	memset(e->id, 0x44, sizeof(e->id));
	e->refs = refs;
	e->nrefs = 2;
	e->sealed = sealed;
	e->sealed_len = sizeof(sealed);
}

static void
make_client(struct buf *b, const struct snapshot_envelope *e)
{
	uint8_t signature[SNAPSHOT_SIGNATURE_BYTES];

	memset(signature, 0x55, sizeof(signature));
	assert_int_equal(snapshot_encode(b, e), 0);
	assert_int_equal(b->len, 184 + 32 * (size_t)e->nrefs + e->sealed_len);
	assert_int_equal(buf_append(b, signature, sizeof(signature)), 0);
}

static void
test_envelope(void **state)
{
	struct snapshot_envelope in, out;
	struct buf b = BUF_INIT;
	uint8_t a[HASH_BYTES], c[HASH_BYTES];
	size_t client;

	(void)state;
	make_envelope(&in);
	make_client(&b, &in);
	client = b.len;
	assert_int_equal(snapshot_decode_client(&out, b.data, b.len), 0);
	assert_int_equal(out.epoch, 5);
	assert_memory_equal(out.vault, in.vault, 16);
	assert_memory_equal(out.mount, in.mount, 16);
	assert_int_equal(out.client_seq, 3);
	assert_memory_equal(out.previous, in.previous, 32);
	assert_int_equal(out.files, 7);
	assert_int_equal(out.bytes, 8);
	assert_memory_equal(out.id, in.id, 32);
	assert_int_equal(out.nrefs, 2);
	assert_memory_equal(out.refs, in.refs, 64);
	assert_int_equal(out.sealed_len, 100);
	assert_memory_equal(out.sealed, in.sealed, 100);
	assert_ptr_equal(out.signature, b.data + client - 64);
	again_break(again_client, NULL, b.data, b.len);

	hash_bytes(a, b.data, b.len);
	assert_int_equal(snapshot_hash(c, b.data, b.len), 0);
	assert_memory_equal(a, c, 32);
	assert_int_equal(
	    snapshot_decode_file(&out, b.data, b.len), ERR_DAMAGED);
	assert_int_equal(snapshot_seal_file(&b, -77, 0), ERR_LIMIT);
	assert_int_equal(snapshot_seal_file(&b, -77, 12), 0);
	assert_int_equal(b.len, client + SNAPSHOT_SERVER_BYTES);
	assert_int_equal(snapshot_decode_file(&out, b.data, b.len), 0);
	assert_true(out.receive_ns == -77);
	assert_int_equal(out.server_seq, 12);
	assert_int_equal(snapshot_hash(c, b.data, b.len), 0);
	assert_memory_equal(a, c, 32);
	again_break(again_file, NULL, b.data, b.len);
	/* Only once. */
	assert_int_equal(snapshot_seal_file(&b, 0, 1), ERR_DAMAGED);
	buf_release(&b);
}

/* With a checksum, every changed byte of a file is found. */
static void
test_flipped_bytes_are_found(void **state)
{
	struct snapshot_envelope e;
	struct buf b = BUF_INIT;
	uint8_t hash[HASH_BYTES];
	size_t i;

	(void)state;
	make_envelope(&e);
	make_client(&b, &e);
	assert_int_equal(snapshot_seal_file(&b, 1, 1), 0);
	for (i = 0; i < b.len; i++) {
		b.data[i] ^= 1;
		assert_int_equal(
		    snapshot_decode_file(&e, b.data, b.len), ERR_DAMAGED);
		(void)snapshot_hash(hash, b.data, b.len); /* no crash */
		b.data[i] ^= 1;
		assert_int_equal(snapshot_hash(hash, b.data, i),
		    i == b.len - 48 ? 0 : ERR_DAMAGED);
	}
	assert_int_equal(snapshot_decode_file(&e, b.data, b.len), 0);
	buf_release(&b);
}

#define REFUSE(change) \
	do { \
		make_envelope(&e); \
		change; \
		assert_int_equal(snapshot_encode(&b, &e), ERR_LIMIT); \
		assert_int_equal(b.len, 0); \
	} while (0)

static void
test_envelope_refuses(void **state)
{
	static uint8_t large[LIMIT_SNAPSHOT_BYTES + 1];
	struct snapshot_envelope e;
	struct buf b = BUF_INIT;
	size_t rest = 184 + 64 + 64 + 48;

	(void)state;
	REFUSE(e.client_seq = 0);
	REFUSE(e.key_id[15] = 1);
	REFUSE(e.nrefs = 0);
	REFUSE(e.nrefs = UINT32_MAX);
	REFUSE(e.sealed_len = 51);
	REFUSE(e.sealed_len = UINT32_MAX);
	REFUSE(e.sealed = large; e.sealed_len = LIMIT_SNAPSHOT_BYTES);
	REFUSE(e.sealed = large;
	       e.sealed_len = LIMIT_SNAPSHOT_BYTES - (uint32_t)rest + 1);
	make_envelope(&e);
	e.sealed = large;
	e.sealed_len = LIMIT_SNAPSHOT_BYTES - (uint32_t)rest;
	make_client(&b, &e);
	assert_int_equal(snapshot_seal_file(&b, 1, 1), 0);
	assert_int_equal(b.len, LIMIT_SNAPSHOT_BYTES);
	assert_int_equal(snapshot_decode_file(&e, b.data, b.len), 0);
	/* A reserved byte is set: the checksum cannot excuse it. */
	b.len -= 48;
	b.data[100] = 1;
	assert_int_equal(
	    snapshot_decode_client(&e, b.data, b.len), ERR_DAMAGED);
	buf_release(&b);
}

static void
make_info(struct snapshot_info *s)
{
	struct entry in[OBJECT_FIXTURE_ENTRIES];
	static const uint8_t extra[] = {1, 0, 0, 0, 2, 0, 1, 0, 'x'};
	unsigned i;

	object_fixture_entries(in);
	memset(s, 0, sizeof(*s));
	memset(s->mount, 0x22, sizeof(s->mount));
	s->client_seq = 3;
	memset(s->previous, 0x33, sizeof(s->previous));
	s->start_ns = -1;
	s->end_ns = INT64_MAX;
	s->files = 7;
	s->dirs = 9;
	s->bytes = 8;
	s->unreadable = 1;
	s->host = "desktop";
	s->host_len = 7;
	s->dir = "/home/alice/work";
	s->dir_len = 16;
	s->ntags = 3;
	for (i = 0; i < s->ntags; i++) {
		s->tags[i] = "nightly";
		s->tag_len[i] = (uint8_t)(7 - i);
	}
	s->extra = extra;
	s->extra_len = sizeof(extra);
	s->root = in[DIR_INDEX];
	s->root.name_len = 0;
	s->root.flags = ENTRY_XATTR_REF;
	memset(s->root.xattr_id, 0x66, 32);
}

static void
test_payload(void **state)
{
	struct snapshot_envelope e;
	struct snapshot_info in, out;
	struct again_bytes a = {0};
	struct object o;

	(void)state;
	make_info(&in);
	object_init(&o, OBJECT_CHUNK);
	assert_int_equal(snapshot_info_encode(&o, &in), 0);
	assert_int_equal(o.type, OBJECT_SNAPSHOT);
	assert_int_equal(object_nrefs(&o), 2);
	a.refs = o.refs.data;
	a.nrefs = 2;
	assert_int_equal(snapshot_info_decode(
			     &out, a.refs, 2, o.payload.data, o.payload.len),
	    0);
	assert_true(out.start_ns == -1 && out.end_ns == INT64_MAX);
	assert_int_equal(out.dirs, 9);
	assert_int_equal(out.unreadable, 1);
	assert_int_equal(out.host_len, 7);
	assert_memory_equal(out.host, "desktop", 7);
	assert_int_equal(out.dir_len, 16);
	assert_memory_equal(out.dir, in.dir, 16);
	assert_int_equal(out.ntags, 3);
	assert_int_equal(out.tag_len[2], 5);
	assert_memory_equal(out.tags[2], "night", 5);
	assert_int_equal(out.extra_len, in.extra_len);
	assert_memory_equal(out.extra, in.extra, in.extra_len);
	assert_int_equal(out.root.size, in.root.size);
	assert_memory_equal(out.root.id, in.root.id, 32);
	again_break(again_info, &a, o.payload.data, o.payload.len);

	make_envelope(&e);
	assert_int_equal(snapshot_info_match(&out, &e), 0);
	e.files++;
	assert_int_equal(snapshot_info_match(&out, &e), ERR_DAMAGED);
	make_envelope(&e);
	e.previous[31]++;
	assert_int_equal(snapshot_info_match(&out, &e), ERR_DAMAGED);
	make_envelope(&e);
	e.mount[0]++;
	assert_int_equal(snapshot_info_match(&out, &e), ERR_DAMAGED);
	object_release(&o);
}

#define REFUSE_INFO(change) \
	do { \
		make_info(&s); \
		change; \
		assert_int_equal(snapshot_info_encode(&o, &s), ERR_LIMIT); \
	} while (0)

static void
test_payload_refuses(void **state)
{
	static char text[LIMIT_TARGET_BYTES + 1];
	struct snapshot_info s;
	struct object o;

	(void)state;
	memset(text, 't', sizeof(text));
	object_init(&o, OBJECT_SNAPSHOT);
	REFUSE_INFO(s.client_seq = 0);
	REFUSE_INFO(s.host = text; s.host_len = 256);
	REFUSE_INFO(s.host = "a\0b"; s.host_len = 3);
	REFUSE_INFO(s.dir = text; s.dir_len = 4097);
	REFUSE_INFO(s.dir = ""; s.dir_len = 1);
	REFUSE_INFO(s.ntags = 65);
	REFUSE_INFO(s.tags[1] = "\0");
	REFUSE_INFO(s.root.name_len = 1; s.root.name = "x");
	REFUSE_INFO(s.root.kind = ADDRESS_FILE);
	REFUSE_INFO(s.root.level = 8);
	REFUSE_INFO(s.extra_len--);
	REFUSE_INFO(s.extra_len = 65536);
	make_info(&s);
	s.dir = text;
	s.dir_len = 4096;
	assert_int_equal(snapshot_info_encode(&o, &s), 0);
	object_release(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_envelope),
	    cmocka_unit_test(test_flipped_bytes_are_found),
	    cmocka_unit_test(test_envelope_refuses),
	    cmocka_unit_test(test_payload),
	    cmocka_unit_test(test_payload_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
