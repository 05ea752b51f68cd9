#include "net/http_server.h"

#include "base/err.h"
#include "base/pool.h"
#include "net/deadlines.h"
#include "net/peers.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Per connection; a smaller one costs throughput. */
#define CONNECTION_BYTES (512u << 10)
/* A body must come at this rate at least, after a start. */
#define BODY_START_SECONDS 60
#define BODY_BYTES_PER_SECOND_MIN (16u << 10)
/*
 * Memory of bodies is kept for the next ones, since asking the system for it
 * anew costs as much as receiving them: no more than two clients' worth, and
 * no odd sizes.
 */
#define SPARES 2u
#define SPARE_BYTES_MIN (1u << 20)
#define SPARE_BYTES_MAX (6u << 20)
/* Pieces of a stream that wait for the peer. */
#define STREAM_PIECES 1

struct http_server {
	struct MHD_Daemon *daemon;
	struct http_server_options o;
	struct deadlines *deadlines; /* one of each connection */
	struct peers *peers;
	uint16_t port;
	struct pool_lock lock;
	struct pool_cond room;
	size_t big; /* bytes of the bodies held that count */
	unsigned streams;
	unsigned nspare;
	struct buf spare[SPARES];
};

struct http_server_request {
	struct http_server *s;
	struct MHD_Connection *connection;
	char *path;
	const char *method;
	int begun; /* the head was looked at */
	int keep; /* the body is wanted */
	int is_big; /* counts in s->big */
	int too_long;
	int answered;
	size_t want; /* length of the body */
	struct buf body;
};

struct http_server_stream {
	struct http_server *s;
	struct MHD_Connection *connection;
	unsigned stall_seconds;
	struct pool_queue *queue; /* of struct buf * */
	struct pool_thread *thread;
	int (*produce)(void *arg, struct http_server_stream *st);
	void (*done)(void *arg);
	void *arg;
	atomic_int failed;
	struct buf body; /* the request's, which may be over before us */
	struct buf *piece; /* being sent */
	size_t sent; /* of it */
};

/*
 * The library's timer runs while we work, too, and would then close the
 * connection instead of sending the answer: it is off meanwhile.  Setting it
 * again starts it anew.
 */
static void
set_timer(struct MHD_Connection *c, unsigned seconds)
{
	(void)MHD_set_connection_option(
	    c, MHD_CONNECTION_OPTION_TIMEOUT, seconds); /* cannot fail */
}

/* When the connection ends unless what it waits for is there; 0: never. */
static void
set_deadline(struct http_server *s, struct MHD_Connection *c, unsigned seconds)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	if (info != NULL && info->socket_context != NULL)
		deadlines_set(s->deadlines, info->socket_context, seconds);
}

static const struct sockaddr *
peer_address(struct MHD_Connection *c)
{
	return MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
	    ->client_addr; /* the library has it as long as `c` */
}

/*
 * Whoever keeps a connection between two requests keeps it from others.  With
 * half of them in use each request has its own: many clients with a few
 * each could otherwise hold all, and all wait for one more until the idle ones
 * are dropped.
 */
static int
is_crowded(struct http_server *s, struct MHD_Connection *c)
{
	unsigned all, n = peers_count(&all, s->peers, peer_address(c));

	return n > s->o.connections_per_address_max / 2 ||
	       all > s->o.connections_max / 2;
}

/* A connection has come or goes. */
static void
on_connection(void *cls, struct MHD_Connection *c, void **context,
    enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info;
	struct http_server *s = cls;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*context != NULL)
			deadlines_remove(s->deadlines, *context);
		*context = NULL;
		peers_go(s->peers, peer_address(c));
		return;
	}
	peers_come(s->peers, peer_address(c));
	info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	*context =
	    deadlines_add(s->deadlines, info->connect_fd, s->o.head_seconds);
	if (*context == NULL) /* for want of memory: then not at all */
		(void)shutdown(info->connect_fd, SHUT_RDWR);
}

