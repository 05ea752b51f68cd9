#include "lib/bad_json.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct job {
	json_t *top;
	bad_json_fn *fn;
	void *arg;
	unsigned forms;
};

static const char *const values[] = {"null", "true", "-1", "0", "1.5",
    "4294967296", "9223372036854775807", "\"\"", "\"x\"",
    "\"0123456789abcdef0123456789abcdeg\"", "\"\\u0000\"", "\"caf\\u00e9\"",
    "[]", "{}", "[1]",
    "\"00000000000000000000000000000000000000000000000000000000000000000\""};

static json_t *
parse(const char *text, size_t len)
{
	json_t *j =
	    json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	assert_non_null(j);
	return j;
}

static void
hand_out(struct job *job, const char *name, const char *what)
{
	char *text = json_dumps(job->top, JSON_COMPACT | JSON_SORT_KEYS);
	char said[128];

	assert_non_null(text);
	(void)snprintf(said, sizeof(said), "%s: %s", name, what);
	job->fn(job->arg, said, text, strlen(text));
	job->forms++;
	free(text);
}

/* One member of an object, in all forms. */
static void
spoil_member(struct job *job, json_t *object, const char *name)
{
	json_t *own = json_incref(json_object_get(object, name));
	size_t v;

	for (v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
		json_t *other = parse(values[v], strlen(values[v]));

		if (!json_equal(other, own)) {
			assert_int_equal(
			    json_object_set(object, name, other), 0);
			hand_out(job, name, values[v]);
		}
		json_decref(other);
	}
	assert_int_equal(json_object_del(object, name), 0);
	hand_out(job, name, "taken out");
	assert_int_equal(json_object_set_new(object, name, own), 0);
}

static void
spoil(struct job *job, json_t *object)
{
	/* Of a copy, for the members change their places. */
	json_t *names = json_copy(object), *member;
	const char *name;

	assert_non_null(names);
	json_object_foreach(names, name, member)
	{
		if (json_is_object(member))
			spoil(job, member);
		spoil_member(job, object, name);
	}
	json_decref(names);
}

unsigned
bad_json_each(const char *text, size_t len, bad_json_fn *fn, void *arg)
{
	struct job job = {.top = parse(text, len), .fn = fn, .arg = arg};

	assert_true(json_is_object(job.top));
	spoil(&job, job.top);
	json_decref(job.top);
	return job.forms;
}

int
bad_json_within(const char *a, size_t a_len, const char *b, size_t b_len)
{
	json_t *x = parse(a, a_len), *y = parse(b, b_len), *member;
	const char *name;
	int within = 1;

	json_object_foreach(x, name, member) within &=
	    json_equal(member, json_object_get(y, name));
	json_decref(x);
	json_decref(y);
	return within;
}
