#include "engine/chooser.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/limits.h"
#include "engine/ignore.h"
#include "engine/listing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAG_TEXT "Signature: 8a477f597d28d172789f06886806bc55"

/* A directory on the way that has something to say. */
struct level {
	unsigned depth; /* of the directory; the root's is 1 */
	int is_cache;
	struct ignore *rules; /* NULL: none */
	size_t base; /* where a path below it begins in `path` */
};

struct chooser {
	int one_file_system, exclude_caches;
	struct ignore *given; /* by options */
	struct buf path; /* of the directory, with a slash behind each name */
	unsigned depth; /* directories entered */
	struct level *levels;
	size_t nlevels, room;
	size_t force_bytes; /* of all rules in force */
};

/* A file that the user named: any kind, so that <(...) works too. */
static int
read_given(struct ignore *g, const char *path)
{
	struct buf text = BUF_INIT;
	uint8_t *to;
	ssize_t n = 1;
	int fd, rc = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_errno(
		    ERR_USAGE, "cannot read the exclusions in %s", path);
	while (rc == 0 && n != 0 && text.len <= LIMIT_RULES_BYTES) {
		rc = buf_reserve(&text, 4096);
		if (rc != 0)
			break;
		to = text.data + text.len;
		n = read(fd, to, text.cap - text.len);
		if (n > 0)
			text.len += (size_t)n;
		else if (n < 0 && errno != EINTR)
			rc = err_errno(ERR_USAGE,
			    "cannot read the exclusions in %s", path);
	}
	(void)close(fd); /* only read */
	if (rc == 0) {
		rc = ignore_add_text(g, (const char *)text.data, text.len);
		if (rc == ERR_LIMIT)
			rc = err_prefix(ERR_USAGE, "%s", path);
	}
	buf_release(&text);
	return rc;
}

static int
add_given(struct chooser *c, const struct chooser_options *o)
{
	size_t i;
	int rc = 0;

	/* Later rules decide: the more specific ones come last. */
	for (i = 0; rc == 0 && i < o->nexclude_from; i++)
		rc = read_given(c->given, o->exclude_from[i]);
	for (i = 0; rc == 0 && i < o->nexclude; i++) {
		rc = ignore_add_rule(
		    c->given, o->exclude[i], strlen(o->exclude[i]));
		if (rc == ERR_LIMIT)
			rc = err_prefix(ERR_USAGE, "--exclude");
	}
	if (rc == 0 && ignore_bytes(c->given) > LIMIT_RULES_FORCE_BYTES / 2)
		rc = err_set(ERR_USAGE,
		    "the exclusions are longer than %u bytes together",
		    LIMIT_RULES_FORCE_BYTES / 2);
	return rc;
}

int
chooser_new(struct chooser **out, const struct chooser_options *o)
{
	struct chooser *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return err_nomem(sizeof(*c));
	c->one_file_system = o->one_file_system;
	c->exclude_caches = o->exclude_caches;
	rc = ignore_new(&c->given);
	if (rc == 0)
		rc = add_given(c, o);
	if (rc != 0) {
		chooser_free(c);
		return rc;
	}
	chooser_reset(c);
	*out = c;
	return 0;
}

static void
drop_level(struct chooser *c)
{
	struct level *l = &c->levels[--c->nlevels];

	if (l->rules != NULL)
		c->force_bytes -= ignore_bytes(l->rules);
	ignore_free(l->rules);
}

void
chooser_free(struct chooser *c)
{
	if (c == NULL)
		return;
	while (c->nlevels > 0)
		drop_level(c);
	free(c->levels);
	ignore_free(c->given);
	buf_release(&c->path);
	free(c);
}

void
chooser_reset(struct chooser *c)
{
	while (c->nlevels > 0)
		drop_level(c);
	buf_reset(&c->path);
	c->depth = 0;
	c->force_bytes = ignore_bytes(c->given);
}