/* Wait for room for a big body. */
static void
take_room(struct http_server_request *rq)
{
	struct http_server *s = rq->s;

	if (rq->want <= s->o.big_bytes)
		return;
	set_timer(rq->connection, 0);
	pool_lock_enter(&s->lock);
	while (s->big > 0 && rq->want > s->o.big_total - s->big)
		pool_cond_wait(&s->room, &s->lock);
	s->big += rq->want;
	pool_lock_leave(&s->lock);
	rq->is_big = 1;
	set_timer(rq->connection, s->o.stall_seconds);
}

/* Memory for the body.  ERR_NOMEM. */
static int
take_body(struct http_server_request *rq)
{
	struct http_server *s = rq->s;
	size_t room = rq->want;

	if (room >= SPARE_BYTES_MIN && room <= SPARE_BYTES_MAX) {
		/* The next one is to fit, too. */
		room += -room % SPARE_BYTES_MIN;
		pool_lock_enter(&s->lock);
		if (s->nspare > 0)
			rq->body = s->spare[--s->nspare];
		pool_lock_leave(&s->lock);
	}
	if (rq->body.cap < room)
		buf_release(&rq->body); /* no copying of what was in it */
	return buf_reserve(&rq->body, room);
}

static void
give_body(struct http_server_request *rq)
{
	struct http_server *s = rq->s;

	pool_lock_enter(&s->lock);
	if (rq->body.cap >= SPARE_BYTES_MIN &&
	    rq->body.cap <= SPARE_BYTES_MAX && s->nspare < SPARES) {
		buf_reset(&rq->body);
		s->spare[s->nspare++] = rq->body;
		buf_init(&rq->body);
	}
	pool_lock_leave(&s->lock);
	buf_release(&rq->body);
}

static void
free_body(struct http_server_request *rq)
{
	struct http_server *s = rq->s;

	give_body(rq);
	if (!rq->is_big)
		return;
	rq->is_big = 0;
	pool_lock_enter(&s->lock);
	s->big -= rq->want;
	pool_cond_wake_all(&s->room);
	pool_lock_leave(&s->lock);
}

const char *
http_server_path(const struct http_server_request *rq)
{
	return rq->path;
}

int
http_server_is_get(const struct http_server_request *rq)
{
	return strcmp(rq->method, MHD_HTTP_METHOD_GET) == 0;
}

int
http_server_is_post(const struct http_server_request *rq)
{
	return strcmp(rq->method, MHD_HTTP_METHOD_POST) == 0;
}

struct header_search {
	const char *name;
	const char *value;
	unsigned found;
	unsigned count; /* of all headers */
	size_t bytes; /* of all headers */
};

static enum MHD_Result
on_header(
    void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct header_search *h = cls;

	(void)kind; /* only headers are asked for */
	h->count++;
	h->bytes += strlen(name) + (value != NULL ? strlen(value) : 0);
	if (h->name != NULL && strcasecmp(name, h->name) == 0) {
		h->found++;
		h->value = value;
	}
	return MHD_YES;
}

const char *
http_server_header(struct http_server_request *rq, const char *name)
{
	struct header_search h = {.name = name};

	(void)MHD_get_connection_values(rq->connection, MHD_HEADER_KIND,
	    on_header, &h); /* gives the number of headers */
	return h.found == 1 ? h.value : NULL;
}

const uint8_t *
http_server_body(size_t *len, const struct http_server_request *rq)
{
	static const uint8_t nothing[1];

	if (!rq->keep || rq->too_long)
		return NULL;
	*len = rq->body.len;
	return rq->body.len > 0 ? rq->body.data : nothing;
}

int
http_server_too_long(const struct http_server_request *rq)
{
	return rq->too_long;
}

