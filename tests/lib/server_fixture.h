#ifndef HS_TESTS_SERVER_FIXTURE_H
#define HS_TESTS_SERVER_FIXTURE_H

/*
 * A server in this process on a free port of 127.0.0.1, over a store folder
 * of its own and a made-up store behind it.  Failures fail the test.
 */

#include "client/register.h"
#include "client/remote.h"
#include "lib/stub_store.h"
#include "net/http_server.h"
#include "server/dispatch.h"

struct server_fixture {
	char *dir;
	char url[64];
	uint16_t port;
	struct stub_world world;
	struct account *account;
	struct sessions *sessions;
	struct dispatch dispatch;
	struct http_server *http;
};

/* One try, short waits. */
extern const struct channel_policy server_fixture_policy;

void server_fixture_start(struct server_fixture *f, int insecure);
void server_fixture_start_with(
    struct server_fixture *f, int insecure, const struct sessions_limits *l);
/* The server ends, the folder and the world stay. */
void server_fixture_down(struct server_fixture *f);
/* ... and up again, on a new port. */
void server_fixture_up(
    struct server_fixture *f, int insecure, const struct sessions_limits *l);
void server_fixture_stop(struct server_fixture *f);

/* A vault header with the join key of `seed`. */
void server_fixture_header(
    struct header *h, const uint8_t join_seed[32], uint8_t number);
/* Options of a registration of mount `number` in vault `number`. */
void server_fixture_register_options(struct register_options *o,
    const struct server_fixture *f, const char *invitation, uint8_t number);
/* Invite, register mount `number`; what is needed to log in. */
void server_fixture_mount(
    struct remote_options *o, struct server_fixture *f, uint8_t number);

#endif
