#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
check(const char *plain, const char *want)
{
	char text[64];
	size_t len = strlen(plain);

	base64_encode(text, (const uint8_t *)plain, len);
	assert_string_equal(text, want);
	assert_int_equal(strlen(text) + 1, BASE64_BYTES(len));
}

/* RFC 4648, section 10. */
static void
test_vectors(void **state)
{
	(void)state;
	check("", "");
	check("f", "Zg==");
	check("fo", "Zm8=");
	check("foo", "Zm9v");
	check("foob", "Zm9vYg==");
	check("fooba", "Zm9vYmE=");
	check("foobar", "Zm9vYmFy");
	check("\xff\xfe\xfb\xef\xbe", "//77774=");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
