/* The remote store against a server in this process. */

#include "base/err.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/limits.h"
#include "lib/server_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void
sleep_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000l};

	(void)nanosleep(&ts, NULL); /* about that long */
}

struct seen {
	unsigned records;
	unsigned absent;
	unsigned damaged;
	struct stub_world *world;
};

static int
on_got(void *arg, enum store_got got, const uint8_t *id, const uint8_t *record,
    size_t len)
{
	struct seen *seen = arg;
	uint32_t i;

	if (got == STORE_GOT_ABSENT)
		seen->absent++;
	if (got == STORE_GOT_DAMAGED)
		seen->damaged++;
	if (got != STORE_GOT_RECORD)
		return 0;
	seen->records++;
	for (i = 0; i < seen->world->n; i++)
		if (memcmp(seen->world->objects[i].id, id, 32) == 0)
			break;
	assert_int_not_equal(i, seen->world->n);
	assert_int_equal(len, seen->world->objects[i].record.len);
	assert_memory_equal(record, seen->world->objects[i].record.data, len);
	return 0;
}

static int
count_snapshot(void *arg, const struct store_snapshot *s)
{
	assert_int_equal(s->len, 1000);
	assert_int_equal(s->file[0], 's');
	assert_int_equal(s->seq, ++*(unsigned *)arg);
	return 0;
}

static int
count_mount(void *arg, const uint8_t *mount, const uint8_t *public_key,
    const char *label)
{
	(void)mount;
	(void)public_key;
	assert_string_equal(label, "desktop");
	++*(unsigned *)arg;
	return 0;
}

/* The rest of what a session can do, after put. */
static void
check_commit_and_lists(
    struct server_fixture *f, struct store *s, const uint8_t *id)
{
	struct store_receipt receipt;
	struct buf missing = BUF_INIT;
	uint8_t snapshot[1000];
	unsigned n = 0;

