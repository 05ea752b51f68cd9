#include "cli/mode.h"

#include "base/log.h"

struct mode mode;

const struct args_option mode_options[] = {
    {"json", ARGS_FLAG, &mode.json, NULL, "print JSON, one object per line", 0,
	0},
    {"quiet", ARGS_FLAG, &mode.quiet, NULL, "say only what went wrong", 0, 0},
    {"verbose", ARGS_FLAG, &mode.verbose, NULL, "say more", 0, 0},
    {NULL, ARGS_FLAG, NULL, NULL, NULL, 0, 0}};

void
mode_apply(void)
{
	log_set_verbose(mode.verbose ? 1 : mode.quiet ? -1 : 0);
}
