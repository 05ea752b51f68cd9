#ifndef HS_BACKEND_DIR_H
#define HS_BACKEND_DIR_H

/*
 * The backend that keeps a vault's objects as files below a directory, with
 * the names of store/backend.h as paths.
 *
 * A put, in this order; each step's result is checked before the next:
 *  1. a file of its own in the incoming folder, which nobody else reads;
 *  2. all bytes: in large aligned pieces past the page cache where the file
 *     system allows it, what is left behind the last piece through it;
 *  3. every new directory on the way to the name, each one's parent synced;
 *  4. fdatasync of the file, close;
 *  5. rename to the name, which never replaces;
 *  6. fsync of the directory.
 * After 5 the object is visible, after 6 it survives a power cut and the put
 * is acknowledged.  A failed sync is fail-stop: its object and all puts under
 * way are taken back, and the backend refuses every later change until it is
 * opened anew, because the kernel may have forgotten what it could not write.
 * What was under way is told by unsure() (backend/unsure.h) until somebody has
 * read it from the device.  No room for an object's own data at step 4
 * concerns that object alone.
 *
 * list() syncs each directory before it tells its content, so what a process
 * left between steps 5 and 6 is durable as soon as anybody knows of it; where
 * that sync fails it is told to those who read, and nothing is changed any
 * more.
 */

struct backend;

/*
 * Keep objects below `vault_dir`; files under way lie in `incoming_dir`, on
 * the same file system, whose owner empties it at start.  Both exist.  The
 * caller holds the store's lock.
 * Returns 0 and a backend to end with ops->close(); ERR_IO; ERR_NOMEM.
 */
int backend_dir_open(
    struct backend **out, const char *vault_dir, const char *incoming_dir);

#endif
