#include "backend/mem.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"
#include "store/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR_BYTES 512 /* what a disk writes whole, or tears */

struct object {
	struct object *next;
	char name[BACKEND_NAME_MAX];
	struct buf data;
	int visible; /* readers see it */
	int name_synced; /* `visible` is what the disk says too */
	int data_synced;
	size_t device_len; /* the device has zeros from here on */
};

struct mem {
	struct backend base;
	struct pool_lock lock; /* all that follows */
	struct object *objects;
	uint64_t seed;
	unsigned sabotage;
	uint64_t count;
	uint64_t fail_at, fail_times;
	int fail_code;
	uint64_t cut_at;
	int off; /* the power is off */
	int failed; /* a sync failed */
	int lies; /* see backend_mem_lies() */
	char unsure[BACKEND_NAME_MAX]; /* under way when a sync failed */
	char bad_name[BACKEND_NAME_MAX]; /* empty: no bad sector */
	char hidden[BACKEND_NAME_MAX]; /* empty: lists are whole */
	uint64_t changes;
	void (*before_get)(void *arg);
	void *before_get_arg;
	uint64_t bad_at;
	uint64_t fired;
	enum backend_mem_step fired_kind;
};

struct backend_put {
	struct mem *m;
	struct buf data;
};

static struct mem *
of(struct backend *b)
{
	return (struct mem *)b; /* base is its first member */
}

