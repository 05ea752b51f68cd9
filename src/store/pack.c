#include "store/pack.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/random.h"
#include "store/backend.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTION_HEADER 1
#define SECTION_ENTRIES 2
#define SECTION_ORIGIN 3
#define ORIGIN_BYTES 24
#define SECTION_BYTES 8 /* type, zero, length */
/* Everything of the footer but the entries. */
#define FOOTER_FIXED_BYTES (SECTION_BYTES + HASH_BYTES + SECTION_BYTES + 4)

static const uint8_t header_magic[4] = {'H', 'S', 'P', '1'};
static const uint8_t trailer_magic[4] = {'H', 'S', 'P', 'E'};

struct pack_writer {
	struct backend *backend;
	struct backend_put *put;
	enum record_class class;
	uint32_t count;
	uint64_t end; /* of the records */
	uint8_t header_hash[HASH_BYTES];
	struct buf entries;
	uint8_t origin[ORIGIN_BYTES];
	int has_origin;
};

void
pack_path(char out[PACK_PATH_BYTES], const uint8_t name[HASH_BYTES])
{
	char hex[2 * HASH_BYTES + 1];

	hex_encode(hex, name, HASH_BYTES);
	(void)snprintf(out, PACK_PATH_BYTES, "packs/%.2s/%s.pack", hex,
	    hex); /* it fits by the size of the parts */
}

int
pack_path_name(uint8_t name[HASH_BYTES], const char *path)
{
	char again[PACK_PATH_BYTES];
	uint8_t found[HASH_BYTES];

	if (strlen(path) != PACK_PATH_BYTES - 1 ||
	    hex_decode(found, HASH_BYTES, path + 9, (size_t)2 * HASH_BYTES) !=
		0)
		return 1;
	pack_path(again, found);
	if (strcmp(path, again) != 0)
		return 1;
	memcpy(name, found, HASH_BYTES);
	return 0;
}

int
pack_writer_open(struct pack_writer **out, struct backend *backend,
    enum record_class class, const uint8_t vault[PACK_VAULT_BYTES])
{
	uint8_t header[PACK_HEADER_BYTES] = {0};
	struct pack_writer *w;
	int ret;

	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return err_nomem(sizeof(*w));
	w->backend = backend;
	w->class = class;
	w->end = PACK_HEADER_BYTES;
	memcpy(header, header_magic, 4);
	header[4] = (uint8_t) class;
	memcpy(header + 8, vault, PACK_VAULT_BYTES);
	random_bytes(header + 24, 16);
	hash_bytes(w->header_hash, header, sizeof(header));
	ret = backend->ops->put_begin(&w->put, backend, LIMIT_PACK_BYTES);
	if (ret < 0)
		goto out;
	ret = backend->ops->put_write(w->put, header, sizeof(header));
	if (ret < 0)
		goto out;
	*out = w;
	return 0;
out:
	pack_writer_abort(w);
	return ret;
}

void
pack_writer_origin(
    struct pack_writer *w, const uint8_t mount[16], uint64_t after)
{
	assert(w->count == 0);
	memcpy(w->origin, mount, 16);
	bytes_put64(w->origin + 16, after);
	w->has_origin = 1;
}

/* Bytes of a file whose records end at `end` and number `count`. */
static uint64_t
file_size(const struct pack_writer *w, uint64_t end, uint64_t count)
{
	return ((end + 7) & ~(uint64_t)7) + FOOTER_FIXED_BYTES +
	       count * PACK_ENTRY_BYTES +
	       (w->has_origin ? SECTION_BYTES + ORIGIN_BYTES : 0) +
	       PACK_TRAILER_BYTES;
}

int
pack_writer_fits(const struct pack_writer *w, size_t len)
{
	return len <= LIMIT_PACK_BYTES && w->count < LIMIT_PACK_RECORDS &&
	       file_size(w, w->end + len, (uint64_t)w->count + 1) <=
		   LIMIT_PACK_BYTES;
}

/* Append the footer's line of a record. */
static int
append_entry(struct buf *out, const struct record *r, uint32_t offset)
{
	uint8_t *e;
	int ret = buf_extend(&e, out, PACK_ENTRY_BYTES);

	if (ret < 0)
		return ret;
	memset(e, 0, PACK_ENTRY_BYTES);
	memcpy(e, r->id, RECORD_ID_BYTES);
	memcpy(e + 32, r->checksum, HASH_BYTES);
	bytes_put32(e + 64, offset);
	bytes_put32(e + 68, (uint32_t)r->len);
	bytes_put32(e + 72, r->epoch);
	bytes_put32(e + 76, r->nrefs);
	bytes_put32(e + 80, r->nmembers);
	e[84] = (uint8_t)r->class;
	return 0;
}

