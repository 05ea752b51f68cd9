#include "net/http_client.h"

#include "base/err.h"
#include "base/fs.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The largest that the library takes for reading. */
#define BUFFER_BYTES (512l << 10)

/*
 * Each call has a handle of its own, for one that is used again would keep the
 * last answer's last header when that is freed: libcurl before 8.1.0 writes
 * there when the next answer begins with a line that is folded.
 */
struct http_client {
	CURLSH *kept; /* from call to call: the connection, names, TLS */
	CURL *curl; /* of the call under way */
	char *url; /* without slashes at its end */
	char error[CURL_ERROR_SIZE];
	/* Of the call under way. */
	struct http_client_call *call;
	size_t sent; /* bytes of the body */
	int code; /* what `data` returned */
	int headed; /* the answer's head has come to its end */
};

/* Whether the library can read it, before anybody is waited for. */
static int
check_url(const char *url)
{
	CURLU *u;
	CURLUcode r;

	if (strncasecmp(url, "http://", 7) != 0 &&
	    strncasecmp(url, "https://", 8) != 0)
		return err_set(
		    ERR_USAGE, "'%s' is no URL like http://HOST:PORT/", url);
	if (strpbrk(url, "?# ") != NULL)
		return err_set(ERR_USAGE, "%s is no plain URL", url);
	u = curl_url();
	if (u == NULL)
		return err_nomem(strlen(url));
	r = curl_url_set(u, CURLUPART_URL, url, 0);
	curl_url_cleanup(u);
	return r == CURLUE_OK
		   ? 0
		   : err_set(ERR_USAGE, "'%s' is no URL like http://HOST:PORT/",
			 url);
}

/* No locks: a client is used by one thread at a time. */
static int
keep(CURLSH *kept)
{
	static const curl_lock_data what[] = {CURL_LOCK_DATA_CONNECT,
	    CURL_LOCK_DATA_DNS, CURL_LOCK_DATA_SSL_SESSION};
	size_t i;

	for (i = 0; i < sizeof(what) / sizeof(what[0]); i++)
		if (curl_share_setopt(kept, CURLSHOPT_SHARE, what[i]) !=
		    CURLSHE_OK)
			return 1;
	return 0;
}

int
http_client_open(struct http_client **out, const char *url)
{
	struct http_client *c;
	size_t len = strlen(url);

	int r = check_url(url);

	if (r != 0)
		return r;
	while (len > 0 && url[len - 1] == '/')
		len--;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return err_nomem(sizeof(*c));
	/* Counts its calls and locks itself. */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
		free(c);
		return err_set(ERR_FAIL, "cannot start libcurl");
	}
	c->url = fs_printf("%.*s", (int)len, url);
	c->kept = curl_share_init();
	if (c->url == NULL || c->kept == NULL || keep(c->kept) != 0) {
		http_client_close(c);
		return err_nomem(len);
	}
	*out = c;
	return 0;
}

void
http_client_close(struct http_client *c)
{
	if (c == NULL)
		return;
	if (c->kept != NULL)
		(void)curl_share_cleanup(c->kept); /* nobody uses it */
	free(c->url);
	free(c);
	curl_global_cleanup();
}

/* The library wants more of the body. */
static size_t
on_send(char *out, size_t size, size_t count, void *arg)
{
	struct http_client *c = arg;
	size_t max = size * count, done = 0, skip = c->sent, i, n;

	for (i = 0; i < HTTP_CLIENT_PARTS && done < max; i++) {
		size_t len = c->call->part_len[i];

		if (skip >= len) {
			skip -= len;
			continue;
		}
		n = len - skip < max - done ? len - skip : max - done;
		memcpy(out + done, c->call->part[i] + skip, n);
		done += n;
		skip = 0;
	}
	c->sent += done;
	return done;
}