/* A coin, or any number: splitmix64. */
static uint64_t
draw(struct mem *m)
{
	uint64_t z = m->seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/*
 * One step.  Returns 0: do it; 1: the power goes just now: do it, and say
 * ERR_IO; ERR_*: it does not happen.
 */
static int
step(struct mem *m, enum backend_mem_step kind)
{
	if (m->off)
		return err_set(ERR_IO, "no power");
	m->count++;
	m->changes += kind == BACKEND_MEM_BEGIN || kind == BACKEND_MEM_UNLINK;
	if (m->count == m->cut_at) {
		m->off = 1;
		m->fired++;
		m->fired_kind = kind;
		return draw(m) & 1 ? 1 : err_set(ERR_IO, "no power");
	}
	if (m->fail_at != 0 && m->count >= m->fail_at &&
	    m->count < m->fail_at + m->fail_times) {
		m->fired++;
		m->fired_kind = kind;
		if (kind == BACKEND_MEM_SYNC || kind == BACKEND_MEM_SYNC_DIR)
			m->failed = 1;
		return err_set(m->fail_code, "planned fault");
	}
	return 0;
}

/* What a step that was done says. */
static int
done(const struct mem *m)
{
	return m->off ? err_set(ERR_IO, "no power") : 0;
}

static int
check_failed(const struct mem *m)
{
	return m->failed ? err_set(ERR_READONLY, "an earlier sync failed") : 0;
}

static struct object *
find(struct mem *m, const char *name)
{
	struct object *o;

	for (o = m->objects; o != NULL; o = o->next) {
		if (o->visible && strcmp(o->name, name) == 0)
			return o;
	}
	return NULL;
}

static int
put_begin(struct backend_put **out, struct backend *b, uint64_t size_hint)
{
	struct mem *m = of(b);
	struct backend_put *p;
	int ret;

	(void)size_hint; /* memory needs none */
	pool_lock_enter(&m->lock);
	ret = check_failed(m);
	if (ret == 0)
		ret = step(m, BACKEND_MEM_BEGIN);
	if (ret == 1)
		ret = done(m);
	pool_lock_leave(&m->lock);
	if (ret < 0)
		return ret;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return err_nomem(sizeof(*p));
	p->m = m;
	*out = p;
	return 0;
}

static int
put_write(struct backend_put *p, const void *data, size_t len)
{
	int ret;

	pool_lock_enter(&p->m->lock);
	ret = step(p->m, BACKEND_MEM_WRITE);
	if (ret >= 0)
		ret = buf_append(&p->data, data, len);
	if (ret == 0)
		ret = done(p->m);
	pool_lock_leave(&p->m->lock);
	return ret;
}

static int
put_read(struct backend_put *p, void *out, size_t len, uint64_t offset)
{
	int ret;

	pool_lock_enter(&p->m->lock);
	ret = step(p->m, BACKEND_MEM_READ);
	if (ret >= 0)
		ret = done(p->m);
	pool_lock_leave(&p->m->lock);
	if (ret < 0)
		return ret;
	if (offset > p->data.len || len > p->data.len - offset)
		return err_set(ERR_IO, "read past the end");
	memcpy(out, p->data.data + offset, len);
	return 0;
}

static void
put_abort(struct backend_put *p)
{
	if (p == NULL)
		return;
	buf_release(&p->data);
	free(p);
}

/* The new name appears; takes the data of `p`. */
static int
publish(struct object **out, struct backend_put *p, const char *name,
    int data_synced)
{
	struct object *o;

	if (find(p->m, name) != NULL)
		return err_set(ERR_EXIST, "%s exists", name);
	/* One that was removed cannot come back beside it. */
	for (o = p->m->objects; o != NULL; o = o->next) {
		if (strcmp(o->name, name) == 0)
			o->name[0] = '\0';
	}
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return err_nomem(sizeof(*o));
	memcpy(o->name, name, strlen(name));
	o->data = p->data;
	buf_init(&p->data);
	o->visible = 1;
	o->data_synced = data_synced;
	o->device_len = o->data.len;
	o->next = p->m->objects;
	p->m->objects = o;
	*out = o;
	return 0;
}

static int
put_commit(struct backend_put *p, const char *name)
{
	struct mem *m = p->m;
	struct object *o = NULL;
	int ret, synced = 0;

	pool_lock_enter(&m->lock);
	ret = strlen(name) < BACKEND_NAME_MAX ? check_failed(m)
					      : err_set(ERR_LIMIT, "name");
	if (ret == 0)
		ret = step(m, BACKEND_MEM_SYNC);
	if (ret == 0) {
		synced = (m->sabotage & BACKEND_MEM_NO_SYNC) == 0;
		ret = step(m, BACKEND_MEM_RENAME);
	} else if (ret == 1) {
		ret = done(m);
	}
	if (ret >= 0)
		ret = publish(&o, p, name, synced);
	if (ret == 0)
		ret = done(m);
	if (ret == 0)
		ret = step(m, BACKEND_MEM_SYNC_DIR);
	if (ret >= 0) {
		o->name_synced = (m->sabotage & BACKEND_MEM_NO_SYNC_DIR) == 0;
		ret = done(m);
	} else if (o != NULL && !m->off && !m->lies) {
		/* As the directory does: taken back. */
		o->visible = 0;
	} else if (o != NULL && !m->off && o->data.len > 0) {
		o->device_len = draw(m) % o->data.len;
		o->data_synced = 0;
	}
	if (ret < 0 && m->failed && m->unsure[0] == '\0')
		memcpy(m->unsure, name, strlen(name));
	pool_lock_leave(&m->lock);
	put_abort(p);
	return ret;
}

/* Of `len` bytes at `offset`, what lies at `from` or later. */
static void
blank(uint8_t *p, size_t len, uint64_t offset, uint64_t from)
{
	size_t keep = from > offset ? (size_t)(from - offset) : 0;

	memset(p + keep, 0, len - keep);
}

static int
get(struct backend *b, const char *name, void *out, size_t len, uint64_t offset)
{
	struct mem *m = of(b);
	void (*hook)(void *arg);
	const struct object *o;
	void *hook_arg;
	int ret;

	pool_lock_enter(&m->lock);
	hook = m->before_get;
	hook_arg = m->before_get_arg;
	m->before_get = NULL;
	pool_lock_leave(&m->lock);
	if (hook != NULL)
		hook(hook_arg); /* which may call the backend */
	pool_lock_enter(&m->lock);
	ret = step(m, BACKEND_MEM_GET);
	if (ret >= 0)
		ret = done(m);
	if (ret < 0)
		goto out;
	o = find(m, name);
	if (o == NULL)
		ret = err_set(ERR_NOENT, "no %s", name);
	else if (offset > o->data.len || len > o->data.len - offset)
		ret = err_set(ERR_DAMAGED, "%s ends too early", name);
	else if (strcmp(name, m->bad_name) == 0 && offset <= m->bad_at &&
		 m->bad_at < offset + len)
		ret = err_set(ERR_DAMAGED, "cannot read %s", name);
	else if (len > 0)
		memcpy(out, o->data.data + offset, len);
	/* Past the cache, after a failed sync. */
	if (ret == 0 && !m->failed && strcmp(name, m->unsure) == 0 &&
	    offset + len > o->device_len)
		blank(out, len, offset, o->device_len);
out:
	pool_lock_leave(&m->lock);
	return ret;
}

static int
size_of(uint64_t *out, struct backend *b, const char *name)
{
	struct mem *m = of(b);
	const struct object *o;
	int ret;

	pool_lock_enter(&m->lock);
	ret = step(m, BACKEND_MEM_GET);
	if (ret >= 0)
		ret = done(m);
	o = ret < 0 ? NULL : find(m, name);
	if (o != NULL)
		*out = o->data.len;
	else if (ret == 0)
		ret = err_set(ERR_NOENT, "no %s", name);
	pool_lock_leave(&m->lock);
	return ret;
}

struct name {
	char text[BACKEND_NAME_MAX];
	uint64_t size;
};

/* The names below a prefix; telling of one makes it durable. */
static int
collect(struct buf *out, struct mem *m, const char *prefix)
{
	size_t len = strlen(prefix);
	struct object *o;
	struct name n;
	int ret = 0;

	for (o = m->objects; o != NULL && ret == 0; o = o->next) {
		if (strncmp(o->name, prefix, len) != 0 || o->name[len] != '/')
			continue;
		o->name_synced = (m->sabotage & BACKEND_MEM_NO_SYNC_DIR) == 0;
		if (!o->visible || strcmp(o->name, m->hidden) == 0)
			continue;
		memcpy(n.text, o->name, sizeof(n.text));
		n.size = o->data.len;
		ret = buf_append(out, &n, sizeof(n));
	}
	return ret;
}

static int
list(struct backend *b, const char *prefix,
    int (*found)(void *arg, const char *name, uint64_t size), void *arg)
{
	struct mem *m = of(b);
	struct buf names = BUF_INIT;
	const struct name *n;
	size_t i, count, from;
	int ret;

	pool_lock_enter(&m->lock);
	ret = step(m, BACKEND_MEM_LIST);
	if (ret >= 0)
		ret = done(m);
	if (ret == 0)
		ret = collect(&names, m, prefix);
	else if (m->sabotage & BACKEND_MEM_LIST_EMPTY && !m->off)
		ret = 0;
	/* In no order: begin anywhere. */
	n = (const struct name *)names.data;
	count = names.len / sizeof(*n);
	from = count == 0 ? 0 : draw(m) % count;
	pool_lock_leave(&m->lock);
	for (i = 0; i < count && ret == 0; i++)
		ret = found(arg, n[(from + i) % count].text,
		    n[(from + i) % count].size);
	buf_release(&names);
	return ret;
}

static int
remove_name(struct backend *b, const char *name)
{
	struct mem *m = of(b);
	struct object *o = NULL;
	int ret;

	pool_lock_enter(&m->lock);
	ret = check_failed(m);
	if (ret == 0)
		ret = step(m, BACKEND_MEM_UNLINK);
	if (ret >= 0) {
		o = find(m, name);
		if (o == NULL) {
			ret = err_set(ERR_NOENT, "no %s", name);
			goto out;
		}
		o->visible = 0;
		o->name_synced = 0;
		ret = done(m);
	}
	if (ret == 0)
		ret = step(m, BACKEND_MEM_SYNC_DIR);
	if (ret >= 0 && o != NULL) {
		o->name_synced = 1;
		ret = done(m);
	}
out:
	pool_lock_leave(&m->lock);
	return ret;
}

static int
check(struct backend *b)
{
	struct mem *m = of(b);
	int ret;

	pool_lock_enter(&m->lock);
	ret = check_failed(m);
	pool_lock_leave(&m->lock);
	return ret;
}

static int
unsure(struct backend *b, int (*found)(void *arg, const char *name), void *arg)
{
	struct mem *m = of(b);
	int ret = check(b);

	if (ret < 0 || m->unsure[0] == '\0' || m->sabotage & BACKEND_MEM_SURE)
		return ret;
	return found(arg, m->unsure);
}

/* From now on the cache says what the device does. */
static int
sure(struct backend *b)
{
	struct mem *m = of(b);
	struct object *o;
	int ret = check(b);

	if (ret < 0 || m->sabotage & BACKEND_MEM_SURE)
		return ret;
	pool_lock_enter(&m->lock);
	o = find(m, m->unsure);
	if (o != NULL) {
		if (o->data.len > 0)
			blank(o->data.data, o->data.len, 0, o->device_len);
		o->data_synced = 1;
	}
	m->unsure[0] = '\0';
	pool_lock_leave(&m->lock);
	return 0;
}

static int
space(uint64_t *out, struct backend *b)
{
	(void)b; /* memory does not tell */
	*out = UINT64_MAX;
	return 0;
}

static const char *
write_path(struct backend *b)
{
	(void)b; /* there is one */
	return "memory";
}

static void
mem_close(struct backend *b)
{
	struct mem *m = of(b);
	struct object *o;

	while ((o = m->objects) != NULL) {
		m->objects = o->next;
		buf_release(&o->data);
		free(o);
	}
	pool_lock_release(&m->lock);
	free(m);
}

static const struct backend_ops mem_ops = {
    .put_begin = put_begin,
    .put_write = put_write,
    .put_read = put_read,
    .put_commit = put_commit,
    .put_abort = put_abort,
    .get = get,
    .size = size_of,
    .list = list,
    .remove = remove_name,
    .check = check,
    .unsure = unsure,
    .sure = sure,
    .space = space,
    .write_path = write_path,
    .close = mem_close,
};

int
backend_mem_open(struct backend **out, uint64_t seed)
{
	struct mem *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_nomem(sizeof(*m));
	m->base.ops = &mem_ops;
	m->seed = seed;
	pool_lock_init(&m->lock);
	*out = &m->base;
	return 0;
}

void
backend_mem_sabotage(struct backend *b, unsigned flags)
{
	of(b)->sabotage = flags;
}

uint64_t
backend_mem_count(struct backend *b)
{
	return of(b)->count;
}

void
backend_mem_fail(struct backend *b, uint64_t at, uint64_t times, int code)
{
	struct mem *m = of(b);

	m->fail_at = at;
	m->fail_times = times;
	m->fail_code = code;
}

void
backend_mem_lie(struct backend *b)
{
	of(b)->lies = 1;
}

void
backend_mem_cut(struct backend *b, uint64_t at)
{
	of(b)->cut_at = at;
}

uint64_t
backend_mem_fired(enum backend_mem_step *kind, struct backend *b)
{
	if (kind != NULL)
		*kind = of(b)->fired_kind;
	return of(b)->fired;
}

/*
 * What is left of data that was not synced: each sector was written or reads
 * as zeros, one may be torn, and the length may be any up to the whole.
 */
static void
tear(struct mem *m, struct object *o)
{
	uint64_t mode = draw(m) % 4; /* none, all, or some of the sectors */
	size_t at, n, torn = draw(m) % o->data.len / SECTOR_BYTES;

	for (at = 0; at < o->data.len; at += n) {
		n = o->data.len - at;
		n = n < SECTOR_BYTES ? n : SECTOR_BYTES;
		if (mode == 0 || (mode > 1 && draw(m) & 1))
			memset(o->data.data + at, 0, n);
		else if (mode == 3 && at / SECTOR_BYTES == torn)
			memset(o->data.data + at + n / 2, 0, n - n / 2);
	}
	if (draw(m) % 4 == 0)
		o->data.len = draw(m) % (o->data.len + 1);
}

/* What the disk has of an object after a power cut. */
static void
lose(struct mem *m, struct object *o)
{
	if (!o->name_synced)
		o->visible = (int)(draw(m) & 1);
	if (!o->data_synced && o->data.len > 0) {
		if (o->device_len < o->data.len)
			blank(o->data.data, o->data.len, 0, o->device_len);
		else
			tear(m, o);
		o->device_len = o->data.len;
		o->data_synced = 1;
	}
}

void
backend_mem_restart(struct backend *b, int power_cut)
{
	struct mem *m = of(b);
	struct object **at = &m->objects, *o;

	while ((o = *at) != NULL) {
		if (power_cut)
			lose(m, o);
		if (power_cut)
			o->name_synced = 1;
		if (o->visible || !o->name_synced) {
			at = &o->next;
			continue;
		}
		*at = o->next;
		buf_release(&o->data);
		free(o);
	}
	/* What the cache had wrong, the power took with it. */
	if (power_cut)
		m->unsure[0] = '\0';
	m->off = m->failed = m->lies = 0;
	m->cut_at = m->fail_at = m->fail_times = 0;
	m->fired = 0;
}

void
backend_mem_bad(struct backend *b, const char *name, uint64_t offset)
{
	struct mem *m = of(b);

	(void)snprintf(m->bad_name, sizeof(m->bad_name), "%s",
	    name == NULL ? "" : name); /* a longer name is none of ours */
	m->bad_at = offset;
}

void
backend_mem_hide(struct backend *b, const char *name)
{
	struct mem *m = of(b);

	(void)snprintf(m->hidden, sizeof(m->hidden), "%s",
	    name == NULL ? "" : name); /* a longer name is none of ours */
}

void
backend_mem_before_get(struct backend *b, void (*hook)(void *arg), void *arg)
{
	of(b)->before_get_arg = arg;
	of(b)->before_get = hook;
}

uint64_t
backend_mem_changes(struct backend *b)
{
	return of(b)->changes;
}

int
backend_mem_flip(
    struct backend *b, const char *name, uint64_t offset, uint8_t mask)
{
	struct object *o = find(of(b), name);

	if (o == NULL || offset >= o->data.len)
		return 1;
	o->data.data[offset] ^= mask;
	return 0;
}
