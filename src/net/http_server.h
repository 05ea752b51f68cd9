#ifndef HS_NET_HTTP_SERVER_H
#define HS_NET_HTTP_SERVER_H

/*
 * An HTTP/1.1 server (libmicrohttpd; the only file that knows it).  Request
 * bodies come whole, because their check stands at their end; answers go out
 * whole or as a stream.  Paths are compared by the caller byte for byte as
 * they stood in the request line: nothing is decoded.
 *
 * Thread use: every connection has a thread of its own, in which `accept` and
 * `handle` run.  They may block.
 */

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

/* Longest request line path, header value, and all headers of one request. */
#define HTTP_SERVER_PATH_MAX 1024
#define HTTP_SERVER_HEADERS_MAX 64
#define HTTP_SERVER_HEADER_BYTES_MAX 8192

struct http_server;
struct http_server_request; /* lives until its answer has gone out */
struct http_server_stream;

struct http_server_options {
	const char *listen; /* numeric address; NULL: all of this machine */
	uint16_t port; /* 0: any free one */
	/* With more than half of either in use, answers end their connection:
	 * nobody keeps an idle one from others. */
	unsigned connections_max;
	unsigned connections_per_address_max;
	unsigned stall_seconds; /* a silent peer is dropped after this */
	unsigned head_seconds; /* and one whose request's head is not there */
	/*
	 * Bodies longer than `big_bytes` wait until all that are held have at
	 * most `big_total` bytes together: the bound of memory for bodies.
	 */
	size_t big_bytes;
	size_t big_total;
	/* Streams at once; more wait: each holds some pieces in memory. */
	unsigned streams_max;
	/*
	 * The head of a request is there.  Set `*body_max` to the longest
	 * body to take.  Returns 0, or 1 to read the body and drop it.
	 */
	int (*accept)(
	    size_t *body_max, void *arg, struct http_server_request *rq);
	/*
	 * The request is there; calls http_server_answer() or
	 * http_server_stream() once, else the connection is closed.
	 */
	void (*handle)(void *arg, struct http_server_request *rq);
	void *arg;
};

/* Returns 0; ERR_FAIL (address in use or not of this machine); ERR_NOMEM. */
int http_server_start(
    struct http_server **out, const struct http_server_options *o);
/* The port in use. */
uint16_t http_server_port(const struct http_server *s);
/*
 * End: no new connections, requests being handled come to their end, their
 * answers may get lost.  NULL is fine.
 */
void http_server_stop(struct http_server *s);

/* In `accept` and `handle`.  Text is owned by the request. */
const char *http_server_path(const struct http_server_request *rq);
int http_server_is_get(const struct http_server_request *rq);
int http_server_is_post(const struct http_server_request *rq);
/* A header's value; NULL when it is absent or there twice. */
const char *http_server_header(
    struct http_server_request *rq, const char *name);

/* In `handle` only: the whole body; NULL when none was kept. */
const uint8_t *http_server_body(
    size_t *len, const struct http_server_request *rq);
/* The body was longer than allowed, or came without its length. */
int http_server_too_long(const struct http_server_request *rq);

/*
 * Answer with `body`, whose memory is taken over (also on failure).
 * `name`/`value` is one more header, or NULL.
 */
void http_server_answer(struct http_server_request *rq, unsigned status,
    const char *type, const char *name, const char *value, struct buf *body);

/*
 * Answer with a stream: `produce` runs in a thread of its own and calls
 * http_server_push(); it returns nonzero to cut the connection so that the
 * peer notices.  `done` frees `arg`, also when nothing was produced.  The
 * request's body stays until then.
 */
void http_server_stream(struct http_server_request *rq, unsigned status,
    const char *type, int (*produce)(void *arg, struct http_server_stream *st),
    void (*done)(void *arg), void *arg);
/*
 * Send a piece; its memory is taken over and `piece` is empty afterwards.
 * Waits while the peer is slower.  Returns 0, or 1 when the peer has gone;
 * ERR_NOMEM.
 */
int http_server_push(struct http_server_stream *st, struct buf *piece);

#endif