/* Nonzero when the tag has the content that makes it one. */
static int
is_tagged(int fd)
{
	char text[sizeof(TAG_TEXT) - 1];
	struct stat st;
	int tag, found;

	tag = openat(fd, LISTING_TAG_NAME,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (tag < 0)
		return 0;
	found = fstat(tag, &st) == 0 && S_ISREG(st.st_mode) &&
		fs_pread_all(tag, text, sizeof(text), 0) == 0 &&
		memcmp(text, TAG_TEXT, sizeof(text)) == 0;
	(void)close(tag); /* only read */
	return found;
}

/* Read the rules in the directory `fd`.  0; 1: they cannot be used; ERR_NOMEM.
 * As git does, not through a symlink: they belong to the tree. */
static int
read_rules(struct ignore **out, struct chooser *c, int fd)
{
	struct ignore *g = NULL;
	struct buf text = BUF_INIT;
	uint8_t *to;
	struct stat st;
	int file, rc;

	file = openat(fd, LISTING_RULES_NAME,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (file < 0 || fstat(file, &st) != 0)
		rc = err_errno(ERR_SOURCE, "its rules cannot be read");
	else if (!S_ISREG(st.st_mode))
		rc = err_set(ERR_SOURCE, "is no regular file: no rules");
	else if (st.st_size > LIMIT_RULES_BYTES ||
		 c->force_bytes + (size_t)st.st_size > LIMIT_RULES_FORCE_BYTES)
		rc = err_set(ERR_SOURCE, "has more rules than can be used");
	else
		rc = ignore_new(&g);
	if (rc == 0)
		rc = buf_extend(&to, &text, (size_t)st.st_size);
	if (rc == 0 && fs_pread_all(file, to, text.len, 0) != 0)
		rc = err_set(ERR_SOURCE, "its rules cannot be read");
	if (rc == 0)
		rc = ignore_add_text(g, (const char *)text.data, text.len);
	if (file >= 0)
		(void)close(file); /* only read */
	buf_release(&text);
	if (rc != 0) {
		ignore_free(g);
		return rc == ERR_NOMEM ? rc : 1;
	}
	*out = g;
	return 0;
}

static int
add_level(struct chooser *c, struct ignore *rules, int is_cache)
{
	size_t room = c->room == 0 ? 16 : 2 * c->room;
	struct level *levels = c->levels;

	if (c->nlevels == c->room) {
		levels = realloc(levels, room * sizeof(*levels));
		if (levels == NULL)
			return err_nomem(room * sizeof(*levels));
		c->levels = levels;
		c->room = room;
	}
	levels[c->nlevels++] = (struct level){.depth = c->depth,
	    .is_cache = is_cache,
	    .rules = rules,
	    .base = c->path.len};
	if (rules != NULL)
		c->force_bytes += ignore_bytes(rules);
	return 0;
}

int
chooser_enter(struct chooser *c, int fd, const char *name, size_t name_len,
    unsigned marks)
{
	struct ignore *rules = NULL;
	int is_cache = 0, unusable = 0, rc = 0;

	c->depth++;
	if (name_len > 0) {
		rc = buf_append(&c->path, name, name_len);
		if (rc == 0)
			rc = buf_append8(&c->path, '/');
	}
	if (rc == 0 && (marks & LISTING_RULES) != 0) {
		rc = read_rules(&rules, c, fd);
		unusable = rc > 0;
	}
	if (rc < 0)
		return rc;
	if (c->exclude_caches && (marks & LISTING_TAG) != 0)
		is_cache = is_tagged(fd);
	rc = 0;
	if (rules != NULL || is_cache)
		rc = add_level(c, rules, is_cache);
	if (rc != 0)
		ignore_free(rules);
	return rc != 0 ? rc : unusable;
}

void
chooser_leave(struct chooser *c)
{
	if (c->nlevels > 0 && c->levels[c->nlevels - 1].depth == c->depth)
		drop_level(c);
	c->depth--;
	if (c->path.len > 0)
		c->path.len--;
	while (c->path.len > 0 && c->path.data[c->path.len - 1] != '/')
		c->path.len--;
}

/* The word of all rules in force on the entry, whose path is `path`. */
static enum ignore_word
judge(const struct chooser *c, size_t name_len, int is_dir)
{
	const char *path = (const char *)c->path.data;
	enum ignore_word word;
	const struct level *l;
	size_t i;

	word = ignore_match(c->given, path, c->path.len, name_len, is_dir);
	for (i = c->nlevels; word == IGNORE_SILENT && i > 0; i--) {
		l = &c->levels[i - 1];
		if (l->rules != NULL)
			word = ignore_match(l->rules, path + l->base,
			    c->path.len - l->base, name_len, is_dir);
	}
	return word;
}

int
chooser_excludes(
    struct chooser *c, const char *name, size_t name_len, int is_dir)
{
	const struct level *top =
	    c->nlevels > 0 ? &c->levels[c->nlevels - 1] : NULL;
	enum ignore_word word;
	int rc;

	if (top != NULL && top->depth == c->depth && top->is_cache &&
	    (name_len != strlen(LISTING_TAG_NAME) ||
		memcmp(name, LISTING_TAG_NAME, name_len) != 0))
		return 1;
	if (top == NULL && ignore_bytes(c->given) == 0)
		return 0;
	rc = buf_append(&c->path, name, name_len);
	if (rc != 0)
		return rc;
	word = judge(c, name_len, is_dir);
	c->path.len -= name_len;
	return word == IGNORE_OUT;
}

int
chooser_stops(const struct chooser *c, uint64_t root_dev, uint64_t dev)
{
	return c->one_file_system && dev != root_dev;
}