int
pack_writer_add(uint32_t *offset, struct pack_writer *w, const struct record *r)
{
	int ret;

	assert(r->class == w->class && pack_writer_fits(w, r->len));
	ret = append_entry(&w->entries, r, (uint32_t)w->end);
	if (ret < 0)
		return ret;
	ret = w->backend->ops->put_write(w->put, r->bytes, r->len);
	if (ret < 0)
		return ret;
	*offset = (uint32_t)w->end;
	w->end += r->len;
	w->count++;
	return 0;
}

int
pack_writer_read(struct pack_writer *w, void *out, size_t len, uint32_t offset)
{
	assert(offset + (uint64_t)len <= w->end);
	return w->backend->ops->put_read(w->put, out, len, offset);
}

uint32_t
pack_writer_count(const struct pack_writer *w)
{
	return w->count;
}

uint64_t
pack_writer_size(const struct pack_writer *w)
{
	return file_size(w, w->end, w->count);
}

static int
append_section(struct buf *out, uint16_t type, const void *head,
    size_t head_len, const struct buf *rest)
{
	size_t rest_len = rest == NULL ? 0 : rest->len;
	int ret = buf_append16(out, type);

	if (ret == 0)
		ret = buf_append16(out, 0);
	if (ret == 0)
		ret = buf_append32(out, (uint32_t)(head_len + rest_len));
	if (ret == 0)
		ret = buf_append(out, head, head_len);
	if (ret == 0 && rest_len > 0)
		ret = buf_append(out, rest->data, rest_len);
	return ret;
}

int
pack_writer_commit(uint8_t name[HASH_BYTES], struct pack_writer *w)
{
	const struct backend_ops *ops = w->backend->ops;
	uint64_t footer_at = (w->end + 7) & ~(uint64_t)7;
	size_t pad = (size_t)(footer_at - w->end);
	struct buf tail = BUF_INIT;
	char path[PACK_PATH_BYTES];
	uint8_t count[4], hash[HASH_BYTES];
	size_t footer_len;
	int ret;

	bytes_put32(count, w->count);
	ret = buf_append_zeros(&tail, pad);
	if (ret == 0)
		ret = append_section(
		    &tail, SECTION_HEADER, w->header_hash, HASH_BYTES, NULL);
	if (ret == 0)
		ret = append_section(
		    &tail, SECTION_ENTRIES, count, 4, &w->entries);
	if (ret == 0 && w->has_origin)
		ret = append_section(
		    &tail, SECTION_ORIGIN, w->origin, ORIGIN_BYTES, NULL);
	if (ret < 0)
		goto out;
	footer_len = tail.len - pad;
	hash_bytes(hash, tail.data + pad, footer_len);
	ret = buf_append64(&tail, footer_at);
	if (ret == 0)
		ret = buf_append32(&tail, (uint32_t)footer_len);
	if (ret == 0)
		ret = buf_append(&tail, trailer_magic, sizeof(trailer_magic));
	if (ret == 0)
		ret = ops->put_write(w->put, tail.data, tail.len);
	if (ret < 0)
		goto out;
	pack_path(path, hash);
	ret = ops->put_commit(w->put, path);
	w->put = NULL; /* freed in every case */
	if (ret == 0)
		memcpy(name, hash, HASH_BYTES);
out:
	buf_release(&tail);
	pack_writer_abort(w);
	return ret;
}

void
pack_writer_abort(struct pack_writer *w)
{
	if (w == NULL)
		return;
	w->backend->ops->put_abort(w->put);
	buf_release(&w->entries);
	free(w);
}

void
pack_release(struct pack *p)
{
	buf_release(&p->footer);
}

int
pack_note(struct pack *p, const struct record *r, uint32_t offset)
{
	int ret = append_entry(&p->footer, r, offset);

	if (ret < 0)
		return ret;
	p->entries = p->footer.data;
	p->class = r->class;
	p->end = offset + (uint32_t)r->len;
	p->count++;
	return 0;
}

void
pack_entry(struct pack_entry *out, const struct pack *p, uint32_t i)
{
	const uint8_t *e = p->entries + (size_t)i * PACK_ENTRY_BYTES;

	assert(i < p->count);
	out->id = e;
	out->checksum = e + 32;
	out->offset = bytes_get32(e + 64);
	out->length = bytes_get32(e + 68);
	out->epoch = bytes_get32(e + 72);
	out->nrefs = bytes_get32(e + 76);
	out->nmembers = bytes_get32(e + 80);
	out->class = (enum record_class)e[84];
}

