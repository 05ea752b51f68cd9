#ifndef HS_ENGINE_RESTORE_PART_H
#define HS_ENGINE_RESTORE_PART_H

#include "engine/restore_job.h"
#include "engine/restore_window.h"

/*
 * Write a part whose objects have arrived, and whose turn it is, to its file.
 * `hash` is for a file that has no other part; it stays until the file is
 * finished.  Errors are told and counted.
 */
void restore_part_write(
    struct restore_job *job, struct restore_part *part, struct hash *hash);

#endif
