#include "server/server.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "net/http_server.h"
#include "server/account.h"
#include "server/control.h"
#include "server/dispatch.h"
#include "server/inspect.h"
#include "server/retention.h"
#include "server/scrubber.h"
#include "server/sessions.h"
#include "server/sweeper.h"
#include "server/vaults.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Connections in all, each with a thread; and from one address, which may be
 * that of many machines. */
#define CONNECTIONS_MAX 256
#define CONNECTIONS_PER_ADDRESS_MAX 64
/* A peer that sends or takes nothing for so long is dropped. */
#define STALL_SECONDS 60
/* A request's head is some hundred bytes, which a peer sends in one piece. */
#define HEAD_SECONDS 60
/* Memory for the bodies of requests: those of lists of ids are always taken,
 * larger ones wait for room. */
#define BIG_BYTES (512u << 10)
#define BIG_TOTAL (16u * LIMIT_PUT_BYTES)
/* Streamed answers at once, three segments in memory each. */
#define STREAMS_MAX 16
/* Ending a server closes packs; longer than this is no end. */
#define STOP_SECONDS 600

struct server {
	struct account *account;
	struct vaults *vaults;
	struct sessions *sessions;
	struct dispatch dispatch;
	int dispatching;
	struct http_server *http;
	struct inspect inspect;
	struct sweeper *sweeper;
	struct scrubber *scrubber;
	struct retention *retention;
	struct control *control;
};

static int
start_http(struct server *s, const struct server_options *o)
{
	struct http_server_options h = {
	    .listen = o->listen,
	    .port = o->port,
	    .connections_max = CONNECTIONS_MAX,
	    .connections_per_address_max = CONNECTIONS_PER_ADDRESS_MAX,
	    .stall_seconds = STALL_SECONDS,
	    .head_seconds = HEAD_SECONDS,
	    .big_bytes = BIG_BYTES,
	    .big_total = BIG_TOTAL,
	    .streams_max = STREAMS_MAX,
	    .accept = dispatch_accept,
	    .handle = dispatch_handle,
	    .arg = &s->dispatch,
	};

	dispatch_init(&s->dispatch, s->account, s->sessions, o->insecure,
	    vaults_session, s->vaults);
	s->dispatching = 1;
	return http_server_start(&s->http, &h);
}

/* Somebody asked through the control socket. */
static void
on_stop(void *arg)
{
	(void)arg; /* there is one server in a process */
	(void)kill(getpid(), SIGTERM); /* cannot fail for ourselves */
}

/* A command through the control socket. */
static int
on_command(void *arg, struct control_peer *peer, const char *command)
{
	struct server *s = arg;

	if (inspect_command(&s->inspect, peer, command) == 0 ||
	    retention_command(s->retention, peer, command) == 0)
		return 0;
	return sweeper_command(s->sweeper, peer, command);
}

static int
start(struct server *s, const struct server_options *o)
{
	int r = account_open(
	    &s->account, o->store_dir, ACCOUNT_CREATE | ACCOUNT_LOCK);

	if (r == 0)
		r = vaults_new(&s->vaults, s->account, o->open_backend);
	if (r == 0)
		r = sessions_new(&s->sessions, &sessions_limits_default);
	if (r == 0)
		r = start_http(s, o);
	if (r == 0)
		r = sweeper_start(&s->sweeper, s->account, s->vaults);
	if (r == 0 && (o->scrub_days > 0 || o->scrub_now))
		r = scrubber_start(&s->scrubber, s->account, s->vaults,
		    o->scrub_days, o->scrub_now);
	if (r == 0)
		r = retention_start(
		    &s->retention, s->account, s->vaults, s->sweeper);
	if (r < 0)
		return r;
	s->inspect.dispatch = &s->dispatch;
	s->inspect.vaults = s->vaults;
	return control_start(&s->control, o->store_dir,
	    http_server_port(s->http), on_stop, on_command, s);
}

/* In the other order; what was not started is NULL. */
static void
end(struct server *s)
{
	http_server_stop(s->http);
	sweeper_halt(s->sweeper);
	control_close(s->control);
	scrubber_stop(s->scrubber);
	sessions_free(s->sessions);
	retention_stop(s->retention);
	sweeper_stop(s->sweeper);
	if (s->dispatching)
		dispatch_release(&s->dispatch);
	vaults_free(s->vaults);
	account_close(s->account);
	control_finish(s->control);
}

static void
announce(const struct server *s, const struct server_options *o)
{
	uint16_t port = http_server_port(s->http);
	const char *address = o->listen != NULL ? o->listen : "*";
	int v6 = strchr(address, ':') != NULL;

	log_info("store %s listens on %s%s%s:%u%s", o->store_dir, v6 ? "[" : "",
	    address, v6 ? "]" : "", port,
	    o->insecure ? ", registering without invitations" : "");
	if (o->ready != NULL)
		o->ready(o->arg, port);
}

/* Connections and indexes take descriptors. */
static void
raise_limits(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l); /* else fewer clients */
	}
}

int
server_run(const struct server_options *o)
{
	struct server s;
	sigset_t set;
	int r, sig;

	/* Blocked here and so in every thread: only sigwait() takes them. */
	(void)umask(077); /* gives the old one */
	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return err_errno(ERR_FAIL, "sigprocmask");
	raise_limits();
	memset(&s, 0, sizeof(s));
	r = sign_start();
	if (r == 0)
		r = start(&s, o);
	if (r == 0) {
		announce(&s, o);
		do
			sig = sigwaitinfo(&set, NULL);
		while (sig < 0 && errno == EINTR);
		log_info("store %s ends", o->store_dir);
	}
	end(&s);
	return r;
}

int
server_stop(const char *store_dir)
{
	struct account *a;
	char answer[64];
	int r = account_open(&a, store_dir, 0);

	if (r < 0)
		return r;
	account_close(a);
	r = control_ask(
	    answer, sizeof(answer), store_dir, "stop", STOP_SECONDS);
	if (r == 0 && strcmp(answer, "stopping\n") != 0)
		r = err_set(ERR_UNREACHABLE, "the server does not stop");
	return r;
}
