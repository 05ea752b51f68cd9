#include "cli/choose.h"

#include "base/log.h"
#include "engine/chooser.h"

#include <stdio.h>

int
choose_new(struct chooser **out, const struct choose *c)
{
	const struct chooser_options o = {.exclude = c->exclude.items,
	    .nexclude = c->exclude.count,
	    .exclude_from = c->exclude_from.items,
	    .nexclude_from = c->exclude_from.count,
	    .one_file_system = c->one_file_system,
	    .exclude_caches = c->exclude_caches};

	return chooser_new(out, &o);
}

void
choose_tell(void *arg, enum walk_news news, const char *path, size_t path_len)
{
	char name[LOG_NAME_MAX];

	(void)arg; /* the shape is the engine's */
	if (path_len >= sizeof(name))
		path_len = sizeof(name) - 1;
	(void)snprintf(name, sizeof(name), "%.*s", (int)path_len, path);
	log_debug("%s: %s", news == WALK_EXCLUDED ? "excluded" : "read", name);
}
