#include "fault/sim_requests.h"

#include "fault/sim_disk.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Those at which the power went. */
static uint64_t unsent, unheard;
static atomic_uint cut_after; /* requests; they come from several threads */

/* What the linker's --wrap makes of the call. */
CURLcode __wrap_curl_easy_perform(CURL *curl);
CURLcode __real_curl_easy_perform(CURL *curl);

void
sim_requests_cut(unsigned n)
{
	atomic_store(&cut_after, n);
}

static int
is_last(void)
{
	unsigned n = atomic_load(&cut_after);

	while (n > 0 && !atomic_compare_exchange_weak(&cut_after, &n, n - 1))
		continue;
	return n == 1;
}

CURLcode
__wrap_curl_easy_perform(CURL *curl)
{
	int was_off = sim_disk_is_off(), on;
	CURLcode rc;

	if (is_last())
		sim_disk_cut(sim_disk_count() + 1);
	on = sim_disk_step();
	if (on < 0) {
		unsent += !was_off;
		return CURLE_COULDNT_CONNECT;
	}
	rc = __real_curl_easy_perform(curl);
	if (on == 0)
		return rc;
	unheard++;
	return CURLE_RECV_ERROR;
}

void
sim_requests_print(void)
{
	print_message("%" PRIu64 " requests not sent, %" PRIu64
		      " answers lost; ",
	    unsent, unheard);
}
