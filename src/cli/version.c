#include "cli/version.h"

#include "chunk/prf.h"
#include "cli/cli.h"
#include "cli/localstore.h"
#include "hash/hash.h"
#include "store/backend.h"

#include <string.h>

static const char *
words_of(const char *write_path)
{
	if (strcmp(write_path, "direct") == 0)
		return "direct, past the page cache";
	return strcmp(write_path, "buffered") == 0
		   ? "buffered, through the page cache"
		   : write_path;
}

int
version_fast_paths(const char *write_path)
{
	int rc = cli_print("hashing    BLAKE3 with %s, %u lanes",
	    hash_simd_name(), hash_simd_degree());

	if (rc == 0)
		rc = cli_print("chunking   %s for the private chunker",
		    prf_path_name(prf_path_best()));
	if (rc == 0 && write_path != NULL)
		rc = cli_print("writing    %s", words_of(write_path));
	return rc;
}

int
version_print(void)
{
	struct backend *b = NULL;
	const char *path = "not possible in this folder";
	int rc = cli_print("shash %s (formats 1, protocol 1)", VERSION_TEXT);

	/* How packs would be written to a store in the current folder. */
	if (localstore_backend(&b, ".", ".") == 0)
		path = b->ops->write_path(b);
	if (rc == 0)
		rc = version_fast_paths(path);
	if (b != NULL)
		b->ops->close(b);
	return rc;
}
