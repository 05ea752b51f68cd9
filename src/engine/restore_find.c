#include "engine/restore_find.h"

#include "base/err.h"
#include "engine/glob.h"
#include "object/tree.h"

#include <string.h>

/* Where a search is: a tree object, or an entry that was found. */
struct place {
	enum address_kind kind;
	uint8_t id[OBJECT_ID_BYTES];
	unsigned level;
};

/* Look for `name` in one leaf.  0; 1: not there. */
static int
find_in_leaf(struct place *p, struct tree_reader *r, const char *name)
{
	size_t len = strlen(name);
	struct entry e;
	int rc;

	while ((rc = tree_reader_entry(&e, r)) == 0) {
		if (e.name_len != len || memcmp(e.name, name, len) != 0)
			continue;
		p->kind = e.kind;
		memcpy(p->id, e.id, sizeof(p->id));
		p->level = e.level;
		return 0;
	}
	return rc;
}

/* Choose the item of one node whose names may hold `name`.  0; 1: none. */
static int
find_in_node(struct place *p, struct tree_reader *r, const char *name)
{
	size_t len = strlen(name);
	struct tree_node n;
	int rc;

	while ((rc = tree_reader_node(&n, r)) == 0) {
		if (entry_name_compare(
			n.last_name, n.last_name_len, name, len) < 0)
			continue;
		memcpy(p->id, n.id, sizeof(p->id));
		p->level--;
		return 0;
	}
	return rc;
}

/* From the directory `p` to its entry `name`.  0; 1: it has none. */
static int
find_in_dir(struct place *p, struct fetch *f, const char *name)
{
	const struct object *o;
	struct tree_reader r;
	unsigned level;
	int rc;

	do {
		level = p->level;
		rc = fetch_get(&o, f, OBJECT_TREE, p->id);
		if (rc != 0)
			return rc;
		rc = tree_reader_init(&r, level, o->refs.data, object_nrefs(o),
		    o->payload.data, o->payload.len);
		if (rc == 0) {
			rc = level > 0 ? find_in_node(p, &r, name)
				       : find_in_leaf(p, &r, name);
			tree_reader_release(&r);
		}
		fetch_put(f, o);
	} while (rc == 0 && level > 0);
	return rc;
}

/* Look for path `i`.  0; 1: it is not there. */
static int
find_path(struct fetch *f, const struct restore_select *select, size_t i,
    const struct entry *root)
{
	struct place p = {.kind = ADDRESS_DIR, .level = root->level};
	const char *part;
	size_t n;
	int rc = 0;

	memcpy(p.id, root->id, sizeof(p.id));
	for (n = 0; rc == 0; n++) {
		part = restore_select_part(select, i, n);
		if (part == NULL)
			break;
		rc = p.kind == ADDRESS_DIR ? find_in_dir(&p, f, part) : 1;
	}
	return rc;
}

int
restore_find_paths(
    struct fetch *f, struct restore_select *select, const struct entry *root)
{
	const char *text;
	size_t i;
	int rc;

	for (i = 0; i < restore_select_count(select); i++) {
		rc = find_path(f, select, i, root);
		if (rc < 0)
			return rc;
		text = restore_select_text(select, i);
		if (rc > 0 && !glob_is_special(text, strlen(text)))
			return err_set(ERR_NOENT,
			    "'%s' is not in the snapshot; paths are relative "
			    "to the directory that was backed up",
			    text);
		if (rc > 0)
			restore_select_doubt(select, i);
	}
	return restore_select_settle(select);
}
