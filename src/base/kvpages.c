#include "base/kvpages.h"

#include "base/err.h"
#include "base/fs.h"
#include "base/kv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A page: number u64, padding u16, flags u16, end of the node offsets u16,
 * begin of the nodes u16 (of an overflow page: number of pages u32); the
 * offsets, u16 each; free space; the nodes, each at an even place.
 *
 * A node: u16 x 4: low and middle part of a child's number or of the value's
 * length, then its high part or the value's flags, then the key's length; the
 * key; the value, or the number of the overflow page that it begins at.
 *
 * A tree: padding u32 (in a head: the size of pages), flags u16, depth u16,
 * numbers of branch, leaf and overflow pages u64 x 3, entries u64, root u64.
 *
 * A head, behind a page's 16 bytes: magic u32, version u32, address u64, size
 * of the map u64, the tree of free pages, the tree of tables, last page u64,
 * transaction u64.
 *
 * All in the machine's own byte order.
 */
#define PAGE_HEAD 16u
#define NODE_HEAD 8u
#define TREE_BYTES 48u
#define HEAD_TREES (PAGE_HEAD + 24u)
#define HEAD_BYTES (HEAD_TREES + 2 * TREE_BYTES + 16)
#define MAGIC 0xBEEFC0DEu
#define VERSION 1u
#define HEADS 2u
#define PAGE_BYTES_MIN 512u
#define PAGE_BYTES_MAX 65536u

/* Flags of pages. */
#define PAGE_BRANCH 0x01u
#define PAGE_LEAF 0x02u
#define PAGE_OVERFLOW 0x04u
#define PAGE_IS_HEAD 0x08u
/* Flags of values. */
#define VALUE_LONG 0x01u
#define VALUE_TREE 0x02u
/* Flags of trees. */
#define TREE_INTEGERS 0x08u

#define DEPTH_MAX 31u /* LMDB's stack has one more */
/* Free pages that were never written, behind the end of the file: what one
 * transaction gives back; it has no room for 64 GiB. */
#define TAIL_PAGES_MAX ((uint64_t)1 << 24)

#define AHEAD_BYTES (128u << 10)

enum role { ROLE_FREE, ROLE_TABLES, ROLE_TABLE };

struct tree {
	enum role role;
	unsigned flags, depth;
	size_t integer_bytes; /* of its keys; 0: none was met */
	uint64_t entries, root;
};

struct pages {
	const char *path;
	int fd;
	size_t page_bytes;
	uint64_t in_file; /* whole pages */
	uint64_t last; /* number of the last page */
	uint64_t transaction;
	uint8_t *seen; /* a bit for each page up to the last */
	uint8_t *level[DEPTH_MAX]; /* one page each, of the tree in hand */
	struct tree tables[KV_TABLES_MAX];
	unsigned ntables;
};

struct key {
	const uint8_t *data; /* NULL: no bound */
	size_t len;
};

struct node {
	struct key key;
	uint64_t child; /* in a branch */
	const uint8_t *value; /* in a leaf: it, or an overflow page's number */
	uint32_t value_len; /* of the whole value */
	unsigned flags;
	size_t bytes; /* of the node */
};

static uint16_t
get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t
get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t
get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static int
bad(const struct pages *c, uint64_t page)
{
	return err_set(ERR_DAMAGED, "%s: page %llu is damaged", c->path,
	    (unsigned long long)page);
}

/* What the disk does not give is as bad as what is wrong. */
static int
read_at(const struct pages *c, void *p, size_t len, uint64_t page)
{
	int ret = fs_pread_all(c->fd, p, len, page * c->page_bytes);

	return ret == 0 || ret == ERR_NOMEM ? ret : bad(c, page);
}

/* The page is in use, or free: never twice. */
static int
see(struct pages *c, uint64_t page)
{
	uint8_t bit = (uint8_t)(1u << page % 8);

	if (page < HEADS || page > c->last || (c->seen[page / 8] & bit) != 0)
		return bad(c, page);
	c->seen[page / 8] |= bit;
	return 0;
}

/* As LMDB compares them; the lengths of integers are alike. */
static int
compare(const struct tree *t, const struct key *a, const struct key *b)
{
	size_t len = a->len < b->len ? a->len : b->len;
	uint64_t x, y;
	int order;

	if ((t->flags & TREE_INTEGERS) != 0) {
		x = len == 4 ? get32(a->data) : get64(a->data);
		y = len == 4 ? get32(b->data) : get64(b->data);
		return x < y ? -1 : x > y;
	}
	order = memcmp(a->data, b->data, len);
	return order != 0 ? order : a->len < b->len ? -1 : a->len > b->len;
}

