#include "proto/fault.h"

#include "base/err.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

struct fault {
	int code; /* at the server */
	int client_code; /* what the client's call returns */
	unsigned status;
	const char *word;
};

static const struct fault faults[] = {
    {ERR_FAIL, ERR_FAIL, 500, "failed"}, /* first: everything unlisted */
    {ERR_NOMEM, ERR_BUSY, 503, "memory"},
    {ERR_IO, ERR_IO, 500, "io"},
    {ERR_NOSTORE, ERR_NOSTORE, 404, "no-store"},
    {ERR_REFUSED, ERR_REFUSED, 403, "refused"},
    {ERR_DAMAGED, ERR_DAMAGED, 500, "damaged"},
    {ERR_NOENT, ERR_NOENT, 404, "absent"},
    {ERR_NOSPACE, ERR_NOSPACE, 507, "no-space"},
    {ERR_READONLY, ERR_READONLY, 500, "read-only"},
    {ERR_LIMIT, ERR_LIMIT, 413, "limit"},
    {ERR_EXIST, ERR_EXIST, 409, "exists"},
    {ERR_STALE, ERR_STALE, 409, "stale"},
    {ERR_MISSING, ERR_MISSING, 422, "missing"},
    {ERR_BUSY, ERR_BUSY, 503, "busy"},
    {FAULT_MALFORMED, ERR_FAIL, 400, "malformed"},
    {FAULT_UNAUTHENTICATED, ERR_UNREACHABLE, 401, "unauthenticated"},
};

#define FAULTS (sizeof(faults) / sizeof(faults[0]))

static const struct fault *
find_code(int code)
{
	size_t i;

	for (i = 0; i < FAULTS; i++)
		if (faults[i].code == code)
			return &faults[i];
	return &faults[0];
}

unsigned
fault_status(int code)
{
	return find_code(code)->status;
}

int
fault_encode(struct buf *out, int code, const char *text)
{
	const struct fault *f = find_code(code);
	struct json *j = json_new_object();
	char cut[FAULT_TEXT_MAX];
	int r;

	if (j == NULL)
		return ERR_NOMEM;
	(void)snprintf(cut, sizeof(cut), "%s", text); /* cutting is meant */
	r = json_set_text(j, "error", f->word);
	if (r < 0)
		goto out;
	/* A text that is no UTF-8 (a cut name) is worth less than the word. */
	if (json_set_text(j, "text", cut) < 0)
		r = json_set_text(j, "text", f->word);
	if (r < 0)
		goto out;
	r = json_encode(out, j);
out:
	json_free(j);
	return r;
}

int
fault_decode(const uint8_t *p, size_t len)
{
	const char *word, *text;
	struct json *j = NULL;
	int r = ERR_UNREACHABLE;
	size_t i;

	if (json_decode(&j, (const char *)p, len) < 0 ||
	    json_get_text(&word, j, "error", 32) < 0 ||
	    json_get_text(&text, j, "text", FAULT_TEXT_MAX) < 0) {
		r = err_set(r, "the server's answer is malformed");
		goto out;
	}
	for (i = 0; i < FAULTS; i++)
		if (strcmp(word, faults[i].word) == 0)
			break;
	if (i == FAULTS)
		r = err_set(ERR_FAIL, "server: %s: %s", word, text);
	else
		r = err_set(faults[i].client_code, "server: %s", text);
out:
	json_free(j);
	return r;
}