static void
send_response(struct http_server_request *rq, unsigned status, const char *type,
    struct MHD_Response *response)
{
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
	    type); /* fails for want of memory only: then it is absent */
	(void)MHD_add_response_header(
	    response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (is_crowded(rq->s, rq->connection))
		(void)MHD_add_response_header(
		    response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (MHD_queue_response(rq->connection, status, response) == MHD_YES)
		rq->answered = 1;
	MHD_destroy_response(response);
}

void
http_server_answer(struct http_server_request *rq, unsigned status,
    const char *type, const char *name, const char *value, struct buf *body)
{
	struct MHD_Response *response;

	if (body->data == NULL)
		response = MHD_create_response_from_buffer(
		    0, "", MHD_RESPMEM_PERSISTENT);
	else
		response = MHD_create_response_from_buffer(
		    body->len, body->data, MHD_RESPMEM_MUST_FREE);
	if (response == NULL) {
		buf_release(body);
		return;
	}
	buf_init(body);
	if (name != NULL &&
	    MHD_add_response_header(response, name, value) != MHD_YES) {
		MHD_destroy_response(response);
		return;
	}
	send_response(rq, status, type, response);
}

static void
free_piece(struct buf *piece)
{
	if (piece == NULL)
		return;
	buf_release(piece);
	free(piece);
}

int
http_server_push(struct http_server_stream *st, struct buf *piece)
{
	struct buf *own;

	if (piece->len == 0)
		return 0;
	own = malloc(sizeof(*own));
	if (own == NULL)
		return err_nomem(sizeof(*own));
	*own = *piece;
	buf_init(piece);
	if (pool_queue_push(st->queue, own) != 0) {
		free_piece(own);
		return 1;
	}
	return 0;
}

static void
run_stream(void *arg)
{
	struct http_server_stream *st = arg;

	if (st->produce(st->arg, st) != 0)
		atomic_store(&st->failed, 1);
	pool_queue_close(st->queue);
}

/* The connection's thread wants more of the stream. */
static ssize_t
on_read(void *cls, uint64_t pos, char *out, size_t max)
{
	struct http_server_stream *st = cls;
	void *next;
	size_t n;

	(void)pos; /* always where the last call ended */
	while (st->piece == NULL || st->sent == st->piece->len) {
		int ended;

		free_piece(st->piece);
		st->piece = NULL;
		st->sent = 0;
		set_timer(st->connection, 0);
		ended = pool_queue_pop(&next, st->queue);
		set_timer(st->connection, st->stall_seconds);
		if (ended)
			return atomic_load(&st->failed)
				   ? MHD_CONTENT_READER_END_WITH_ERROR
				   : MHD_CONTENT_READER_END_OF_STREAM;
		st->piece = next;
	}
	n = st->piece->len - st->sent;
	n = n < max ? n : max;
	memcpy(out, st->piece->data + st->sent, n);
	st->sent += n;
	return (ssize_t)n;
}

/* The stream's end, whoever ended it. */
static void
free_stream(void *cls)
{
	struct http_server_stream *st = cls;
	void *piece;

	if (st->queue != NULL) {
		pool_queue_close(st->queue);
		while (pool_queue_pop(&piece, st->queue) == 0)
			free_piece(piece);
	}
	pool_thread_join(st->thread);
	pool_queue_free(st->queue);
	free_piece(st->piece);
	st->done(st->arg);
	buf_release(&st->body);
	pool_lock_enter(&st->s->lock);
	st->s->streams--;
	pool_cond_wake_all(&st->s->room);
	pool_lock_leave(&st->s->lock);
	free(st);
}

void
http_server_stream(struct http_server_request *rq, unsigned status,
    const char *type, int (*produce)(void *arg, struct http_server_stream *st),
    void (*done)(void *arg), void *arg)
{
	struct http_server_stream *st = calloc(1, sizeof(*st));
	struct MHD_Response *response;

	if (st == NULL) {
		done(arg);
		return;
	}
	pool_lock_enter(&rq->s->lock);
	while (rq->s->streams >= rq->s->o.streams_max)
		pool_cond_wait(&rq->s->room, &rq->s->lock);
	rq->s->streams++;
	pool_lock_leave(&rq->s->lock);
	st->s = rq->s;
	st->connection = rq->connection;
	st->stall_seconds = rq->s->o.stall_seconds;
	st->produce = produce;
	st->done = done;
	st->arg = arg;
	st->body = rq->body;
	buf_init(&rq->body);
	atomic_init(&st->failed, 0);
	if (pool_queue_new(&st->queue, STREAM_PIECES) < 0 ||
	    pool_thread_start(&st->thread, run_stream, st) < 0) {
		free_stream(st);
		return;
	}
	response = MHD_create_response_from_callback(
	    MHD_SIZE_UNKNOWN, CONNECTION_BYTES / 2, on_read, st, free_stream);
	if (response == NULL) {
		free_stream(st);
		return;
	}
	send_response(rq, status, type, response);
}

/* The request line is there. */
static void *
on_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
	struct http_server_request *rq = calloc(1, sizeof(*rq));

	if (rq == NULL)
		return NULL;
	rq->s = cls;
	rq->connection = connection;
	if (strlen(uri) <= HTTP_SERVER_PATH_MAX)
		rq->path = strdup(uri);
	return rq;
}

