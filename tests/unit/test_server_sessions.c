/* The table of sessions: leases, limits, use while ending. */

#include "base/err.h"
#include "lib/seeded.h"
#include "lib/stub_store.h"
#include "server/account.h"
#include "server/sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct stub_world world;

/* The clock is the test's; what ends sessions by it looks now and then. */
/* Longer than any of these tests lasts. */
#define LIFE_MS 86400000u

static void
pass_ms(int64_t ms)
{
	seeded_pass(ms * 1000000);
}

/* Add session `id` of mount `mount`. */
static int
add(struct sessions *ss, uint8_t id, uint8_t mount)
{
	struct account_mount m = {.label = "x"};
	struct mac_session keys;
	struct store *store;

	memset(&keys, 0, sizeof(keys));
	memset(keys.session, id, sizeof(keys.session));
	memset(m.mount, mount, sizeof(m.mount));
	assert_int_equal(stub_store_open(&store, &world, &m), 0);
	return sessions_add(ss, &keys, m.mount, m.vault, store);
}

static int
known(struct sessions *ss, uint8_t id)
{
	uint8_t name[IDENT_BYTES];

	memset(name, id, sizeof(name));
	return sessions_known(ss, name);
}

static struct session *
use(struct sessions *ss, uint8_t id)
{
	uint8_t name[IDENT_BYTES];

	memset(name, id, sizeof(name));
	return sessions_take(ss, name);
}

/* Until it has ended: what ends it looks twenty times a second. */
static void
wait_for_end(struct sessions *ss, uint8_t id)
{
	int i;

	for (i = 0; i < 60000 && known(ss, id); i++)
		usleep(1000);
	assert_int_equal(known(ss, id), 0);
}

static void
test_leases(void **state)
{
	static const struct sessions_limits l = {
	    10, 10, 2500, 200, 2500, LIFE_MS};
	struct sessions *ss;
	struct session *s;
	int i;

	(void)state;
	stub_world_init(&world);
	assert_int_equal(sessions_new(&ss, &l), 0);
	assert_int_equal(add(ss, 1, 1), 0);
	assert_int_equal(add(ss, 2, 1), 0);
	assert_int_equal(add(ss, 3, 1), 0);
	s = use(ss, 1);
	assert_int_equal(sessions_accept(ss, s, 1), SESSIONS_FIRST);
	assert_int_equal(sessions_accept(ss, s, 2), 0);
	sessions_give(ss, s);
	/* One that only somebody's junk reaches ends as if unused. */
	for (i = 0; i < 10; i++) {
		s = use(ss, 2);
		if (s != NULL)
			sessions_give(ss, s);
		pass_ms(50);
	}
	wait_for_end(ss, 2);
	wait_for_end(ss, 3);
	assert_int_equal(known(ss, 1), 1);
	/* One in use does not end. */
	s = use(ss, 1);
	assert_int_equal(add(ss, 4, 1), 0);
	pass_ms(3000);
	wait_for_end(ss, 4);
	assert_int_equal(known(ss, 1), 1);
	sessions_give(ss, s);
	/* Its lease begins anew then. */
	assert_int_equal(add(ss, 5, 1), 0);
	pass_ms(2000);
	wait_for_end(ss, 5);
	assert_int_equal(known(ss, 1), 1);
	pass_ms(1000);
	wait_for_end(ss, 1);
	for (i = 0; i < 60000 && sessions_count(ss, NULL) > 0; i++)
		usleep(1000); /* closing is a part of it */
	assert_int_equal(sessions_count(ss, NULL), 0);
	sessions_free(ss);
	assert_int_equal(world.opened, world.closed);
	stub_world_release(&world);
}