	memset(snapshot, 's', sizeof(snapshot));
	assert_int_equal(
	    s->ops->commit(s, &receipt, &missing, snapshot, sizeof(snapshot)),
	    0);
	assert_int_equal(receipt.server_seq, 1);
	assert_int_equal(receipt.receive_ns, 123456789);
	f->world.missing = 1;
	assert_int_equal(
	    s->ops->commit(s, &receipt, &missing, snapshot, sizeof(snapshot)),
	    ERR_MISSING);
	assert_int_equal(missing.len, 32);
	assert_int_equal(missing.data[31], 1);
	assert_int_equal(s->ops->snapshots(s, NULL, count_snapshot, &n), 0);
	assert_int_equal(n, 1);
	n = 0;
	assert_int_equal(s->ops->mounts(s, count_mount, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(s->ops->report(s, id), 0);
	assert_memory_equal(f->world.reported, id, 32);
	buf_release(&missing);
}

static void
test_everything_once(void **state)
{
	uint8_t ids[40 * 32], bitmap[5] = {0};
	struct store_member members[40];
	struct server_fixture f;
	struct remote_options o;
	struct buf records = BUF_INIT;
	struct seen seen;
	struct store *s;
	unsigned i;

	(void)state;
	server_fixture_start(&f, 0);
	server_fixture_mount(&o, &f, 1);
	assert_int_equal(remote_open(&s, &o), 0);
	assert_string_equal(s->info.write_path, "network");
	assert_int_equal(s->info.has_parent, 0);
	assert_int_equal(remote_header(s)->chunk_average, 256 << 10);

	/* Small ones, and some of a large segment of their own. */
	for (i = 0; i < 40; i++)
		stub_record(
		    &records, ids + 32 * i, i, i % 10 == 9 ? 1500000 : 60 + i);
	assert_int_equal(s->ops->have(s, bitmap, ids, 39), 0);
	assert_int_equal(bitmap[0] | bitmap[4], 0);
	assert_int_equal(s->ops->put(s, records.data, records.len), 0);
	assert_int_equal(s->ops->put(s, records.data, records.len), 0);
	assert_int_equal(f.world.n, 40);
	assert_int_equal(s->ops->have(s, bitmap, ids, 39), 0);
	assert_int_equal(bitmap[4], 0x7f);
	assert_int_equal(s->ops->have_files(s, members, ids, 40), 0);
	assert_int_equal(members[39].found, 1);
	assert_int_equal(members[39].member, ids[39 * 32]);
	assert_memory_equal(members[39].bundle, ids + 39 * 32, 32);

	f.world.objects[3].damaged = 1;
	memset(ids + 5 * 32, 0xee, 32);
	memset(&seen, 0, sizeof(seen));
	seen.world = &f.world;
	assert_int_equal(s->ops->get(s, ids, 40, on_got, &seen), 0);
	assert_int_equal(seen.records, 38);
	assert_int_equal(seen.absent, 1);
	assert_int_equal(seen.damaged, 1);

	/* Another than the one with this checksum: there is none. */
	memset(&seen, 0, sizeof(seen));
	seen.world = &f.world;
	assert_int_equal(s->ops->get_other(s, ids, NULL, 0, on_got, &seen), 0);
	assert_int_equal(seen.records, 1);
	assert_int_equal(s->ops->get_other(s, ids,
			     f.world.objects[0].record.data +
				 f.world.objects[0].record.len - 32,
			     1, on_got, &seen),
	    0);
	assert_int_equal(seen.records, 1);
	assert_int_equal(seen.absent, 1);

	check_commit_and_lists(&f, s, ids);
	s->ops->close(s);
	assert_int_equal(f.world.opened, 1);
	assert_int_equal(f.world.closed, 1);
	buf_release(&records);
	server_fixture_stop(&f);
}

static void
test_errors_come_through(void **state)
{
	static const int codes[] = {ERR_IO, ERR_NOSPACE, ERR_STALE, ERR_REFUSED,
	    ERR_DAMAGED, ERR_EXIST, ERR_LIMIT, ERR_FAIL};
	uint8_t ids[10 * 32];
	struct server_fixture f;
	struct remote_options o;
	struct buf records = BUF_INIT;
	struct seen seen;
	struct store *s;
	size_t i;

	(void)state;
	server_fixture_start(&f, 0);
	server_fixture_mount(&o, &f, 1);
	assert_int_equal(remote_open(&s, &o), 0);
	for (i = 0; i < 10; i++)
		stub_record(&records, ids + 32 * i, i, 100);
	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		f.world.fail = codes[i];
		assert_int_equal(
		    s->ops->put(s, records.data, records.len), codes[i]);
		assert_non_null(strstr(err_text(), "made to fail"));
	}
	f.world.fail = 0;
	assert_int_equal(s->ops->put(s, records.data, records.len), 0);
	/* An error in the middle of a stream is one, with its words. */
	memset(&seen, 0, sizeof(seen));
	seen.world = &f.world;
	f.world.fail_get_after = 5;
	assert_int_equal(s->ops->get(s, ids, 10, on_got, &seen), ERR_IO);
	assert_int_equal(seen.records, 5);
	assert_non_null(strstr(err_text(), "made to fail"));
	/* More than a request may hold. */
	assert_int_equal(
	    s->ops->have(s, NULL, ids, LIMIT_HAVE_IDS + 1), ERR_LIMIT);
	assert_int_equal(
	    s->ops->get(s, ids, LIMIT_GET_IDS + 1, on_got, &seen), ERR_LIMIT);
	assert_int_equal(s->ops->put(s, ids, LIMIT_PUT_BYTES + 1), ERR_LIMIT);
	s->ops->close(s);
	buf_release(&records);
	server_fixture_stop(&f);
}

static void
test_restart_makes_stale(void **state)
{
	uint8_t ids[32] = {0}, bitmap[1];
	struct server_fixture f;
	struct remote_options o;
	struct store *s, *again;
	uint16_t port;

	(void)state;
	server_fixture_start(&f, 0);
	server_fixture_mount(&o, &f, 1);
	assert_int_equal(remote_open(&s, &o), 0);
	assert_int_equal(s->ops->have(s, bitmap, ids, 1), 0);
	/* The same address must answer: end the session there. */
	port = f.port;
	sessions_free(f.sessions);
	assert_int_equal(
	    sessions_new(&f.sessions, &sessions_limits_default), 0);
	f.dispatch.sessions = f.sessions;
	assert_int_equal(port, f.port);
	assert_int_equal(s->ops->have(s, bitmap, ids, 1), ERR_STALE);
	assert_int_equal(remote_open(&again, &o), 0);
	assert_int_equal(again->ops->have(again, bitmap, ids, 1), 0);
	again->ops->close(again);
	s->ops->close(s);
	server_fixture_stop(&f);
}

static void
test_wrong_store(void **state)
{
	struct server_fixture f, other;
	struct remote_options o, wrong;
	struct store *s;

	(void)state;
	server_fixture_start(&f, 0);
	server_fixture_start(&other, 0);
	server_fixture_mount(&o, &f, 1);
	wrong = o;
	wrong.url = other.url;
	assert_int_equal(remote_open(&s, &wrong), ERR_REFUSED);
	assert_non_null(strstr(err_text(), "another store"));
	/* Not registered there. */
	wrong = o;
	wrong.mount[0] ^= 1;
	assert_int_equal(remote_open(&s, &wrong), ERR_REFUSED);
	/* Another key than the mount's. */
	wrong = o;
	wrong.mount_seed[0] ^= 1;
	assert_int_equal(remote_open(&s, &wrong), ERR_REFUSED);
	/* Nobody there. */
	wrong = o;
	server_fixture_stop(&other);
	wrong.url = other.url;
	assert_int_equal(remote_open(&s, &wrong), ERR_UNREACHABLE);
	server_fixture_stop(&f);
}

/*
 * Whether a session of so many milliseconds lives on for three times as long
 * though its client has nothing to ask, and one without heartbeats does not.
 */
static int
lives_on(unsigned lease_ms)
{
	const struct sessions_limits l = {
	    8, 8, lease_ms, lease_ms, lease_ms, 86400000};
	struct channel_policy p = server_fixture_policy;
	uint8_t id[32] = {0}, bitmap[1];
	struct server_fixture f;
	struct remote_options o;
	struct store *s = NULL, *silent = NULL;
	int r;

	server_fixture_start_with(&f, 0, &l);
	server_fixture_mount(&o, &f, 1);
	r = remote_open(&silent, &o);
	p.heartbeat_ms = 100;
	o.policy = &p;
	if (r == 0)
		r = remote_open(&s, &o);
	if (r == 0) {
		sleep_ms(3 * lease_ms);
		assert_int_equal(
		    silent->ops->have(silent, bitmap, id, 1), ERR_STALE);
		r = s->ops->have(s, bitmap, id, 1);
	}
	if (silent != NULL)
		silent->ops->close(silent);
	if (s != NULL)
		s->ops->close(s);
	server_fixture_stop(&f);
	return r == 0;
}

/* A session lives on while its client has nothing to ask. */
static void
test_heartbeat(void **state)
{
	struct channel_policy p = server_fixture_policy;
	struct server_fixture f;
	struct remote_options o;
	unsigned lease_ms = 500;
	struct store *s;

	(void)state;
	/* A machine that stands still for so long beats no heart. */
	while (!lives_on(lease_ms)) {
		lease_ms *= 2;
		assert_true(lease_ms <= 8000);
	}
	server_fixture_start(&f, 0);
	server_fixture_mount(&o, &f, 1);
	o.policy = &p;
	/* Closing does not wait for a beat that nobody answers. */
	p.heartbeat_ms = 1;
	assert_int_equal(remote_open(&s, &o), 0);
	server_fixture_down(&f);
	sleep_ms(20);
	s->ops->close(s);
	server_fixture_up(&f, 0, &sessions_limits_default);
	server_fixture_stop(&f);
}

/* The server names a mount with the key of another one. */
static void
test_mounts_prove_their_names(void **state)
{
	char from[2 * IDENT_BYTES + 1], *a, *b;
	struct buf json = BUF_INIT;
	struct remote_options o;
	struct server_fixture f;
	struct store *s;
	unsigned n = 0;

	(void)state;
	server_fixture_start(&f, 0);
	server_fixture_mount(&o, &f, 1);
	hex_encode(from, o.mount, sizeof(o.mount));
	a = fs_printf("%s/mounts/%s.json", f.dir, from);
	from[0] = from[0] == '0' ? '1' : '0';
	b = fs_printf("%s/mounts/%s.json", f.dir, from);
	assert_int_equal(fs_read_file(&json, AT_FDCWD, a, 4096), 0);
	assert_int_equal(
	    fs_write_file(AT_FDCWD, b, json.data, json.len, 0600, 0), 0);
	assert_int_equal(remote_open(&s, &o), 0);
	assert_int_equal(s->ops->mounts(s, count_mount, &n), 0);
	assert_int_equal(n, 1);
	s->ops->close(s);
	buf_release(&json);
	free(a);
	free(b);
	server_fixture_stop(&f);
}

/* Records as they come, the one of `id` kept. */
struct any {
	const uint8_t *id;
	unsigned records;
	uint8_t record[4096];
	size_t len;
};

static int
on_any(void *arg, enum store_got got, const uint8_t id[STORE_ID_BYTES],
    const uint8_t *record, size_t len)
{
	struct any *any = arg;

	assert_int_equal(STORE_GOT_RECORD, got);
	any->records++;
	if (memcmp(id, any->id, 32) == 0) {
		assert_in_range(len, 1, sizeof(any->record));
		memcpy(any->record, record, len);
		any->len = len;
	}
	return 0;
}

/* A record that is not the one its checksum says never gets through. */
static void
test_spoilt_records(void **state)
{
	uint8_t ids[3 * 32];
	struct server_fixture f;
	struct remote_options o;
	struct buf records = BUF_INIT;
	struct seen seen;
	struct any any;
	struct store *s;
	struct buf *spoilt;
	unsigned i;
	size_t at;

	(void)state;
	server_fixture_start(&f, 0);
	server_fixture_mount(&o, &f, 1);
	assert_int_equal(remote_open(&s, &o), 0);
	for (i = 0; i < 3; i++)
		stub_record(&records, ids + 32 * i, i, 60);
	assert_int_equal(s->ops->put(s, records.data, records.len), 0);
	spoilt = &f.world.objects[1].record;
	for (at = 0; at < spoilt->len; at += 7) {
		spoilt->data[at] ^= 1;
		memset(&seen, 0, sizeof(seen));
		seen.world = &f.world;
		assert_int_equal(
		    s->ops->get(s, ids, 3, on_got, &seen), ERR_UNREACHABLE);
		assert_true(seen.records <= 2);
		assert_int_equal(
		    s->ops->get_other(s, ids + 32, NULL, 0, on_got, &seen),
		    ERR_UNREACHABLE);
		spoilt->data[at] ^= 1;
	}
	memset(&seen, 0, sizeof(seen));
	seen.world = &f.world;
	assert_int_equal(s->ops->get(s, ids, 3, on_got, &seen), 0);
	assert_int_equal(seen.records, 3);
	/* Who proves records itself gets them as they came, but for what says
	 * how long they are, and their checksums. */
	spoilt->data[spoilt->len / 2] ^= 1;
	memset(&any, 0, sizeof(any));
	any.id = ids + 32;
	assert_int_equal(s->ops->get_sealed(s, ids, 3, on_any, &any), 0);
	assert_int_equal(any.records, 3);
	assert_int_equal(any.len, spoilt->len);
	assert_memory_equal(any.record, spoilt->data, spoilt->len);
	spoilt->data[spoilt->len / 2] ^= 1;
	/* What is no record cannot be proved, so it is not sent. */
	assert_int_equal(
	    s->ops->put(s, records.data, records.len - 1), ERR_DAMAGED);
	s->ops->close(s);
	buf_release(&records);
	server_fixture_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_everything_once),
	    cmocka_unit_test(test_errors_come_through),
	    cmocka_unit_test(test_restart_makes_stale),
	    cmocka_unit_test(test_wrong_store),
	    cmocka_unit_test(test_heartbeat),
	    cmocka_unit_test(test_spoilt_records),
	    cmocka_unit_test(test_mounts_prove_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