/*
 * Decode the node at `at`.  `first` of a branch has a key that means nothing.
 * Returns 0; 1: it is none.
 */
static int
decode_node(struct node *out, const struct pages *c, struct tree *t,
    const uint8_t *page, size_t at, int branch, int first)
{
	const uint8_t *p = page + at;
	size_t len;

	if (at + NODE_HEAD > c->page_bytes)
		return 1;
	memset(out, 0, sizeof(*out));
	out->flags = branch ? 0 : get16(p + 4);
	out->key.data = p + NODE_HEAD;
	out->key.len = get16(p + 6);
	out->value_len = get16(p) | (uint32_t)get16(p + 2) << 16;
	out->child = out->value_len | (uint64_t)get16(p + 4) << 32;
	out->value = out->key.data + out->key.len;
	len = NODE_HEAD + out->key.len;
	if (!branch)
		len += out->flags == VALUE_LONG ? 8 : out->value_len;
	out->bytes = len + (len & 1);
	if (at + out->bytes > c->page_bytes ||
	    out->key.len > KV_KEY_BYTES_MAX ||
	    out->flags > (t->role == ROLE_TABLES ? VALUE_TREE : VALUE_LONG))
		return 1;
	if (branch && first)
		return 0;
	if ((t->flags & TREE_INTEGERS) == 0)
		return out->key.len == 0;
	if (t->integer_bytes == 0)
		t->integer_bytes = out->key.len;
	return out->key.len != t->integer_bytes ||
	       (out->key.len != 4 && out->key.len != 8);
}

/* The nodes of a page lie one behind the other, and are `n`. */
static int
check_nodes(const struct pages *c, struct tree *t, const uint8_t *page,
    size_t n, int branch)
{
	const uint8_t *offsets = page + PAGE_HEAD;
	size_t at = get16(page + 14), count = 0, i;
	uint8_t begins[PAGE_BYTES_MAX / 16] = {0};
	struct node node;

	for (i = 0; i < n; i++) {
		size_t half = get16(offsets + 2 * i) / 2u;

		if (get16(offsets + 2 * i) % 2 != 0)
			return 1;
		begins[half / 8] |= (uint8_t)(1u << half % 8);
	}
	for (; at < c->page_bytes; at += node.bytes, count++) {
		if (at % 2 != 0 || (begins[at / 16] >> at / 2 % 8 & 1) == 0 ||
		    decode_node(&node, c, t, page, at, branch, 1) != 0)
			return 1;
	}
	return count != n;
}

/* A list of free pages: how many, then they, from the last to the first. */
static int
check_free(struct pages *c, const uint8_t *p, size_t len)
{
	uint64_t before = UINT64_MAX, page;
	size_t i, n = len < 8 ? 0 : (size_t)get64(p);
	int ret = 0;

	if (len < 8 || n >= len / 8)
		return 1;
	for (i = 1; i <= n && ret == 0; i++) {
		page = get64(p + 8 * i);
		ret = page >= before ? 1 : see(c, page);
		before = page;
	}
	return ret;
}

/* A value with pages of its own.  Of a list of free pages it is read. */
static int
check_long(struct pages *c, const struct tree *t, const struct node *node)
{
	uint64_t first = get64(node->value), n, i;
	uint8_t head[PAGE_HEAD], *p = NULL;
	int ret;

	if (first >= c->in_file)
		return 1;
	ret = read_at(c, head, sizeof(head), first);
	if (ret != 0)
		return ret;
	n = get32(head + 12);
	if (get64(head) != first || get16(head + 10) != PAGE_OVERFLOW ||
	    n > c->in_file - first ||
	    node->value_len + PAGE_HEAD > n * c->page_bytes)
		return 1;
	for (i = 0; i < n && ret == 0; i++)
		ret = see(c, first + i);
	if (ret != 0 || t->role != ROLE_FREE)
		return ret;
	p = malloc(PAGE_HEAD + node->value_len);
	if (p == NULL)
		return err_nomem(PAGE_HEAD + node->value_len);
	ret = read_at(c, p, PAGE_HEAD + node->value_len, first);
	if (ret == 0)
		ret = check_free(c, p + PAGE_HEAD, node->value_len);
	free(p);
	return ret;
}

static void
decode_tree(struct tree *out, const uint8_t *p, enum role role)
{
	memset(out, 0, sizeof(*out));
	out->role = role;
	out->flags = get16(p + 4);
	out->depth = get16(p + 6);
	out->entries = get64(p + 32);
	out->root = get64(p + 40);
}

