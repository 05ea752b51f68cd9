/*
 * Names, each ended by NUL, that lie in a store's folder, that a request's line
 * has, or that a command is given for a directory.  What a name was taken for
 * has that name and no other.
 */

#include "backend/mem.h"
#include "base/hex.h"
#include "cli/storemount.h"
#include "fuzz/fuzz.h"
#include "proto/route.h"
#include "store/backend.h"
#include "store/damage.h"
#include "store/generation.h"
#include "store/heads.h"
#include "store/pack.h"
#include "store/retire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAMES_MAX 32
#define TEXT_MAX 4096

static void
check(int ok)
{
	if (!ok)
		abort();
}

static int
is_there(struct backend *b, const char *name)
{
	uint64_t size;

	return b->ops->size(&size, b, name) == 0;
}

/* All that are of a kind, each once and in order. */
static void
numbered(struct backend *b, int tombs)
{
	const struct heads_name *n;
	struct buf list = BUF_INIT;
	char path[BACKEND_NAME_MAX], hex[33];
	size_t i;

	check((tombs ? retire_list(&list, b, NULL)
		     : heads_list(&list, b, NULL)) == 0);
	n = (const struct heads_name *)list.data;
	for (i = 0; i < list.len / sizeof(*n); i++) {
		hex_encode(hex, n[i].mount, 16);
		(void)snprintf(path, sizeof(path), "%s/%s/%010llu%s",
		    tombs ? "retired" : "snapshots", hex,
		    (unsigned long long)n[i].seq,
		    tombs ? ".tomb" : ".snap"); /* it fits */
		check(n[i].seq > 0 && is_there(b, path));
		check(i == 0 || heads_compare(&n[i - 1], &n[i]) < 0);
	}
	buf_release(&list);
}

static int
on_damage(void *arg, const uint8_t pack[32], uint32_t offset)
{
	struct backend *b = arg;

	/* Capitals are the same digits, so the name may be another. */
	return damage_forget(b, pack, offset) == 0 ? 0 : 1;
}

static void
word(const char *text)
{
	static struct account_mount mounts[3] = {
	    {.mount = {0xab, 0xcd, 0xef, 0x01, 2}, .label = "home"},
	    {.mount = {0xab, 0xcd, 0xef, 0x01, 3}, .label = "ABCDEF01"},
	    {.mount = {7}, .label = "home/anna"}};
	const struct storemount s = {mounts, 3};
	uint8_t mount[IDENT_BYTES], name[HASH_BYTES];
	char path[PACK_PATH_BYTES], hex[2 * IDENT_BYTES + 1];
	const char *label;
	enum route route = route_find(text);

	check(
	    route == ROUTE_NONE || strcmp(route_info(route)->path, text) == 0);
	if (pack_path_name(name, text) == 0) {
		pack_path(path, name);
		check(strcmp(path, text) == 0);
	}
	if (storemount_find(mount, &s, text) != 0)
		return;
	label = storemount_label(&s, mount);
	hex_encode(hex, mount, IDENT_BYTES);
	check((label != NULL && strcmp(label, text) == 0) ||
	      (strlen(text) >= 8 && strncasecmp(hex, text, strlen(text)) == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	char text[TEXT_MAX + 1], *at;
	struct generation g;
	struct backend *b;
	unsigned n = 0;

	if (len > TEXT_MAX)
		return 0;
	memcpy(text, p, len);
	text[len] = '\0';
	check(backend_mem_open(&b, 1) == 0);
	for (at = text; at < text + len && n < NAMES_MAX;
	     at += strlen(at) + 1, n++) {
		word(at);
		/* Too long, or there already: no name of a store. */
		(void)backend_put_all(b, at, "", 0);
	}
	numbered(b, 0);
	numbered(b, 1);
	check(damage_list(b, on_damage, b) == 0);
	check(generation_load(&g, b) != 0); /* nothing is in them */
	b->ops->close(b);
	return 0;
}
