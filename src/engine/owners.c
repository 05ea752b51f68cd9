#include "engine/owners.h"

#include "base/err.h"
#include "base/limits.h"
#include "base/pool.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 256u
/* What the system may need for one answer; a group lists its members. */
#define ANSWER_BYTES_MAX (1u << 20)

struct owner {
	struct owner *next;
	uint32_t id;
	struct owners_name name;
};

struct owners {
	struct pool_lock lock;
	struct owner *users[SLOTS];
	struct owner *groups[SLOTS];
};

static const struct owners_name unknown;

int
owners_new(struct owners **out)
{
	struct owners *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return err_nomem(sizeof(*o));
	pool_lock_init(&o->lock);
	*out = o;
	return 0;
}

static void
free_table(struct owner **table)
{
	struct owner *at, *next;
	size_t i;

	for (i = 0; i < SLOTS; i++)
		for (at = table[i]; at != NULL; at = next) {
			next = at->next;
			free(at);
		}
}

void
owners_free(struct owners *o)
{
	if (o == NULL)
		return;
	free_table(o->users);
	free_table(o->groups);
	pool_lock_release(&o->lock);
	free(o);
}

static void
set_name(struct owners_name *out, const char *name)
{
	size_t len = strlen(name);

	if (len > LIMIT_OWNER_BYTES)
		return;
	out->len = (uint8_t)len;
	memcpy(out->text, name, len);
}

/* A failing look-up is an unknown name: the number is what counts. */
static void
ask_user(struct owners_name *out, uint32_t uid, char *data, size_t len)
{
	struct passwd pw, *found = NULL;

	if (getpwuid_r((uid_t)uid, &pw, data, len, &found) == 0 &&
	    found != NULL)
		set_name(out, found->pw_name);
}

static void
ask_group(struct owners_name *out, uint32_t gid, char *data, size_t len)
{
	struct group gr, *found = NULL;

	if (getgrgid_r((gid_t)gid, &gr, data, len, &found) == 0 &&
	    found != NULL)
		set_name(out, found->gr_name);
}

static const struct owners_name *
look_up(struct owners *o, struct owner **table, uint32_t id,
    void (*ask)(struct owners_name *, uint32_t, char *, size_t))
{
	struct owner **slot = &table[id % SLOTS], *at;
	char *data;

	pool_lock_enter(&o->lock);
	for (at = *slot; at != NULL && at->id != id; at = at->next)
		;
	if (at == NULL) {
		at = calloc(1, sizeof(*at));
		data = malloc(ANSWER_BYTES_MAX);
		if (at != NULL && data != NULL) {
			at->id = id;
			ask(&at->name, id, data, ANSWER_BYTES_MAX);
			at->next = *slot;
			*slot = at;
		} else {
			free(at);
			at = NULL;
		}
		free(data);
	}
	pool_lock_leave(&o->lock);
	return at == NULL ? &unknown : &at->name;
}

const struct owners_name *
owners_user(struct owners *o, uint32_t uid)
{
	return look_up(o, o->users, uid, ask_user);
}

const struct owners_name *
owners_group(struct owners *o, uint32_t gid)
{
	return look_up(o, o->groups, gid, ask_group);
}
