#include "lib/server_fixture.h"

#include "base/fs.h"
#include "lib/tempdir.h"
#include "server/invitation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

const struct channel_policy server_fixture_policy = {
    .retry = {.for_ms = 0, .pause_ms = 1, .pause_ms_max = 1},
    .connect_ms = 30000,
    .stall_seconds = 30,
    .commit_stall_seconds = 30,
};

void
server_fixture_up(
    struct server_fixture *f, int insecure, const struct sessions_limits *l)
{
	struct http_server_options o = {
	    .listen = "127.0.0.1",
	    .connections_max = 64,
	    .connections_per_address_max = 64,
	    .stall_seconds = 2,
	    .big_bytes = 1u << 20,
	    .big_total = 64u << 20,
	    .streams_max = 8,
	    .accept = dispatch_accept,
	    .handle = dispatch_handle,
	    .arg = &f->dispatch,
	};

	assert_int_equal(
	    account_open(&f->account, f->dir, ACCOUNT_CREATE | ACCOUNT_LOCK),
	    0);
	assert_int_equal(sessions_new(&f->sessions, l), 0);
	dispatch_init(&f->dispatch, f->account, f->sessions, insecure,
	    stub_store_open, &f->world);
	assert_int_equal(http_server_start(&f->http, &o), 0);
	f->port = http_server_port(f->http);
	(void)snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u/",
	    f->port); /* it fits */
}

void
server_fixture_down(struct server_fixture *f)
{
	http_server_stop(f->http);
	sessions_free(f->sessions);
	dispatch_release(&f->dispatch);
	account_close(f->account);
}

void
server_fixture_start_with(
    struct server_fixture *f, int insecure, const struct sessions_limits *l)
{
	memset(f, 0, sizeof(*f));
	assert_int_equal(sign_start(), 0);
	f->dir = tempdir_new();
	stub_world_init(&f->world);
	server_fixture_up(f, insecure, l);
}

void
server_fixture_start(struct server_fixture *f, int insecure)
{
	server_fixture_start_with(f, insecure, &sessions_limits_default);
}

void
server_fixture_stop(struct server_fixture *f)
{
	server_fixture_down(f);
	stub_world_release(&f->world);
	tempdir_free(f->dir);
}

void
server_fixture_header(
    struct header *h, const uint8_t join_seed[32], uint8_t number)
{
	memset(h, 0, sizeof(*h));
	memset(h->vault, number, sizeof(h->vault));
	h->chunker_id = 1;
	h->chunk_average = 256 << 10;
	h->chunk_min = 128 << 10;
	h->chunk_max = 1 << 20;
	sign_public(h->join_public, join_seed);
	memset(h->mac, 0xaa, sizeof(h->mac));
}

void
server_fixture_register_options(struct register_options *o,
    const struct server_fixture *f, const char *invitation, uint8_t number)
{
	memset(o, 0, sizeof(*o));
	o->url = f->url;
	o->invitation = invitation;
	memset(o->mount_seed, number, sizeof(o->mount_seed));
	memset(o->join_seed, number ^ 0x80, sizeof(o->join_seed));
	server_fixture_header(&o->header, o->join_seed, number);
	o->label = "desktop";
	o->mode = ENROLL_NEW;
	o->policy = &server_fixture_policy;
}

void
server_fixture_mount(
    struct remote_options *o, struct server_fixture *f, uint8_t number)
{
	char uuid[ENROLL_UUID_LEN + 1];
	struct register_options ro;
	struct register_result rr;

	assert_int_equal(invitation_make(uuid, f->dir, 0), 0);
	server_fixture_register_options(&ro, f, uuid, number);
	assert_int_equal(register_mount(&rr, &ro), 0);
	memset(o, 0, sizeof(*o));
	o->url = f->url;
	memcpy(o->mount, rr.mount, sizeof(o->mount));
	memcpy(o->mount_seed, ro.mount_seed, sizeof(o->mount_seed));
	memcpy(o->store_public, rr.store_public, sizeof(o->store_public));
	o->policy = &server_fixture_policy;
}
