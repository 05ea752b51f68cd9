#ifndef HS_NET_HTTP_CLIENT_H
#define HS_NET_HTTP_CLIENT_H

/*
 * An HTTP/1.1 client (libcurl; the only file that knows it).  No redirects,
 * no compression, no cookies.  https uses the system's authorities, or those of
 * the file $SSL_CERT_FILE.
 *
 * Thread use: a client is one connection, used by one thread at a time.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct http_client;

#define HTTP_CLIENT_PARTS 2
#define HTTP_CLIENT_HEADERS 4
#define HTTP_CLIENT_VALUE_MAX 64

/*
 * A piece of the answer's body.  A nonzero return ends the call with that
 * code.
 */
struct http_client_call;
typedef int http_client_data_fn(void *arg, const struct http_client_call *call,
    const uint8_t *p, size_t len);

struct http_client_call {
	const char *path; /* begins with a slash, follows the base URL */
	int post; /* else GET */
	const char *headers[HTTP_CLIENT_HEADERS]; /* "Name: value" or NULL */
	/* The body: these end to end. */
	const uint8_t *part[HTTP_CLIENT_PARTS];
	size_t part_len[HTTP_CLIENT_PARTS];
	unsigned connect_ms; /* for the connection to stand */
	unsigned stall_seconds; /* without a byte in either direction */
	http_client_data_fn *data;
	void *arg;
	const char *want; /* a header of the answer to keep, or NULL */
	const atomic_int *cancel; /* NULL, or: set, it ends the call soon */

	/* Set when `data` is called and when the call returns. */
	unsigned status;
	char value[HTTP_CLIENT_VALUE_MAX]; /* of that header, else empty */
};

/*
 * A client for URLs that begin with `url` (http:// or https://, slashes at
 * the end do not count).  Nothing is sent yet.
 * Returns 0; ERR_USAGE; ERR_NOMEM.
 */
int http_client_open(struct http_client **out, const char *url);
void http_client_close(struct http_client *c); /* NULL is fine */

/*
 * Make the call.  Returns 0 when a whole answer arrived, with any status;
 * ERR_UNREACHABLE; ERR_REFUSED (https: a certificate that nobody trusted has
 * signed); what `data` returned.
 */
int http_client_do(struct http_client *c, struct http_client_call *call);

#endif