/* The records of the footer tile the file from the header to `p->end`. */
static int
check_entries(struct pack *p, uint64_t footer_at)
{
	uint64_t at = PACK_HEADER_BYTES;
	struct pack_entry e;
	uint32_t i;

	for (i = 0; i < p->count; i++) {
		const uint8_t *raw = p->entries + (size_t)i * PACK_ENTRY_BYTES;

		pack_entry(&e, p, i);
		if (e.offset != at || e.class != p->class ||
		    !bytes_are_zero(raw + 85, 3) || e.length > footer_at - at)
			return err_set(ERR_DAMAGED, "footer: entry %u", i);
		/* What the entry says must leave room for a payload. */
		if (e.nrefs > (e.class == RECORD_META ? LIMIT_REFS : 0) ||
		    e.nmembers > (e.class == RECORD_DATA ? LIMIT_MEMBERS : 0) ||
		    e.length <
			RECORD_BYTES_MIN +
			    ((size_t)e.nrefs + e.nmembers) * RECORD_ID_BYTES ||
		    e.length > LIMIT_RECORD_BYTES)
			return err_set(ERR_DAMAGED, "footer: entry %u", i);
		at += e.length;
	}
	if (((at + 7) & ~(uint64_t)7) != footer_at)
		return err_set(
		    ERR_DAMAGED, "footer: its records do not fill the pack");
	p->end = (uint32_t)at;
	return 0;
}

static int
parse_entries(struct pack *p, const uint8_t *s, uint32_t len)
{
	if (len < 4)
		return err_set(ERR_DAMAGED, "footer: no count");
	p->count = bytes_get32(s);
	p->entries = s + 4;
	if (p->count > LIMIT_PACK_RECORDS ||
	    len - 4 != (size_t)p->count * PACK_ENTRY_BYTES)
		return err_set(ERR_DAMAGED, "footer: wrong count");
	return 0;
}

/* One section of a known type. */
static int
parse_section(struct pack *p, uint16_t type, const uint8_t *s, uint32_t len,
    const uint8_t header_hash[HASH_BYTES])
{
	if (type == SECTION_ENTRIES)
		return parse_entries(p, s, len);
	if (type == SECTION_HEADER) {
		if (len != HASH_BYTES ||
		    memcmp(s, header_hash, HASH_BYTES) != 0)
			return err_set(
			    ERR_DAMAGED, "the header fails its hash");
		return 0;
	}
	if (len != ORIGIN_BYTES)
		return err_set(ERR_DAMAGED, "footer: wrong origin");
	p->origin = s;
	p->after = bytes_get64(s + 16);
	return 0;
}

/* The sections of `p->footer`; each known one once. */
static int
parse_footer(struct pack *p, const uint8_t header_hash[HASH_BYTES])
{
	struct bytes_reader in;
	unsigned seen = 0;
	int ret;

	bytes_reader_init(&in, p->footer.data, p->footer.len);
	while (in.left > 0) {
		uint16_t type = bytes_read16(&in);
		uint16_t zero = bytes_read16(&in);
		uint32_t len = bytes_read32(&in);
		const uint8_t *s = bytes_read(&in, len);

		if (s == NULL || zero != 0)
			return err_set(ERR_DAMAGED, "footer: cut section");
		if (type < SECTION_HEADER || type > SECTION_ORIGIN)
			continue;
		if (seen & 1u << type)
			return err_set(ERR_DAMAGED, "footer: section twice");
		seen |= 1u << type;
		ret = parse_section(p, type, s, len, header_hash);
		if (ret < 0)
			return ret;
	}
	if ((seen | 1u << SECTION_ORIGIN) !=
	    (1u << SECTION_HEADER | 1u << SECTION_ENTRIES |
		1u << SECTION_ORIGIN))
		return err_set(ERR_DAMAGED, "footer: section missing");
	return 0;
}

static int
check_header(struct pack *p, const uint8_t h[PACK_HEADER_BYTES],
    const uint8_t vault[PACK_VAULT_BYTES])
{
	if (memcmp(h, header_magic, 4) != 0 ||
	    (h[4] != RECORD_DATA && h[4] != RECORD_META) ||
	    !bytes_are_zero(h + 5, 3) || !bytes_are_zero(h + 40, 8))
		return err_set(ERR_DAMAGED, "not a pack's header");
	if (memcmp(h + 8, vault, PACK_VAULT_BYTES) != 0)
		return err_set(ERR_DAMAGED, "a pack of another vault");
	p->class = (enum record_class)h[4];
	memcpy(p->vault, vault, PACK_VAULT_BYTES);
	return 0;
}

/* Where the footer lies, from the trailer of a pack of `size` bytes. */
static int
check_trailer(uint64_t *at, uint32_t *len, const uint8_t t[PACK_TRAILER_BYTES],
    uint64_t size)
{
	uint64_t footer_at = bytes_get64(t);
	uint32_t footer_len = bytes_get32(t + 8);

	if (memcmp(t + 12, trailer_magic, 4) != 0 ||
	    footer_len > LIMIT_FOOTER_BYTES || footer_at % 8 != 0 ||
	    footer_at < PACK_HEADER_BYTES ||
	    footer_at > size - PACK_TRAILER_BYTES ||
	    footer_len != size - PACK_TRAILER_BYTES - footer_at)
		return err_set(ERR_DAMAGED, "not a pack's trailer");
	*at = footer_at;
	*len = footer_len;
	return 0;
}

