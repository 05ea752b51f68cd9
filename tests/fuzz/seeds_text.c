/* Seeds that can be written down. */

#include "fuzz/seeds.h"

#include <stdint.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define ZERO_HEX "00000000000000000000000000000000"
#define KEY_HEX ZERO_HEX ZERO_HEX
#define HEADER \
	"\"format\":1,\"vault\":\"" ZERO_HEX "\",\"chunker\":1," \
	"\"chunk_average\":2097152,\"chunk_min\":524288," \
	"\"chunk_max\":8388608,\"epoch\":0,\"links\":\"\"," \
	"\"join_public\":\"" KEY_HEX "\",\"reserved\":\"" KEY_HEX "\"," \
	"\"mac\":\"" KEY_HEX "\""

struct text {
	const char *target;
	uint8_t which;
	const char *text;
};

static const struct text texts[] = {
    {"words", 0, "latest"},
    {"words", 0, "@4"},
    {"words", 0, "@123456789012345678"},
    {"words", 0, "X00000000abcdef01"},
    {"words", 0, "abcdef0123456789"},
    {"words", 0, "00000000ABCDEF03"},
    {"words", 1, "1h30m"},
    {"words", 1, "36525d"},
    {"words", 1, "2w3d4s"},
    {"words", 1, "0"},
    {"words", 2, "123e4567-e89b-42d3-a456-426614174000"},
    {"words", 3, "http://localhost:7532/"},
    {"words", 3, "https://user@[fe80::1%25eth0]:443/a/b//"},
    {"words", 3, "HTTP://backup-host:99999/?q#f"},
    {"server", 0, "GET /v1/hello HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"server", 0,
	"POST /v1/register HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"},
    {"server", 0,
	"POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
	"GET /v1/hello HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"server", 0,
	"POST /v1/have HTTP/1.1\r\nHost: a\r\nContent-Length: 36\r\n"
	"X-Hashstore-Session: " ZERO_HEX "\r\nX-Hashstore-Number: 12\r\n"
	"\r\n" ZERO_HEX "0000"},
    {"server", 0,
	"PUT /v1/../hello?a=b%00 HTTP/1.0\r\nTransfer-Encoding: chunked\r\n"
	"Content-Length: 00000000000000000000003\r\n\r\n1\r\na\r\n0\r\n\r\n"},
    {"server", 0, "GET"},
    {"server", 1, "status\n"},
    {"server", 1, "sessions\n"},
    {"server", 1, "verify\n"},
    {"server", 1, "reindex\n"},
    {"server", 1, "sweep 3\n"},
    {"server", 1, "prune dry\n"},
    {"server", 1, "unprune " ZERO_HEX " 18446744073709551615\n"},
    {"server", 1, "a line of more than it takes: " KEY_HEX KEY_HEX "\n"},
    {"answer", 0, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"},
    {"answer", 0,
	"HTTP/1.1 409 Conflict\r\nX-Hashstore-Proof: " KEY_HEX KEY_HEX "\r\n"
	"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"},
    {"answer", 0, "HTTP/1.1 301 Away\r\nLocation: /v1/hello\r\n\r\n"},
    {"answer", 0, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx"},
    {"answer", 0, "no HTTP"},
    {"answer", 1, "snapshot\t" ZERO_HEX "\t7\t5\t100\t0\t1\t0\ndone\n"},
    {"answer", 1, "failed\t-9\tno luck\n"},
    {"answer", 2, "swept\t1\t2\t3\t4\t5\t6\t7\t8\t9\t10\t11\t12\ndone\n"},
    {"answer", 2, "failed\t-9\tno\tluck\n"},
    {"answer", 3,
	"progress\t1\t2\nfinding\tx\ty\naccount\t3\nvault\t1\t2\t3\t4\t5\n"
	"done\n"},
    {"answer", 4, "failed\t-9\tno luck\ndone\n"},
    {"answer", 5, "running 7532\n"},
    {"recovery", 0,
	"0000-0000-0000-0000-0000-0000-0000-0000-0000-0000-0000-0000-"
	"0000-0000"},
    {"recovery", 0, "oOiI lL01 ABCD EFGH JKMN PQRS TVWX YZ23"},
    {"recovery", 1, "a master key, as long as it is, and how it is typed"},
    {"text", 0, "{\"a\":[\"x\",1,{\"b\":null}],\"c\":\"\\u00e9\"}"},
    {"text", 0, "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}"},
    {"text", 0, "{\"a\":\"00ff10aB\",\"b\":-2,\"c\":true}"},
    {"text", 0, "{\"a\":2}"},
    {"text", 0, "{\"a\":false}"},
    {"text", 1, "na\xc3\xafve \xff\xfe name"},
    {"text", 1, "\xf0\x9f\x98\x80 \xed\xa0\x80 \xc0\xaf"},
    {"text", 2, "\x40 red \x1b[31m \xe2\x80\xae \xc2\x9b \\ \x7f"},
    {"text", 2, "\xff a long name, cut or not \xf0\x9f\x98\x80"},
    {"text", 3, "00ffAbCd"},
    {"store_state", 0, "{" HEADER "}"},
    {"store_state", 128, "{" HEADER ",\"checksum\":\"" KEY_HEX "\"}"},
    {"store_state", 1,
	"{\"created_ns\":1,\"header\":{" HEADER "},\"label\":\"home\","
	"\"public_key\":\"" KEY_HEX "\",\"vault\":\"" ZERO_HEX "\"}"},
    {"store_state", 2,
	"{\"created_ns\":-1,\"header\":{" HEADER "},\"label\":\"home\","
	"\"public_key\":\"" KEY_HEX "\",\"vault\":\"" ZERO_HEX "\"}"},
    {"store_state", 3,
	"{\"format\":1,\"product\":\"hashstore\",\"store\":\"" KEY_HEX "\"}"},
    {"store_state", 3,
	"{\"format\":2,\"product\":\"hashstore\",\"store\":\"" KEY_HEX "\"}"},
    {"store_state", 4,
	"{\"client_key\":\"" KEY_HEX
	"\",\"expires_ns\":1,\"server_key\":\"" KEY_HEX "\",\"time_ns\":1}"},
    {"store_state", 4,
	"{\"client_key\":\"" KEY_HEX "\",\"server_key\":\"" KEY_HEX
	"\",\"time_ns\":1,\"used_by\":\"" KEY_HEX "\"}"},
    {"store_state", 5, "thirty-two bytes of a generation"},
    {"small_files", 0,
	"{\"daily\":7,\"floor_days\":30,\"grace_days\":14,\"hourly\":0,"
	"\"last\":3,\"monthly\":12,\"weekly\":4,\"within_s\":86400,"
	"\"yearly\":1}"},
    {"small_files", 0, "{\"grace_days\":-1,\"last\":4294967296}"},
    {"small_files", 1, "{\"last\":3,\"within_s\":0}"},
    {"small_files", 2,
	"{\"boot\":\"01234567-89ab-cdef-0123-456789abcdef\",\"mono_ns\":1,"
	"\"store_ns\":2,\"wall_ns\":3}"},
    {"small_files", 2,
	"{\"boot\":\"\",\"mono_ns\":0,\"store_ns\":9223372036854775807,"
	"\"wall_ns\":0}"},
    {"small_files", 3, "a store's key is of thirty-two b"},
    {"small_files", 4, "packs/00\npacks/00/x\nstate"},
    {"small_files", 5, "eight + an index and thirty-two of BLAKE"},
    {"small_files", 6, "01234567-89ab-cdef-0123-456789abcdef"},
    {"client_state", 0,
	"{\"format\":1,\"label\":\"home\",\"mount\":\"" ZERO_HEX
	"\",\"store\":\"" KEY_HEX "\",\"url\":\"http://localhost:1\","
	"\"vault\":\"" ZERO_HEX "\"}"},
    {"client_state", 0, "{\"format\":2}"},
    {"client_state", 1, KEY_HEX "\n"},
    {"client_state", 2, KEY_HEX},
    {"client_state", 3,
	"{\"bytes\":3,\"client_seq\":1,\"files\":2,\"key\":\"" KEY_HEX
	"\",\"receive_ns\":-1,\"server_seq\":4,\"snapshot\":\"" KEY_HEX "\"}"},
    {"client_state", 3, "{\"client_seq\":1,\"snapshot\":\"" KEY_HEX "\"}"},
    {"client_state", 4,
	"{\"format\":1,\"master\":\"" KEY_HEX
	"\",\"stores\":[{\"key\":\"" KEY_HEX "\"}]}"},
};

/* Words and paths: bytes with NUL among them. */
struct bytes {
	const char *target;
	const char *p;
	size_t len;
};
#define BYTES(target, text) \
	{ \
		target, text, sizeof(text) - 1 \
	}

static const struct bytes bytes[] = {
    BYTES("args", "--dry-run\0--dir\0/home\0--level=3\0a\0--\0-b"),
    BYTES("args", "--exclude\0*.o\0--exclude=x\0--retry\0"
		  "1h30m\0-qv"),
    BYTES("args", "--json\0--quite\0--leven\0-x\0c\0d\0e\0f"),
    BYTES("args", "--retry=7d\0--verbose\0--level\0-5"),
    BYTES("names", "snapshots/" ZERO_HEX "/0000000001.snap\0"
		   "snapshots/" ZERO_HEX "/0000000000.snap\0"
		   "retired/" ZERO_HEX "/9999999999.tomb\0"
		   "state/damage." KEY_HEX ".0000ffff\0"
		   "state/damage." KEY_HEX ".0000FFFF\0"
		   "state/generation.0000000007\0state/generation.7"),
    BYTES("names", "packs/00/" KEY_HEX ".pack\0packs/01/" KEY_HEX
		   ".pack\0/v1/hello\0/v1/hello/"),
    BYTES("names", "home\0abcdef01\0abcdef0103\0ABCDEF01\0" ZERO_HEX),
    BYTES("paths", "\2\0a/b\0src/main.c\0src/main.c"),
    BYTES("paths", "\2\2a/./b//\0src/*.[ch]\0src/main.c"),
    BYTES("paths", "\3\7**/x\0a/**\0[[:alpha:]]?\\*/z\0a/b/x"),
    BYTES("paths", "\1\0.\0a"),
    BYTES("paths", "\0\0a"),
    BYTES("paths", "\2\1../x\0/y\0a"),
};

void
seeds_text(void)
{
	size_t i;

	for (i = 0; i < COUNT(texts); i++)
		seeds_put(texts[i].target, &texts[i].which, 1, texts[i].text,
		    strlen(texts[i].text));
	for (i = 0; i < COUNT(bytes); i++)
		seeds_put(bytes[i].target, "", 0, bytes[i].p, bytes[i].len);
}