/* A kept connection was dead, and the library begins anew on another. */
static int
on_seek(void *arg, curl_off_t offset, int origin)
{
	struct http_client *c = arg;

	if (origin != SEEK_SET || offset < 0)
		return CURL_SEEKFUNC_FAIL;
	c->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

static size_t
on_header(char *p, size_t size, size_t count, void *arg)
{
	struct http_client *c = arg;
	struct http_client_call *call = c->call;
	size_t len = size * count, n;

	/* A new head (after 1xx): what the old one said does not count. */
	if (len >= 5 && memcmp(p, "HTTP/", 5) == 0) {
		call->value[0] = '\0';
		c->headed = 0;
	}
	/* libcurl takes a head that was cut off for an answer without a body:
	 * only an empty line ends one. */
	if (len > 0 && (p[0] == '\r' || p[0] == '\n'))
		c->headed = 1;
	if (call->want == NULL)
		return len;
	n = strlen(call->want);
	if (len <= n || strncasecmp(p, call->want, n) != 0 || p[n] != ':')
		return len;
	for (p += n + 1, n = len - n - 1; n > 0 && *p == ' '; p++)
		n--;
	while (n > 0 && (p[n - 1] == '\r' || p[n - 1] == '\n'))
		n--;
	if (n < sizeof(call->value)) {
		memcpy(call->value, p, n);
		call->value[n] = '\0';
	}
	return len;
}

static size_t
on_data(char *p, size_t size, size_t count, void *arg)
{
	struct http_client *c = arg;
	size_t len = size * count;
	long status = 0;

	(void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	c->call->status = (unsigned)status;
	c->code = c->call->data(c->call->arg, c->call, (uint8_t *)p, len);
	return c->code == 0 ? len : 0;
}

/* Called about once a second, and whenever something moves. */
static int
on_progress(void *arg, curl_off_t down_total, curl_off_t down,
    curl_off_t up_total, curl_off_t up)
{
	const struct http_client_call *call = arg;

	(void)down_total;
	(void)down;
	(void)up_total;
	(void)up;
	return atomic_load(call->cancel) != 0;
}

static int
set_options(struct http_client *c, const char *url,
    const struct http_client_call *call, struct curl_slist *headers)
{
	const char *authorities = getenv("SSL_CERT_FILE");
	CURL *h = c->curl;
	CURLcode r = CURLE_OK;
	size_t i, len = 0;

	for (i = 0; i < HTTP_CLIENT_PARTS; i++)
		len += call->part_len[i];
#define SET(option, value) \
	(r = r != CURLE_OK ? r : curl_easy_setopt(h, option, value))
	SET(CURLOPT_SHARE, c->kept);
	SET(CURLOPT_URL, url);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	if (authorities != NULL && authorities[0] != '\0')
		SET(CURLOPT_CAINFO, authorities);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_NOPROGRESS, call->cancel == NULL ? 1L : 0L);
	SET(CURLOPT_XFERINFOFUNCTION, on_progress);
	SET(CURLOPT_XFERINFODATA, call);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_ERRORBUFFER, c->error);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)call->connect_ms);
	SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(CURLOPT_LOW_SPEED_TIME, (long)call->stall_seconds);
	SET(CURLOPT_HTTPHEADER, headers);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, c);
	SET(CURLOPT_WRITEFUNCTION, on_data);
	SET(CURLOPT_WRITEDATA, c);
	if (call->post) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
		SET(CURLOPT_READFUNCTION, on_send);
		SET(CURLOPT_READDATA, c);
		SET(CURLOPT_SEEKFUNCTION, on_seek);
		SET(CURLOPT_SEEKDATA, c);
	}
#undef SET
	/* Sizes are wishes: libcurl refuses them after a name that it could
	 * not resolve, and the message about that name is worth more. */
	(void)curl_easy_setopt(h, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	(void)curl_easy_setopt(h, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES);
	if (r != CURLE_OK)
		return err_set(ERR_FAIL, "libcurl: %s", curl_easy_strerror(r));
	return 0;
}

static int
add_header(struct curl_slist **list, const char *header)
{
	struct curl_slist *l = curl_slist_append(*list, header);

	if (l == NULL)
		return err_nomem(strlen(header));
	*list = l;
	return 0;
}

int
http_client_do(struct http_client *c, struct http_client_call *call)
{
	struct curl_slist *headers = NULL;
	char *url = fs_printf("%s%s", c->url, call->path);
	long status = 0;
	CURLcode done;
	size_t i;
	int r = url == NULL ? ERR_NOMEM : 0;

	/* Neither a round trip of its own for a permission to send, nor a
	 * form's type. */
	if (r == 0)
		r = add_header(&headers, "Expect:");
	if (r == 0 && call->post)
		r = add_header(
		    &headers, "Content-Type: application/octet-stream");
	for (i = 0; i < HTTP_CLIENT_HEADERS && r == 0; i++)
		if (call->headers[i] != NULL)
			r = add_header(&headers, call->headers[i]);
	c->curl = r == 0 ? curl_easy_init() : NULL;
	if (r == 0 && c->curl == NULL)
		r = err_nomem(sizeof(*c));
	if (r == 0)
		r = set_options(c, url, call, headers);
	if (r < 0)
		goto out;
	c->call = call;
	c->sent = 0;
	c->code = 0;
	c->headed = 0;
	c->error[0] = '\0';
	call->status = 0;
	call->value[0] = '\0';
	done = curl_easy_perform(c->curl);
	(void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	call->status = (unsigned)status;
	if (c->code != 0)
		r = c->code;
	else if (done == CURLE_PEER_FAILED_VERIFICATION)
		r = err_set(ERR_REFUSED,
		    "%s: %s; SSL_CERT_FILE names authorities to trust", c->url,
		    c->error);
	else if (done != CURLE_OK)
		r = err_set(ERR_UNREACHABLE, "%s: %s", c->url,
		    c->error[0] != '\0' ? c->error : curl_easy_strerror(done));
	else if (!c->headed)
		r = err_set(ERR_UNREACHABLE,
		    "%s: the connection ended within an answer", c->url);
	c->call = NULL;
out:
	if (c->curl != NULL)
		curl_easy_cleanup(c->curl);
	c->curl = NULL;
	curl_slist_free_all(headers);
	free(url);
	return r;
}