static int
check_size(uint64_t size)
{
	if (size <
		PACK_HEADER_BYTES + FOOTER_FIXED_BYTES + PACK_TRAILER_BYTES ||
	    size > LIMIT_PACK_BYTES)
		return err_set(ERR_DAMAGED, "no pack has %llu bytes",
		    (unsigned long long)size);
	return 0;
}

/* All checks of a pack whose footer stands in `p->footer`. */
static int
check_pack(struct pack *p, const uint8_t name[HASH_BYTES],
    const uint8_t header[PACK_HEADER_BYTES], uint64_t footer_at,
    const uint8_t vault[PACK_VAULT_BYTES])
{
	uint8_t hash[HASH_BYTES];
	int ret;

	hash_bytes(hash, p->footer.data, p->footer.len);
	if (memcmp(hash, name, HASH_BYTES) != 0)
		return err_set(
		    ERR_DAMAGED, "the footer's hash is not the pack's name");
	memcpy(p->name, name, HASH_BYTES);
	ret = check_header(p, header, vault);
	if (ret < 0)
		return ret;
	hash_bytes(hash, header, PACK_HEADER_BYTES);
	ret = parse_footer(p, hash);
	if (ret < 0)
		return ret;
	return check_entries(p, footer_at);
}

int
pack_load(struct pack *out, struct backend *backend,
    const uint8_t name[HASH_BYTES], uint64_t size,
    const uint8_t vault[PACK_VAULT_BYTES])
{
	const struct backend_ops *ops = backend->ops;
	uint8_t header[PACK_HEADER_BYTES], trailer[PACK_TRAILER_BYTES], *to;
	struct pack p = PACK_INIT;
	char path[PACK_PATH_BYTES];
	uint64_t footer_at;
	uint32_t footer_len;
	int ret = 0;

	pack_path(path, name);
	if (size == 0)
		ret = ops->size(&size, backend, path);
	if (ret < 0)
		goto out;
	p.size = size;
	ret = check_size(size);
	if (ret < 0)
		goto out;
	ret = ops->get(backend, path, header, sizeof(header), 0);
	if (ret < 0)
		goto out;
	ret = ops->get(
	    backend, path, trailer, sizeof(trailer), size - sizeof(trailer));
	if (ret < 0)
		goto out;
	ret = check_trailer(&footer_at, &footer_len, trailer, size);
	if (ret < 0)
		goto out;
	ret = buf_extend(&to, &p.footer, footer_len);
	if (ret < 0)
		goto out;
	ret = ops->get(backend, path, to, footer_len, footer_at);
	if (ret < 0)
		goto out;
	ret = check_pack(&p, name, header, footer_at, vault);
	if (ret < 0)
		goto out;
	*out = p;
	return 0;
out:
	pack_release(&p);
	return err_prefix(ret, "%s", path);
}

int
pack_decode(struct pack *out, const uint8_t name[HASH_BYTES], const uint8_t *p,
    size_t len, const uint8_t vault[PACK_VAULT_BYTES])
{
	struct pack k = PACK_INIT;
	uint64_t footer_at;
	uint32_t footer_len;
	int ret;

	ret = check_size(len);
	if (ret < 0)
		return ret;
	k.size = len;
	ret = check_trailer(
	    &footer_at, &footer_len, p + len - PACK_TRAILER_BYTES, len);
	if (ret < 0)
		return ret;
	ret = buf_append(&k.footer, p + footer_at, footer_len);
	if (ret == 0)
		ret = check_pack(&k, name, p, footer_at, vault);
	if (ret == 0 && !bytes_are_zero(p + k.end, footer_at - k.end))
		ret = err_set(ERR_DAMAGED, "the padding is not zero");
	if (ret < 0) {
		pack_release(&k);
		return ret;
	}
	*out = k;
	return 0;
}

int
pack_check_record(struct record *out, const struct pack_entry *e,
    const uint8_t *bytes, size_t len)
{
	struct record r;
	int ret;

	ret = record_decode(&r, bytes, len);
	if (ret < 0)
		return ret;
	if (r.len != e->length || r.epoch != e->epoch || r.class != e->class ||
	    r.nrefs != e->nrefs || r.nmembers != e->nmembers ||
	    memcmp(r.id, e->id, RECORD_ID_BYTES) != 0 ||
	    memcmp(r.checksum, e->checksum, HASH_BYTES) != 0)
		return err_set(
		    ERR_DAMAGED, "a record is not the one of the footer");
	if (out != NULL)
		*out = r;
	return 0;
}
