#include "cli/version.h"

#include "backend/dir.h"
#include "chunk/prf.h"
#include "cli/cli.h"
#include "hash/hash.h"
#include "store/backend.h"

/* How packs would be written to a store in the current folder. */
static const char *
write_path(void)
{
	struct backend *b;
	const char *text;

	if (backend_dir_open(&b, ".", ".") != 0)
		return "unknown (this folder cannot be written)";
	text = b->ops->write_path(b);
	b->ops->close(b);
	return text;
}

int
version_print(void)
{
	int rc = cli_print("shash %s (formats 1, protocol 1)", VERSION_TEXT);

	if (rc == 0)
		rc = cli_print("blake3: %s, SIMD degree %u", hash_simd_name(),
		    hash_simd_degree());
	if (rc == 0)
		rc = cli_print(
		    "private chunker: %s", prf_path_name(prf_path_best()));
	if (rc == 0)
		rc = cli_print("pack writes here: %s", write_path());
	return rc;
}