static void
on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
    enum MHD_RequestTerminationCode code)
{
	struct http_server_request *rq = *con_cls;
	struct http_server *s = cls;

	(void)code; /* however it ended */
	/* The next one, which may take its time to begin. */
	set_deadline(s, connection, s->o.stall_seconds + s->o.head_seconds);
	if (rq == NULL)
		return;
	free_body(rq);
	free(rq->path);
	free(rq);
	*con_cls = NULL;
}

/* Content-Length, strictly decimal.  0; 1 when absent or not a number. */
static int
body_length(size_t *out, struct http_server_request *rq)
{
	const char *p = http_server_header(rq, "Content-Length");
	uint64_t n = 0;

	if (p == NULL || *p == '\0')
		return 1;
	for (; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || n > UINT32_MAX)
			return 1;
		n = 10 * n + (uint64_t)(*p - '0');
	}
	*out = (size_t)n;
	return 0;
}

static enum MHD_Result
finish(struct http_server_request *rq)
{
	set_timer(rq->connection, 0);
	set_deadline(rq->s, rq->connection, 0);
	rq->s->o.handle(rq->s->o.arg, rq);
	set_timer(rq->connection, rq->s->o.stall_seconds);
	if (rq->is_big)
		free_body(rq); /* others wait for its room */
	return rq->answered ? MHD_YES : MHD_NO;
}

/* The head is there: decide about the body. */
static enum MHD_Result
begin(struct http_server_request *rq, const char *method)
{
	struct header_search h = {.name = NULL};
	size_t body_max = 0;

	rq->method = method;
	rq->begun = 1;
	(void)MHD_get_connection_values(rq->connection, MHD_HEADER_KIND,
	    on_header, &h); /* gives the number of headers */
	if (rq->path == NULL || h.count > HTTP_SERVER_HEADERS_MAX ||
	    h.bytes > HTTP_SERVER_HEADER_BYTES_MAX)
		return MHD_NO;
	rq->keep = rq->s->o.accept(&body_max, rq->s->o.arg, rq) == 0;
	if (!http_server_is_post(rq))
		return MHD_YES;
	if (body_length(&rq->want, rq) != 0 || rq->want > body_max) {
		/* Answered at once; the library then closes. */
		rq->too_long = 1;
		return finish(rq);
	}
	if (rq->keep) {
		set_deadline(rq->s, rq->connection, 0);
		take_room(rq);
		if (take_body(rq) < 0)
			return MHD_NO;
	}
	set_deadline(rq->s, rq->connection,
	    BODY_START_SECONDS +
		(unsigned)(rq->want / BODY_BYTES_PER_SECOND_MIN));
	return MHD_YES;
}

static enum MHD_Result
on_request(void *cls, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *data, size_t *len,
    void **con_cls)
{
	struct http_server_request *rq = *con_cls;

	(void)cls;
	(void)connection;
	(void)url; /* cut at a question mark; rq->path is not */
	(void)version;
	if (rq == NULL)
		return MHD_NO;
	if (!rq->begun)
		return begin(rq, method);
	if (*len == 0)
		return rq->answered ? MHD_YES : finish(rq);
	if (rq->answered || !http_server_is_post(rq))
		return MHD_NO;
	if (rq->keep) {
		if (*len > rq->want - rq->body.len ||
		    buf_append(&rq->body, data, *len) < 0)
			return MHD_NO;
	}
	*len = 0;
	return MHD_YES;
}

