#include "engine/restore_part.h"

#include "engine/restore_file.h"
#include "object/bundle.h"

/* The bytes of one piece, as they stand in its object. */
static int
piece_bytes(const uint8_t **out, const struct restore_piece *p)
{
	const struct restore_object *o = p->object;
	const struct object *c = o->content;
	size_t len = 0;
	int rc = 0;

	if (o->state == RESTORE_BAD)
		return err_set(ERR_DAMAGED, "%s",
		    o->why != NULL ? o->why : "an object is damaged");
	if (p->type != o->type)
		return err_set(ERR_DAMAGED, "an object has two types");
	if (p->type == OBJECT_BUNDLE) {
		rc = bundle_member(
		    out, &len, p->member, c->payload.data, c->payload.len);
	} else {
		*out = c->payload.data;
		len = c->payload.len;
	}
	if (rc == 0 && len != p->length)
		rc = err_set(ERR_DAMAGED, "a part has another length");
	return rc;
}

void
restore_part_write(
    struct restore_job *job, struct restore_part *part, struct hash *hash)
{
	struct restore_file *f = part->file;
	struct restore_piece *p;
	const uint8_t *bytes;
	size_t i;

	if (!f->made && !f->bad && !restore_job_stopped(job))
		restore_file_begin(f, part->is_last ? hash : NULL);
	for (i = 0; i < part->npieces && !f->bad; i++) {
		if (restore_job_stopped(job))
			break;
		p = &part->pieces[i];
		bytes = NULL;
		if (p->object == NULL)
			restore_file_hole(f, p->length);
		else if (piece_bytes(&bytes, p) != 0)
			restore_file_damaged(f, err_text());
		else
			restore_file_write(f, bytes, p->length);
	}
	if (part->damage != NULL && !f->bad)
		restore_file_damaged(f, part->damage);
}
