#include "proto/hello.h"

#include "base/err.h"
#include "base/json.h"
#include "proto/ident.h"

#include <string.h>

int
hello_encode(struct buf *out, const struct hello *h)
{
	struct json *j = json_new_object();
	int r;

	if (j == NULL)
		return ERR_NOMEM;
	r = json_set_text(j, "product", IDENT_PRODUCT);
	if (r == 0)
		r = json_set_int(j, "protocol", IDENT_PROTOCOL);
	if (r == 0)
		r = json_set_hex(j, "store", h->store, sizeof(h->store));
	if (r == 0)
		r = json_set_bool(j, "insecure", h->insecure);
	if (r == 0)
		r = json_encode(out, j);
	json_free(j);
	return r;
}

int
hello_decode(struct hello *out, const uint8_t *p, size_t len)
{
	const char *product;
	struct json *j = NULL;
	struct hello h;
	int64_t protocol;
	int r = ERR_UNREACHABLE;

	if (json_decode(&j, (const char *)p, len) < 0 ||
	    json_get_text(&product, j, "product", 32) < 0 ||
	    strcmp(product, IDENT_PRODUCT) != 0) {
		r = err_set(r, "this is not a hashstore server");
		goto out;
	}
	if (json_get_int(&protocol, j, "protocol", 0, INT64_MAX) < 0) {
		r = err_prefix(r, "the server's hello is malformed");
		goto out;
	}
	if (protocol != IDENT_PROTOCOL) {
		r = err_set(ERR_NOSTORE,
		    "the server speaks protocol %lld, this shash %d: use a%s "
		    "shash",
		    (long long)protocol, IDENT_PROTOCOL,
		    protocol > IDENT_PROTOCOL ? " newer" : "n older");
		goto out;
	}
	if (json_get_hex(h.store, sizeof(h.store), j, "store") < 0 ||
	    json_get_bool(&h.insecure, j, "insecure") < 0) {
		r = err_prefix(r, "the server's hello is malformed");
		goto out;
	}
	*out = h;
	r = 0;
out:
	json_free(j);
	return r;
}