/* Keep what the client wrote. */
static size_t
no_unescape(void *cls, struct MHD_Connection *connection, char *s)
{
	(void)cls;
	(void)connection;
	return strlen(s);
}

/* One socket for this address; -1 and errno. */
static int
listen_on(const struct addrinfo *ai)
{
	int fd, one = 1, zero = 0, saved;

	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    (ai->ai_family != AF_INET6 ||
		setsockopt(
		    fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) == 0) &&
	    bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 &&
	    listen(fd, SOMAXCONN) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* Open the listening socket; IPv6 first, which takes IPv4 too. */
static int
open_socket(int *out, const char *address, uint16_t port)
{
	static const int families[] = {AF_INET6, AF_INET};
	struct addrinfo hints, *ai;
	char service[8];
	int fd = -1, known = 0, saved = 0;
	size_t i;

	(void)snprintf(service, sizeof(service), "%u", port); /* it fits */
	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
	for (i = 0; i < 2 && fd < 0; i++) {
		hints.ai_family = families[i];
		if (getaddrinfo(address, service, &hints, &ai) != 0)
			continue;
		known = 1;
		fd = listen_on(ai);
		if (fd < 0)
			saved = errno;
		freeaddrinfo(ai);
		if (fd < 0 && saved == EADDRINUSE)
			break; /* taken is taken, also for one family */
	}
	if (!known)
		return err_set(ERR_USAGE, "%s is not a numeric address",
		    address != NULL ? address : "*");
	errno = saved;
	if (fd < 0)
		return err_errno(ERR_FAIL, "cannot listen on %s, port %u",
		    address != NULL ? address : "*", port);
	*out = fd;
	return 0;
}

static int
socket_port(uint16_t *out, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
		return err_errno(ERR_FAIL, "getsockname");
	if (ss.ss_family == AF_INET6)
		*out = ntohs(((struct sockaddr_in6 *)&ss)->sin6_port);
	else
		*out = ntohs(((struct sockaddr_in *)&ss)->sin_port);
	return 0;
}

int
http_server_start(struct http_server **out, const struct http_server_options *o)
{
	struct http_server *s = calloc(1, sizeof(*s));
	int fd = -1, r;

	if (s == NULL)
		return err_nomem(sizeof(*s));
	s->o = *o;
	pool_lock_init(&s->lock);
	pool_cond_init(&s->room);
	r = deadlines_open(&s->deadlines);
	if (r == 0)
		r = peers_new(&s->peers, o->connections_max);
	if (r == 0)
		r = open_socket(&fd, o->listen, o->port);
	if (r == 0)
		r = socket_port(&s->port, fd);
	if (r < 0)
		goto out;
	s->daemon = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION |
					 MHD_USE_INTERNAL_POLLING_THREAD |
					 MHD_USE_POLL | MHD_USE_ITC,
	    0, NULL, NULL, on_request, s, MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
	    MHD_OPTION_CONNECTION_LIMIT, o->connections_max,
	    MHD_OPTION_PER_IP_CONNECTION_LIMIT, o->connections_per_address_max,
	    MHD_OPTION_CONNECTION_TIMEOUT, o->stall_seconds,
	    MHD_OPTION_URI_LOG_CALLBACK, on_uri, s, MHD_OPTION_NOTIFY_COMPLETED,
	    on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
	    MHD_OPTION_UNESCAPE_CALLBACK, no_unescape, NULL,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (s->daemon == NULL) {
		r = err_set(ERR_FAIL, "cannot start the HTTP server");
		goto out;
	}
	fd = -1; /* the library's now */
	*out = s;
	s = NULL;
out:
	if (fd >= 0)
		close(fd);
	http_server_stop(s);
	return r;
}

uint16_t
http_server_port(const struct http_server *s)
{
	return s->port;
}

void
http_server_stop(struct http_server *s)
{
	if (s == NULL)
		return;
	if (s->daemon != NULL)
		MHD_stop_daemon(s->daemon);
	deadlines_close(s->deadlines);
	peers_free(s->peers);
	while (s->nspare > 0)
		buf_release(&s->spare[--s->nspare]);
	pool_cond_release(&s->room);
	pool_lock_release(&s->lock);
	free(s);
}
