/*
 * A hostile network between client and server: whatever is flipped or cut,
 * the call fails or gives the right bytes, and nothing wrong is handed out.
 */

#include "base/err.h"
#include "base/limits.h"
#include "lib/server_fixture.h"
#include "lib/tamper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define OBJECTS 3

/* Tampered lengths make the client wait: not for long. */
static const struct channel_policy impatient = {
    .retry = {.for_ms = 0, .pause_ms = 1, .pause_ms_max = 1},
    .connect_ms = 60000,
    .stall_seconds = 1,
    .commit_stall_seconds = 1,
};

/* What nobody disturbs succeeds, unless the machine stands still for as long
 * as the client waits. */
#define SUCCEEDS(again, call) \
	do { \
		int tries_ = 0; \
\
		for (;;) { \
			again; \
			if ((call) == 0) \
				break; \
			assert_true(++tries_ < 10); \
		} \
	} while (0)

struct scene {
	struct server_fixture f;
	struct tamper *t;
	char url[64];
	struct remote_options o;
	struct store *s;
	uint8_t ids[OBJECTS * 32];
	struct buf records;
};

static void
open_scene(struct scene *x, const struct channel_policy *p)
{
	unsigned i;

	memset(x, 0, sizeof(*x));
	server_fixture_start(&x->f, 0);
	server_fixture_mount(&x->o, &x->f, 1);
	x->t = tamper_start(x->f.port);
	(void)snprintf(x->url, sizeof(x->url), "http://127.0.0.1:%u",
	    tamper_port(x->t)); /* it fits */
	x->o.url = x->url;
	x->o.policy = p;
	SUCCEEDS(, remote_open(&x->s, &x->o));
	for (i = 0; i < OBJECTS; i++)
		stub_record(&x->records, x->ids + 32 * i, i, 60);
	/* The last one stays absent. */
	SUCCEEDS(, x->s->ops->put(x->s, x->records.data,
		       x->records.len / OBJECTS * (OBJECTS - 1)));
}

static void
close_scene(struct scene *x)
{
	tamper_set(x->t, &tamper_nothing);
	x->s->ops->close(x->s);
	tamper_stop(x->t);
	server_fixture_stop(&x->f);
	buf_release(&x->records);
}

struct seen {
	const struct scene *x;
	unsigned mask;
};

static int
on_got(void *arg, enum store_got got, const uint8_t *id, const uint8_t *record,
    size_t len)
{
	struct seen *seen = arg;
	const struct scene *x = seen->x;
	size_t one = x->records.len / OBJECTS;
	unsigned i;

	for (i = 0; i < OBJECTS; i++)
		if (memcmp(id, x->ids + 32 * i, 32) == 0)
			break;
	assert_true(i < OBJECTS);
	assert_int_equal(seen->mask & 1u << i, 0);
	seen->mask |= 1u << i;
	if (i == OBJECTS - 1) {
		assert_int_equal(got, STORE_GOT_ABSENT);
		return 0;
	}
	assert_int_equal(got, STORE_GOT_RECORD);
	assert_int_equal(len, one);
	assert_memory_equal(record, x->records.data + one * i, one);
	return 0;
}

static int
get_all(struct scene *x, unsigned *mask)
{
	struct seen seen = {.x = x};
	int r = x->s->ops->get(x->s, x->ids, OBJECTS, on_got, &seen);

	*mask = seen.mask;
	return r;
}

static void
test_every_byte_down(void **state)
{
	struct tamper_plan p = tamper_nothing;
	unsigned mask, failed = 0, right = 0;
	struct scene x;
	int64_t len, i;
	int r, cut;

	(void)state;
	open_scene(&x, &impatient);
	SUCCEEDS(tamper_set(x.t, &p), get_all(&x, &mask));
	assert_int_equal(mask, (1u << OBJECTS) - 1);
	len = tamper_down(x.t);
	assert_true(len > 300);
	for (cut = 0; cut < 2; cut++) {
		for (i = 0; i < len; i++) {
			p = tamper_nothing;
			if (cut)
				p.cut_down = i;
			else
				p.flip_down = i;
			tamper_set(x.t, &p);
			r = get_all(&x, &mask);
			if (r == 0) {
				right++;
				assert_int_equal(mask, (1u << OBJECTS) - 1);
			} else {
				failed++;
				assert_int_equal(r, ERR_UNREACHABLE);
			}
			/* But for the line end behind the last segment. */
			assert_true(!cut || r != 0 || i >= len - 2);
		}
	}
	assert_true(failed > right);
	close_scene(&x);
}

