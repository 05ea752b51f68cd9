#ifndef HS_PROTO_FAULT_H
#define HS_PROTO_FAULT_H

/*
 * Error answers: {"error": word, "text": words for a person}.  The word says
 * which ERR_* code the client's call returns; docs/protocol.md 6.
 */

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

#define FAULT_TEXT_MAX 512 /* bytes of the text that is sent */

/*
 * Two causes that only the server knows.  They are no ERR_* codes: the client
 * gets ERR_FAIL for the first and, since the request was spoilt on its way,
 * ERR_UNREACHABLE for the second.
 */
#define FAULT_MALFORMED (-100)
#define FAULT_UNAUTHENTICATED (-101)

/* HTTP status of an error answer for `code` (negative). */
unsigned fault_status(int code);

/* Append the JSON of an error answer.  `text` is cut to FAULT_TEXT_MAX. */
int fault_encode(struct buf *out, int code, const char *text);

/*
 * Read an error answer and set the thread's message to its text.  Returns the
 * ERR_* code it stands for, always negative; ERR_UNREACHABLE when these bytes
 * are no error answer.
 */
int fault_decode(const uint8_t *p, size_t len);

#endif
