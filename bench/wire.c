/*
 * What do put and get cost over loopback: a real server in a process of its
 * own, with its checks, packs and index?  CPU is this process's; the server's
 * stands beside it.
 *
 * usage: wire [MIBS]    (default: 256 per run)
 */

#include "backend/dir.h"
#include "base/limits.h"
#include "bench.h"
#include "client/register.h"
#include "cli/vaultkey.h"
#include "client/remote.h"
#include "hash/hash.h"
#include "seal/keys.h"
#include "server/server.h"
#include "store/record.h"
#include "store/store.h"

#include <signal.h>
#include <sys/wait.h>

#define BATCH (4u << 20)
#define RECORD (256u << 10)

struct work {
	struct store *store;
	struct buf records; /* one run's, of ids that are new each time */
	struct buf ids;
	uint64_t runs;
	uint64_t bytes; /* of a run */
	uint64_t got;
};

static void
tell_port(void *arg, uint16_t port)
{
	(void)!write(*(int *)arg, &port, sizeof(port)); /* or it hangs up */
}

/* A server on a free port; `*pid` is its process. */
static uint16_t
start_server(pid_t *pid, const char *folder)
{
	struct server_options o = {.store_dir = folder,
	    .listen = "127.0.0.1",
	    .insecure = 1,
	    .open_backend = backend_dir_open,
	    .ready = tell_port};
	uint16_t port = 0;
	int fds[2];

	if (pipe(fds) != 0)
		bench_must(err_errno(ERR_FAIL, "pipe"));
	*pid = fork();
	if (*pid == 0) {
		close(fds[0]);
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(1);
		o.arg = &fds[1];
		_exit(server_run(&o) == 0 ? 0 : 1);
	}
	close(fds[1]);
	if (*pid < 0 || read(fds[0], &port, sizeof(port)) != sizeof(port))
		bench_must(err_set(ERR_FAIL, "the server does not start"));
	close(fds[0]);
	return port;
}

static void
log_in(struct store **out, const char *url)
{
	struct register_options ro = {.url = url, .label = "bench"};
	struct register_result rr;
	struct remote_options o = {.url = url};
	uint8_t master[KEYS_BYTES];
	struct keys keys;

	keys_make_master(master);
	keys_derive(&keys, master, 1);
	vaultkey_header(&ro.header, &keys, &chunker_default);
	sign_seed(ro.mount_seed);
	memcpy(ro.join_seed, keys.join_seed, sizeof(ro.join_seed));
	ro.mode = ENROLL_NEW;
	bench_must(register_mount(&rr, &ro));
	memcpy(o.mount, rr.mount, sizeof(o.mount));
	memcpy(o.mount_seed, ro.mount_seed, sizeof(o.mount_seed));
	memcpy(o.store_public, rr.store_public, sizeof(o.store_public));
	bench_must(remote_open(out, &o));
	keys_wipe(&keys);
}

/* New records: what is stored already would not be stored again. */
static int
make_records(void *arg)
{
	static uint8_t sealed[RECORD], id[32], key_id[16];
	struct record rec = {.class = RECORD_DATA,
	    .epoch = 0,
	    .sealed_len = RECORD,
	    .key_id = key_id,
	    .id = id,
	    .sealed = sealed};
	struct work *w = arg;
	int r = 0;

	bench_noise(sealed, RECORD, 1);
	buf_reset(&w->records);
	buf_reset(&w->ids);
	while (r == 0 && w->records.len < w->bytes) {
		w->runs++;
		hash_bytes(id, &w->runs, sizeof(w->runs));
		r = record_encode(&w->records, &rec);
		if (r == 0)
			r = buf_append(&w->ids, id, sizeof(id));
	}
	return r;
}

static int
put_all(void *arg)
{
	struct work *w = arg;
	size_t each = w->records.len / (w->ids.len / 32), at = 0, n;
	int r = 0;

	for (; at < w->records.len && r == 0; at += n) {
		n = BATCH / each * each;
		n = n < w->records.len - at ? n : w->records.len - at;
		r = w->store->ops->put(w->store, w->records.data + at, n);
	}
	return r;
}

static int
on_got(void *arg, enum store_got got, const uint8_t *id, const uint8_t *record,
    size_t len)
{
	struct work *w = arg;

	(void)id;
	(void)record;
	if (got != STORE_GOT_RECORD)
		return err_set(ERR_FAIL, "a record is missing");
	w->got += len;
	return 0;
}

static int
get_all(void *arg)
{
	struct work *w = arg;

	return w->store->ops->get(
	    w->store, w->ids.data, (uint32_t)(w->ids.len / 32), on_got, w);
}

static int
ask_all(void *arg)
{
	static uint8_t ids[32 * LIMIT_HAVE_IDS], bitmap[LIMIT_HAVE_IDS / 8];
	struct work *w = arg;

	bench_noise(ids, sizeof(ids), 9);
	return w->store->ops->have(w->store, bitmap, ids, LIMIT_HAVE_IDS);
}

static int
ask_one(void *arg)
{
	static uint8_t id[32], bitmap[1];
	struct work *w = arg;

	return w->store->ops->have(w->store, bitmap, id, 1);
}

/* CPU seconds of a process, of all its threads. */
static double
cpu_seconds(pid_t pid)
{
	unsigned long user = 0, sys = 0;
	char *path = fs_printf("/proc/%d/stat", (int)pid), text[1024], *p;
	struct buf b = BUF_INIT;
	size_t n;

	if (path == NULL)
		bench_must(ERR_NOMEM);
	bench_must(fs_read_file(&b, AT_FDCWD, path, sizeof(text) - 1));
	n = b.len < sizeof(text) - 1 ? b.len : sizeof(text) - 1;
	memcpy(text, b.data, n);
	text[n] = '\0';
	p = strrchr(text, ')');
	if (p == NULL ||
	    sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		&user, &sys) != 2)
		bench_must(err_set(ERR_FAIL, "%s", path));
	buf_release(&b);
	free(path);
	return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

static void
print_server(pid_t pid, double *before, double count, const char *unit)
{
	double now = cpu_seconds(pid);

	/* The run that warms up counts here, too. */
	printf("%-36s %10s %10.3f ns/%s\n", "  server", "",
	    (now - *before) * 1e9 / count / (BENCH_RUNS + 1), unit);
	*before = now;
}

int
main(int argc, char **argv)
{
	struct work w = {.bytes = bench_number(argc, argv, 1, 256) << 20};
	char *folder = bench_folder(), url[64];
	double before;
	pid_t pid;
	int status;

	bench_must(sign_start());
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/",
	    start_server(&pid, folder)); /* it fits */
	log_in(&w.store, url);
	before = cpu_seconds(pid);
	bench_run("wire, put 4 MiB a request", "byte", (double)w.bytes,
	    make_records, put_all, &w);
	print_server(pid, &before, (double)w.bytes, "byte");
	bench_run("wire, get", "byte", (double)w.bytes, NULL, get_all, &w);
	print_server(pid, &before, (double)w.bytes, "byte");
	bench_run("wire, have, 8192 ids a request", "id", LIMIT_HAVE_IDS, NULL,
	    ask_all, &w);
	bench_run("wire, have, one id", "call", 1, NULL, ask_one, &w);
	w.store->ops->close(w.store);
	(void)kill(pid, SIGTERM); /* our own child */
	(void)waitpid(pid, &status, 0); /* it is gone anyway */
	buf_release(&w.records);
	buf_release(&w.ids);
	bench_remove(folder);
	return 0;
}
