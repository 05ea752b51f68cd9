#ifndef HS_TESTS_SAME_TREE_H
#define HS_TESTS_SAME_TREE_H

/*
 * Compare two trees by what the file system says of them: kinds, modes, times,
 * sizes, contents, holes of whole blocks, targets, links, xattrs.
 */

/*
 * NULL: everything in `is` is as in `want`, and with `whole` nothing is
 * missing.  Else a text that lives until the next call.  `.shamo` does not
 * count, nor, without `whole`, what a folder says of itself.
 */
const char *same_tree(const char *want, const char *is, int whole);

#endif
