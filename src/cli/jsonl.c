#include "cli/jsonl.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/utf8.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Keep the first error. */
static void
note(struct jsonl *l, int rc)
{
	if (l->rc == 0)
		l->rc = rc;
}

void
jsonl_begin(struct jsonl *l, const char *type)
{
	l->object = json_new_object();
	l->rc = l->object == NULL ? ERR_NOMEM : 0;
	jsonl_text(l, "type", type);
}

void
jsonl_int(struct jsonl *l, const char *name, int64_t v)
{
	if (l->rc == 0)
		note(l, json_set_int(l->object, name, v));
}

void
jsonl_bool(struct jsonl *l, const char *name, int v)
{
	if (l->rc == 0)
		note(l, json_set_bool(l->object, name, v));
}

void
jsonl_hex(struct jsonl *l, const char *name, const uint8_t *p, size_t len)
{
	if (l->rc == 0)
		note(l, json_set_hex(l->object, name, p, len));
}

void
jsonl_text(struct jsonl *l, const char *name, const char *text)
{
	jsonl_bytes(l, name, text, strlen(text));
}

void
jsonl_bytes(struct jsonl *l, const char *name, const char *p, size_t len)
{
	if (l->rc == 0)
		note(l, json_set_bytes(l->object, name, p, len));
}

void
jsonl_texts(struct jsonl *l, const char *name, const char *const *texts,
    const uint8_t *lens, size_t n)
{
	struct json *array;
	char text[4 * UINT8_MAX + 1];
	size_t i;

	if (l->rc != 0)
		return;
	array = json_new_array();
	if (array == NULL) {
		note(l, ERR_NOMEM);
		return;
	}
	for (i = 0; i < n && l->rc == 0; i++) {
		if (utf8_is_text(texts[i], lens[i]))
			(void)snprintf(text, sizeof(text), "%.*s", (int)lens[i],
			    texts[i]); /* it fits */
		else
			(void)log_escape(text, sizeof(text), texts[i], lens[i]);
		note(l, json_push_text(array, text));
	}
	note(l, json_set(l->object, name, array));
}

void
jsonl_time(struct jsonl *l, const char *name, int64_t ns)
{
	char member[64], text[64], day[32] = "";
	int64_t fraction = ns % 1000000000;
	time_t s = (time_t)(ns / 1000000000);
	struct tm tm;

	if (fraction < 0) {
		fraction += 1000000000;
		s--;
	}
	(void)snprintf(member, sizeof(member), "%s_ns", name); /* short */
	jsonl_int(l, member, ns);
	if (gmtime_r(&s, &tm) == NULL ||
	    strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return; /* 64 bits of ns end in the year 2262: never */
	(void)snprintf(
	    text, sizeof(text), "%s.%09lldZ", day, (long long)fraction);
	jsonl_text(l, name, text);
}

int
jsonl_print(struct jsonl *l)
{
	struct buf text = BUF_INIT;

	if (l->rc == 0)
		note(l, json_encode_ascii(&text, l->object));
	if (l->rc == 0)
		note(l, cli_print("%.*s", (int)text.len, (char *)text.data));
	json_free(l->object);
	l->object = NULL;
	buf_release(&text);
	return l->rc;
}
