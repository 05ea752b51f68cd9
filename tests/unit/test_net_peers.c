/* Connections are counted by address, whatever comes and goes between. */

#include "net/peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MAX 8u

static const struct sockaddr *
four(uint32_t address)
{
	static struct sockaddr_in a;

	memset(&a, 0, sizeof(a));
	a.sin_family = AF_INET;
	a.sin_port = (in_port_t)address; /* another one each time */
	a.sin_addr.s_addr = htonl(address);
	return (const struct sockaddr *)(const void *)&a;
}

static const struct sockaddr *
six(const char *text)
{
	static struct sockaddr_in6 a;

	memset(&a, 0, sizeof(a));
	a.sin6_family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, text, &a.sin6_addr), 1);
	return (const struct sockaddr *)(const void *)&a;
}

static void
test_counts(void **state)
{
	struct peers *p;
	unsigned all = 99;

	(void)state;
	assert_int_equal(peers_new(&p, MAX), 0);
	assert_int_equal(peers_count(&all, p, four(1)), 0);
	assert_int_equal(all, 0);
	peers_come(p, four(1));
	peers_come(p, four(2));
	peers_come(p, six("::2"));
	peers_come(p, four(1));
	peers_come(p, six("::ffff:0.0.0.1")); /* the same machine */
	assert_int_equal(peers_count(&all, p, four(1)), 3);
	assert_int_equal(all, 5);
	assert_int_equal(peers_count(NULL, p, four(2)), 1);
	assert_int_equal(peers_count(NULL, p, six("::2")), 1);
	assert_int_equal(peers_count(NULL, p, six("::3")), 0);
	peers_go(p, four(2));
	peers_go(p, four(1));
	assert_int_equal(peers_count(&all, p, four(1)), 2);
	assert_int_equal(all, 3);
	assert_int_equal(peers_count(NULL, p, four(2)), 0);
	assert_int_equal(peers_count(NULL, p, six("::2")), 1);
	peers_go(p, four(1));
	peers_go(p, four(1));
	peers_go(p, six("::2"));
	assert_int_equal(peers_count(&all, p, four(1)), 0);
	assert_int_equal(all, 0);
	peers_free(p);
	peers_free(NULL);
}

/* Every place is used again. */
static void
test_many(void **state)
{
	struct peers *p;
	unsigned round, i, all;

	(void)state;
	assert_int_equal(peers_new(&p, MAX), 0);
	for (round = 0; round < 100; round++) {
		for (i = 0; i < MAX; i++)
			peers_come(p, four(round * MAX + i));
		peers_come(p, four(1u << 30)); /* one too many */
		assert_int_equal(peers_count(&all, p, four(1u << 30)), 0);
		assert_int_equal(all, MAX);
		peers_go(p, four(1u << 30));
		for (i = 0; i < MAX; i++) {
			assert_int_equal(
			    peers_count(NULL, p, four(round * MAX + i)), 1);
			peers_go(p, four(round * MAX + i));
		}
		(void)peers_count(&all, p, four(0));
		assert_int_equal(all, 0);
	}
	peers_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
