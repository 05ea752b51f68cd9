#ifndef HS_ENGINE_OWNERS_H
#define HS_ENGINE_OWNERS_H

/*
 * Names of users and groups.  The system's answer may take a request over
 * the network, so each is asked for once.
 *
 * Thread use: any.
 */

#include <stddef.h>
#include <stdint.h>

struct owners;

struct owners_name {
	uint8_t len; /* 0: unknown */
	char text[255];
};

int owners_new(struct owners **out);
void owners_free(struct owners *o); /* NULL is fine */
/* Never NULL; lives as long as `o`. */
const struct owners_name *owners_user(struct owners *o, uint32_t uid);
const struct owners_name *owners_group(struct owners *o, uint32_t gid);

#endif
