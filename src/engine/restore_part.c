#include "engine/restore_part.h"

#include "engine/restore_file.h"
#include "object/bundle.h"

/* The bytes of one piece, as they stand in its object, which is open. */
static int
piece_bytes(const uint8_t **out, const struct restore_piece *p)
{
	const struct object *c = p->object->content;
	size_t len = 0;
	int rc = 0;

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

static void
write_piece(struct restore_file *f, const struct restore_piece *p)
{
	const struct restore_object *o = p->object;
	const uint8_t *bytes = NULL;

	if (o == NULL)
		restore_file_hole(f, p->length);
	else if (o->state == RESTORE_BAD)
		restore_file_damaged(
		    f, o->why != NULL ? o->why : "an object is damaged");
	else if (p->type != o->type)
		restore_file_damaged(f, "an object has two types");
	else if (piece_bytes(&bytes, p) != 0)
		restore_file_doubt(f, err_text());
	else
		restore_file_write(f, bytes, p->length);
}

void
restore_part_write(
    struct restore_job *job, struct restore_part *part, struct hash *hash)
{
	struct restore_file *f = part->file;
	size_t i;

	if (!f->made && !f->bad && !restore_job_stopped(job))
		restore_file_begin(f, part->is_last ? hash : NULL);
	for (i = 0; i < part->npieces && !f->bad; i++) {
		if (restore_job_stopped(job))
			break;
		write_piece(f, &part->pieces[i]);
	}
	if (part->damage != NULL && !f->bad)
		restore_file_damaged(f, part->damage);
}