static void
test_limits(void **state)
{
	static const struct sessions_limits l = {
	    6, 3, 100000, 100000, 60000, LIFE_MS};
	struct sessions *ss;
	struct session *s[6];
	uint8_t i;

	(void)state;
	stub_world_init(&world);
	assert_int_equal(sessions_new(&ss, &l), 0);
	for (i = 1; i <= 3; i++)
		assert_int_equal(add(ss, i, 1), 0);
	s[0] = use(ss, 1);
	assert_int_equal(sessions_accept(ss, s[0], 1), SESSIONS_FIRST);
	sessions_give(ss, s[0]);
	/* The oldest that proved nothing goes, not the proven one. */
	assert_int_equal(add(ss, 4, 1), 0);
	assert_int_equal(known(ss, 1), 1);
	assert_int_equal(known(ss, 2), 0);
	assert_int_equal(known(ss, 3), 1);
	/* Used ones stay, and then there is no room. */
	s[0] = use(ss, 1);
	s[1] = use(ss, 3);
	s[2] = use(ss, 4);
	assert_int_equal(add(ss, 5, 1), ERR_BUSY);
	/* Another mount has its own room, up to the limit of all. */
	for (i = 10; i < 13; i++)
		assert_int_equal(add(ss, i, i), 0);
	for (i = 0; i < 3; i++) {
		s[3 + i] = use(ss, (uint8_t)(10 + i));
		assert_int_equal(
		    sessions_accept(ss, s[3 + i], 9), SESSIONS_FIRST);
		sessions_give(ss, s[3 + i]);
	}
	assert_int_equal(add(ss, 20, 20), ERR_BUSY);
	/* Ended while in use: gone for others, closed with the last use. */
	sessions_end(ss, s[0]);
	assert_int_equal(known(ss, 1), 0);
	i = (uint8_t)world.closed;
	sessions_give(ss, s[0]);
	assert_int_equal(world.closed, i + 1);
	assert_int_equal(add(ss, 20, 20), 0);
	sessions_give(ss, s[1]);
	sessions_give(ss, s[2]);
	sessions_free(ss);
	assert_int_equal(world.opened, world.closed);
	stub_world_release(&world);
}

/* Add it, and let a request follow. */
static void
add_proven(struct sessions *ss, uint8_t id, uint8_t mount)
{
	struct session *s;

	assert_int_equal(add(ss, id, mount), 0);
	s = use(ss, id);
	assert_int_equal(sessions_accept(ss, s, 1), SESSIONS_FIRST);
	sessions_give(ss, s);
}

/* After a network that failed, those who come back find the table full. */
static void
test_silent(void **state)
{
	static const struct sessions_limits l = {
	    3, 3, 600000, 60000, 60000, LIFE_MS};
	struct sessions *ss;
	struct session *s;

	(void)state;
	stub_world_init(&world);
	assert_int_equal(sessions_new(&ss, &l), 0);
	add_proven(ss, 1, 1);
	pass_ms(10000);
	add_proven(ss, 2, 2);
	add_proven(ss, 3, 3);
	pass_ms(40000);
	/* They may all live. */
	assert_int_equal(add(ss, 4, 4), ERR_BUSY);
	pass_ms(11000);
	assert_int_equal(add(ss, 4, 4), 0);
	assert_int_equal(known(ss, 1), 0);
	assert_int_equal(known(ss, 2), 1);
	assert_int_equal(known(ss, 3), 1);
	/* What is in use lives, however long. */
	add_proven(ss, 5, 4); /* in place of 4, which proved nothing */
	s = use(ss, 2);
	pass_ms(61000);
	add_proven(ss, 6, 6);
	assert_int_equal(known(ss, 2), 1);
	assert_int_equal(known(ss, 3), 0);
	sessions_give(ss, s);
	sessions_free(ss);
	assert_int_equal(world.opened, world.closed);
	stub_world_release(&world);
}