static void
test_every_byte_up(void **state)
{
	struct tamper_plan p = tamper_nothing;
	uint8_t bitmap[1];
	struct scene x;
	int64_t len, i;
	int r, cut;

	(void)state;
	open_scene(&x, &impatient);
	bitmap[0] = 0;
	SUCCEEDS(
	    tamper_set(x.t, &p), x.s->ops->have(x.s, bitmap, x.ids, OBJECTS));
	assert_int_equal(bitmap[0], 3);
	len = tamper_up(x.t);
	assert_true(len > 200);
	for (cut = 0; cut < 2; cut++) {
		for (i = 0; i < len; i++) {
			p = tamper_nothing;
			if (cut)
				p.cut_up = i;
			else
				p.flip_up = i;
			tamper_set(x.t, &p);
			bitmap[0] = 0;
			r = x.s->ops->have(x.s, bitmap, x.ids, OBJECTS);
			/* A session spoilt on its way is an unknown one. */
			assert_true(r == 0 || r == ERR_UNREACHABLE ||
				    r == ERR_STALE || r == ERR_LIMIT ||
				    r == ERR_FAIL);
			assert_true(r == 0 ? bitmap[0] == 3 : bitmap[0] == 0);
		}
	}
	close_scene(&x);
}

static void
test_tries_again(void **state)
{
	struct channel_policy p = impatient;
	struct tamper_plan plan = tamper_nothing;
	struct store_receipt receipt;
	struct buf missing = BUF_INIT;
	unsigned mask;
	struct scene x;

	(void)state;
	p.retry.for_ms = 300;
	p.stall_seconds = p.commit_stall_seconds = 30;
	open_scene(&x, &p);
	plan.cut_down = 400; /* in the middle of the second record */
	tamper_set(x.t, &plan);
	assert_int_equal(get_all(&x, &mask), ERR_UNREACHABLE);
	/* One cut, and then the way is free: the position has passed. */
	plan.cut_down = TAMPER_NEVER;
	plan.flip_down = 330;
	tamper_set(x.t, &plan);
	assert_int_equal(get_all(&x, &mask), 0);
	assert_int_equal(mask, (1u << OBJECTS) - 1);
	plan.flip_down = TAMPER_NEVER;
	plan.flip_up = 230;
	tamper_set(x.t, &plan);
	assert_int_equal(
	    x.s->ops->commit(x.s, &receipt, &missing, x.ids, 96), 0);
	assert_int_equal(x.f.world.nsnapshots, 1);
	assert_int_equal(x.s->ops->put(x.s, x.records.data, x.records.len), 0);
	buf_release(&missing);
	close_scene(&x);
}

#define LISTED 5

static int
on_listed(void *arg, const struct store_snapshot *s)
{
	unsigned *n = arg;

	assert_int_equal(s->seq, ++*n);
	assert_int_equal(s->len, 96);
	assert_int_equal(s->file[0], s->seq);
	return 0;
}

/* Each snapshot once, wherever the first answer is spoilt. */
static void
test_listing_goes_on(void **state)
{
	struct channel_policy policy = impatient;
	struct tamper_plan plan = tamper_nothing;
	uint8_t snapshot[96] = {0};
	struct store_receipt receipt;
	struct buf missing = BUF_INIT;
	int64_t at, len;
	struct scene x;
	unsigned n;

	(void)state;
	policy.retry.for_ms = 60000;
	open_scene(&x, &policy);
	for (n = 1; n <= LISTED; n++) {
		snapshot[0] = (uint8_t)n;
		assert_int_equal(x.s->ops->commit(x.s, &receipt, &missing,
				     snapshot, sizeof(snapshot)),
		    0);
	}
	n = 0;
	tamper_set(x.t, &plan);
	assert_int_equal(x.s->ops->snapshots(x.s, NULL, on_listed, &n), 0);
	assert_int_equal(n, LISTED);
	len = tamper_down(x.t);
	assert_true(len > LISTED * 96);
	for (at = 0; at < len; at += 11) {
		plan.flip_down = at;
		tamper_set(x.t, &plan);
		n = 0;
		assert_int_equal(
		    x.s->ops->snapshots(x.s, NULL, on_listed, &n), 0);
		assert_int_equal(n, LISTED);
	}
	buf_release(&missing);
	close_scene(&x);
}

static void
test_log_in_spoilt(void **state)
{
	struct tamper_plan p = tamper_nothing;
	struct store *s;
	struct scene x;
	int64_t down, up, i;
	int r;

	(void)state;
	open_scene(&x, &impatient);
	SUCCEEDS(tamper_set(x.t, &p), remote_open(&s, &x.o));
	down = tamper_down(x.t);
	up = tamper_up(x.t);
	s->ops->close(s);
	for (i = 0; i < down + up; i += 5) {
		p = tamper_nothing;
		if (i < down)
			p.flip_down = i;
		else
			p.flip_up = i - down;
		tamper_set(x.t, &p);
		r = remote_open(&s, &x.o);
		tamper_set(x.t, &tamper_nothing);
		if (r == 0) {
			/* Only where it does not matter. */
			assert_memory_equal(s->info.vault, x.s->info.vault,
			    sizeof(s->info.vault));
			assert_memory_equal(
			    s->info.generation, x.s->info.generation, 32);
			s->ops->close(s);
		} else {
			assert_true(r == ERR_UNREACHABLE || r == ERR_REFUSED ||
				    r == ERR_FAIL || r == ERR_NOENT ||
				    r == ERR_LIMIT);
		}
	}
	close_scene(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_byte_down),
	    cmocka_unit_test(test_every_byte_up),
	    cmocka_unit_test(test_tries_again),
	    cmocka_unit_test(test_listing_goes_on),
	    cmocka_unit_test(test_log_in_spoilt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
