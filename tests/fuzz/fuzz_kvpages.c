/*
 * The file of an environment, before LMDB maps it: base u8, then (base 0) the
 * whole file, or changes of one that LMDB wrote (1 small, 2 with free pages and
 * long values, 3 deep): page u8, place u16, what u8, bytes.  The upper two bits
 * of `what` say: 0 so many bytes (the lower six) are others, and follow; 1 the
 * page is a copy of another one; 2 the file ends there; 3 zeros up to the end
 * of the page.
 *
 * Of what passes LMDB reads all rows and finds each by its key, and writes; and
 * what it then wrote passes again.
 */

#include "base/bytes.h"
#include "base/err.h"
#include "base/kv.h"
#include "base/kvpages.h"
#include "base/log.h"
#include "fuzz/fuzz.h"
#include "lib/fill.h"
#include "lib/planted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASES 3
#define PAGE_BYTES 4096u
#define LONG_BYTES 9000u
#define LONG_KEYS_MAX 100 /* of a table with such values */
#define FILE_BYTES_MAX 65536u
#define ENV "env"
#define DATA ENV "/" KV_DATA_NAME

static const char *const names[] = {"text", "number", "other"};
static const unsigned flags[] = {0, KV_INTKEY, 0};
enum { TEXT, NUMBER, OTHER, TABLES };

static struct buf bases[BASES];
static struct fill draws;

static void
check(int ok)
{
	if (ok)
		return;
	(void)fprintf(stderr, "%s\n", err_text()); /* for people */
	abort();
}

static int
open_env(struct kv **out)
{
	char *path = planted_path(ENV);
	int r = kv_open(out, path, names, flags, TABLES,
	    KV_CREATE | KV_NOSYNC | KV_TINY_MAP | KV_CHECK);

	free(path);
	return r;
}

/* One row is written or removed. */
static void
change(struct kv_txn *t, size_t keys)
{
	static uint8_t value[LONG_BYTES];
	unsigned table = (unsigned)fill_below(&draws, TABLES);
	int is_long = keys <= LONG_KEYS_MAX && fill_below(&draws, 12) == 0;
	size_t len = fill_below(&draws, is_long ? LONG_BYTES : 90);
	uint32_t number = (uint32_t)fill_below(&draws, keys);
	char text[64];
	int r;

	memset(value, (int)fill_below(&draws, 256), len);
	(void)snprintf(text, sizeof(text), "%0*x", /* it fits */
	    1 + (int)number % 40, number);
	if (fill_below(&draws, 3) == 0)
		r = table == NUMBER ? kv_del(t, table, &number, sizeof(number))
				    : kv_del(t, table, text, strlen(text));
	else
		r = table == NUMBER
			? kv_put(t, table, &number, sizeof(number), value, len)
			: kv_put(t, table, text, strlen(text), value, len);
	check(r >= 0);
}

static void
work(struct kv *kv, unsigned transactions, size_t rows, size_t keys)
{
	struct kv_txn *t;
	size_t i;

	while (transactions-- > 0) {
		check(kv_begin(&t, kv, 1) == 0);
		for (i = 0; i < rows; i++)
			change(t, keys);
		check(kv_commit(t) == 0);
	}
}

/* LMDB must find by its key what it shows in turn.  Returns a sum of it. */
static unsigned
read_all(struct kv *kv)
{
	struct kv_slice key, value, again;
	unsigned table, sum = 0;
	struct kv_cursor *c;
	struct kv_txn *t;
	size_t i;
	int r;

	check(kv_begin(&t, kv, 0) == 0);
	for (table = 0; table < TABLES; table++) {
		check(kv_cursor_open(&c, t, table) == 0);
		r = kv_cursor_first(&key, &value, c);
		for (; r == 0; r = kv_cursor_next(&key, &value, c)) {
			check(kv_get(&again, t, table, key.data, key.len) == 0);
			check(
			    again.data == value.data && again.len == value.len);
			for (i = 0; i < value.len; i++)
				sum += ((const uint8_t *)value.data)[i];
		}
		check(r == 1);
		kv_cursor_close(c);
	}
	kv_abort(t);
	return sum;
}

static void
make_base(struct buf *out, unsigned transactions, size_t rows, size_t keys)
{
	struct kv *kv;

	planted_make(ENV);
	check(open_env(&kv) == 0);
	work(kv, transactions, rows, keys);
	kv_close(kv);
	planted_read(out, DATA);
	planted_remove(DATA);
}

static void
make_bases(void)
{
	fill_init(&draws, 1);
	make_base(&bases[0], 1, 8, 8);
	make_base(&bases[1], 20, 12, 40);
	make_base(&bases[2], 2, 400, 3000);
}

/* What the changes make of a file. */
static void
apply(struct buf *file, const uint8_t *p, size_t len)
{
	size_t pages = file->len / PAGE_BYTES, to, n;
	uint8_t *page;

	while (len >= 4 && file->len >= PAGE_BYTES) {
		pages = file->len / PAGE_BYTES;
		page = file->data + p[0] % pages * PAGE_BYTES;
		to = (p[1] | (size_t)p[2] << 8) % PAGE_BYTES;
		n = p[3] & 63u;
		switch (p[3] >> 6) {
		case 0:
			n = n < len - 4 ? n : len - 4;
			n = n < PAGE_BYTES - to ? n : PAGE_BYTES - to;
			memcpy(page + to, p + 4, n);
			p += n;
			len -= n;
			break;
		case 1:
			memmove(page, file->data + n % pages * PAGE_BYTES,
			    PAGE_BYTES);
			break;
		case 2:
			file->len = (size_t)(page - file->data) + to;
			break;
		default:
			memset(page + to, 0, PAGE_BYTES - to);
		}
		p += 4;
		len -= 4;
	}
}

static void
try(const uint8_t *p, size_t len)
{
	char *path = planted_path(ENV);
	struct kv *kv;
	int r;

	planted_write(DATA, p, len);
	r = kvpages_check(path);
	check(r == 0 || r == ERR_DAMAGED);
	if (r == 0) {
		r = open_env(&kv);
		/* Other tables may be there. */
		check(r == 0 || r == ERR_DAMAGED);
		if (r == 0) {
			fill_init(&draws, read_all(kv));
			work(kv, 2, 30, 60);
			kv_close(kv);
			check(kvpages_check(path) == 0);
		}
	} else {
		check(open_env(&kv) == ERR_DAMAGED);
	}
	planted_remove(DATA);
	free(path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct buf file = BUF_INIT;

	if (len < 1 || len > FILE_BYTES_MAX || p[0] > BASES)
		return 0;
	log_set_verbose(-1);
	if (bases[0].len == 0)
		make_bases();
	if (p[0] == 0) {
		try(p + 1, len - 1);
		return 0;
	}
	check(
	    buf_append(&file, bases[p[0] - 1].data, bases[p[0] - 1].len) == 0);
	apply(&file, p + 1, len - 1);
	try(file.data, file.len);
	buf_release(&file);
	return 0;
}