/* 0; 1: damaged, for the caller to say; ERR_*. */
static int
check_value(struct pages *c, struct tree *t, const struct node *node)
{
	t->entries--;
	if (t->role == ROLE_TABLES) {
		if (node->flags != VALUE_TREE ||
		    node->value_len != TREE_BYTES ||
		    c->ntables == KV_TABLES_MAX)
			return 1;
		decode_tree(&c->tables[c->ntables++], node->value, ROLE_TABLE);
		return 0;
	}
	if (t->role == ROLE_FREE &&
	    (node->key.len != 8 || get64(node->key.data) > c->transaction))
		return 1;
	if (node->flags == VALUE_LONG)
		return check_long(c, t, node);
	return t->role == ROLE_FREE
		   ? check_free(c, node->value, node->value_len)
		   : 0;
}

/* Read a page into its level and look at its outside; the number of nodes. */
static int
read_page(
    size_t *n, struct pages *c, struct tree *t, uint64_t number, unsigned level)
{
	int branch = level + 1 < t->depth;
	uint8_t *page = c->level[level];
	unsigned end, begin;
	int ret;

	if (page == NULL)
		page = c->level[level] = malloc(c->page_bytes);
	if (page == NULL)
		return err_nomem(c->page_bytes);
	ret = see(c, number);
	if (ret == 0)
		ret = read_at(c, page, c->page_bytes, number);
	if (ret != 0)
		return ret;
	end = get16(page + 12);
	begin = get16(page + 14);
	if (get64(page) != number ||
	    get16(page + 10) != (branch ? PAGE_BRANCH : PAGE_LEAF) ||
	    end <= PAGE_HEAD || end % 2 != 0 || end > begin ||
	    begin > c->page_bytes)
		return 1;
	*n = (end - PAGE_HEAD) / 2;
	/* LMDB would stop at a branch with one child, but for free pages. */
	if (branch && *n < 2 && t->role != ROLE_FREE)
		return 1;
	return check_nodes(c, t, page, *n, branch);
}

/* A page and what is below it; keys are from `low` on and before `high`. */
static int
check_page(struct pages *c, struct tree *t, uint64_t number, unsigned level,
    struct key low, struct key high)
{
	int ret, branch = level + 1 < t->depth;
	const uint8_t *offsets;
	struct node node, next;
	size_t n = 0, i;

	ret = read_page(&n, c, t, number, level);
	offsets = ret == 0 ? c->level[level] + PAGE_HEAD : NULL;
	for (i = 0; i < n && ret == 0; i++) {
		ret = decode_node(&node, c, t, c->level[level],
		    get16(offsets + 2 * i), branch, i == 0);
		if (ret != 0)
			break;
		/* The first key of a branch is whatever it is. */
		if (!branch || i > 0) {
			if (low.data != NULL &&
			    compare(t, &node.key, &low) < (i > 0))
				return bad(c, number);
			if (high.data != NULL &&
			    compare(t, &node.key, &high) >= 0)
				return bad(c, number);
			low = node.key;
		}
		if (!branch) {
			ret = check_value(c, t, &node);
			continue;
		}
		next.key = high;
		if (i + 1 < n)
			ret = decode_node(&next, c, t, c->level[level],
			    get16(offsets + 2 * (i + 1)), branch, 0);
		if (ret == 0)
			ret = check_page(
			    c, t, node.child, level + 1, low, next.key);
	}
	return ret == 1 ? bad(c, number) : ret;
}

static int
check_tree(struct pages *c, struct tree *t)
{
	struct key none = {NULL, 0};
	int ret;

	if ((t->flags & ~TREE_INTEGERS) != 0)
		return bad(c, t->root);
	if (t->root == UINT64_MAX)
		return t->depth == 0 && t->entries == 0 ? 0 : bad(c, 0);
	if (t->depth == 0 || t->depth > DEPTH_MAX || t->root >= c->in_file)
		return bad(c, t->root);
	ret = check_page(c, t, t->root, 0, none, none);
	/* Each entry counted one down. */
	return ret == 0 && t->entries != 0 ? bad(c, t->root) : ret;
}

/* The newer head, as LMDB finds it. */
static int
read_heads(uint8_t head[HEAD_BYTES], struct pages *c)
{
	uint8_t p[HEAD_BYTES];
	uint64_t number = 0;
	size_t size = 0;
	unsigned i;
	int ret;

	for (i = 0; i < HEADS; i++) {
		ret = read_at(c, p, sizeof(p), i);
		if (ret != 0)
			return ret;
		size = get32(p + HEAD_TREES);
		if (get64(p) != i || get16(p + 10) != PAGE_IS_HEAD ||
		    get32(p + PAGE_HEAD) != MAGIC ||
		    get32(p + PAGE_HEAD + 4) != VERSION ||
		    size < PAGE_BYTES_MIN || size > PAGE_BYTES_MAX ||
		    (size & (size - 1)) != 0 ||
		    (i > 0 && size != c->page_bytes))
			return bad(c, i);
		c->page_bytes = size;
		if (i > 0 && get64(p + HEAD_BYTES - 8) <= c->transaction)
			continue;
		memcpy(head, p, sizeof(p));
		c->transaction = get64(p + HEAD_BYTES - 8);
		number = i;
	}
	/* The next transaction overwrites the other one. */
	return c->transaction % 2 == number ? 0 : bad(c, number);
}