/* Whoever keeps a session in use all the time has an end, too. */
static void
test_life(void **state)
{
	static const struct sessions_limits l = {
	    6, 3, LIFE_MS / 20, 100, 60000, LIFE_MS};
	static const uint8_t vault[IDENT_BYTES];
	struct sessions *ss;
	struct session *s;
	unsigned i;

	(void)state;
	stub_world_init(&world);
	assert_int_equal(sessions_new(&ss, &l), 0);
	add_proven(ss, 1, 1);
	add_proven(ss, 2, 1);
	for (i = 0; i < 24; i++) {
		pass_ms(LIFE_MS / 24 - 1);
		sessions_give(ss, use(ss, 1));
		sessions_give(ss, use(ss, 2));
	}
	add_proven(ss, 3, 1);
	s = use(ss, 2);
	pass_ms(60);
	wait_for_end(ss, 1);
	/* What is under way comes to its end first. */
	wait_for_end(ss, 2);
	assert_int_equal(sessions_count(ss, NULL), 1);
	for (i = 0; i < 60000 && sessions_count(ss, vault) > 2; i++)
		usleep(1000);
	assert_int_equal(world.opened, world.closed + 2);
	sessions_give(ss, s);
	assert_int_equal(world.opened, world.closed + 1);
	assert_int_equal(known(ss, 3), 1);
	sessions_free(ss);
	assert_int_equal(world.opened, world.closed);
	stub_world_release(&world);
}

static void
test_window(void **state)
{
	static const struct sessions_limits l = {
	    6, 3, 100000, 100000, 60000, LIFE_MS};
	struct sessions *ss;
	struct session *s;
	uint64_t n;

	(void)state;
	stub_world_init(&world);
	assert_int_equal(sessions_new(&ss, &l), 0);
	assert_int_equal(add(ss, 1, 1), 0);
	s = use(ss, 1);
	assert_int_equal(sessions_accept(ss, s, 0), 1);
	/* Every second one, upwards; then the others, downwards. */
	for (n = 2; n <= 2 * SESSIONS_WINDOW; n += 2)
		assert_int_equal(
		    sessions_accept(ss, s, n), n == 2 ? SESSIONS_FIRST : 0);
	for (n = 2 * SESSIONS_WINDOW - 1; n > SESSIONS_WINDOW; n -= 2)
		assert_int_equal(sessions_accept(ss, s, n), 0);
	assert_int_equal(sessions_accept(ss, s, n), 1); /* too old */
	for (n = 1; n <= 2 * SESSIONS_WINDOW; n++)
		assert_int_equal(sessions_accept(ss, s, n), 1);
	/* A leap forgets what is too old anyway. */
	assert_int_equal(sessions_accept(ss, s, UINT64_MAX), 0);
	assert_int_equal(sessions_accept(ss, s, UINT64_MAX), 1);
	assert_int_equal(
	    sessions_accept(ss, s, UINT64_MAX - SESSIONS_WINDOW), 1);
	assert_int_equal(
	    sessions_accept(ss, s, UINT64_MAX - SESSIONS_WINDOW + 1), 0);
	sessions_give(ss, s);
	sessions_free(ss);
	stub_world_release(&world);
}

static struct sessions *spied;
static const struct store_ops *spied_ops;
static unsigned seen_while_closing;

static void
spy_on_close(struct store *store)
{
	static const uint8_t vault[IDENT_BYTES];

	seen_while_closing = sessions_count(spied, vault);
	spied_ops->close(store);
}

/* A session that is closing its packs still works on its vault. */
static void
test_closing_counts(void **state)
{
	static const struct sessions_limits l = {
	    10, 10, 60000, 60000, 60000, LIFE_MS};
	static const uint8_t vault[IDENT_BYTES];
	struct store_ops ops;
	struct session *s;

	(void)state;
	stub_world_init(&world);
	assert_int_equal(sessions_new(&spied, &l), 0);
	assert_int_equal(add(spied, 1, 1), 0);
	s = use(spied, 1);
	spied_ops = s->store->ops;
	ops = *spied_ops;
	ops.close = spy_on_close;
	s->store->ops = &ops;
	sessions_end(spied, s);
	sessions_give(spied, s);
	assert_int_equal(seen_while_closing, 1);
	assert_int_equal(sessions_count(spied, vault), 0);
	sessions_free(spied);
	stub_world_release(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_leases),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_silent),
	    cmocka_unit_test(test_life),
	    cmocka_unit_test(test_window),
	    cmocka_unit_test(test_closing_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