/* The pages of a tree lie anywhere: a disk that turns likes them in turn. */
static void
read_ahead(int fd, uint64_t file_bytes)
{
	uint64_t at;

	for (at = 0; at < file_bytes; at += AHEAD_BYTES)
		/* Only a wish. */
		(void)posix_fadvise(
		    fd, (off_t)at, AHEAD_BYTES, POSIX_FADV_WILLNEED);
}

static int
check_all(struct pages *c, uint64_t file_bytes)
{
	uint8_t head[HEAD_BYTES] = {0};
	struct tree unused, tables;
	uint64_t page;
	unsigned i;
	int ret = read_heads(head, c);

	if (ret != 0)
		return ret;
	c->in_file = file_bytes / c->page_bytes;
	c->last = get64(head + HEAD_BYTES - 16);
	if (c->in_file < HEADS || c->last + 1 < HEADS ||
	    c->last >= c->in_file + TAIL_PAGES_MAX)
		return bad(c, 0);
	c->seen = calloc(c->last / 8 + 1, 1);
	if (c->seen == NULL)
		return err_nomem(c->last / 8 + 1);
	read_ahead(c->fd, file_bytes);
	decode_tree(&unused, head + HEAD_TREES, ROLE_FREE);
	decode_tree(&tables, head + HEAD_TREES + TREE_BYTES, ROLE_TABLES);
	if (unused.flags != TREE_INTEGERS || tables.flags != 0)
		return bad(c, 0);
	ret = check_tree(c, &unused);
	if (ret == 0)
		ret = check_tree(c, &tables);
	for (i = 0; i < c->ntables && ret == 0; i++)
		ret = check_tree(c, &c->tables[i]);
	for (page = c->in_file; page <= c->last && ret == 0; page++) {
		if ((c->seen[page / 8] >> page % 8 & 1) == 0)
			ret = err_set(
			    ERR_DAMAGED, "%s: the file is cut off", c->path);
	}
	return ret;
}

/* 0: a file; 1: nothing; ERR_DAMAGED: what can be neither; ERR_*. */
static int
look_at(uint64_t *bytes, const char *dir, const char *name)
{
	char *path = fs_join(dir, name);
	struct stat st;
	int r;

	if (path == NULL)
		return ERR_NOMEM;
	r = stat(path, &st);
	free(path);
	if (r != 0 && errno == ENOENT)
		return 1;
	if (r != 0 && errno != ELOOP && errno != ENOTDIR)
		return err_errno(ERR_IO, "%s: cannot stat", dir);
	if (r != 0 || !S_ISREG(st.st_mode))
		return err_set(ERR_DAMAGED, "%s/%s: is no file", dir, name);
	*bytes = (uint64_t)st.st_size;
	return 0;
}

int
kvpages_look(uint64_t *bytes, const char *dir)
{
	uint64_t unused;
	int r = look_at(&unused, dir, KV_LOCK_NAME);

	return r < 0 ? r : look_at(bytes, dir, KV_DATA_NAME);
}

static int
check_file(const char *path)
{
	struct pages c = {.path = path, .page_bytes = PAGE_BYTES_MIN};
	struct stat st;
	int ret;

	c.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (c.fd < 0 && errno == ENOENT)
		return 1;
	if (c.fd < 0 && errno == ELOOP)
		return err_errno(ERR_DAMAGED, "%s: is no file", path);
	if (c.fd < 0 || fstat(c.fd, &st) != 0)
		ret = err_errno(ERR_IO, "%s: cannot open", path);
	else if (!S_ISREG(st.st_mode))
		ret = err_set(ERR_DAMAGED, "%s: is no file", path);
	else
		ret = check_all(&c, (uint64_t)st.st_size);
	for (unsigned i = 0; i < DEPTH_MAX; i++)
		free(c.level[i]);
	free(c.seen);
	if (c.fd >= 0)
		(void)close(c.fd); /* nothing was written */
	return ret;
}

int
kvpages_check(const char *dir)
{
	char *path = fs_join(dir, KV_DATA_NAME);
	int ret = path == NULL ? ERR_NOMEM : check_file(path);

	free(path);
	return ret;
}
