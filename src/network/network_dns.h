/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns - questions for names, and answers out of a table: RFC 1035, section 4.
 *
 * The table is text, a line for each address: "NETWORK ADDRESS NAME…".  A name is found
 * by itself and as NAME.NETWORK, in any case; an address (PTR) by its first name.
 * Nothing here opens or sends anything.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/buf.h"

#define DNS_NAME_BYTES	 256 /* of a name as text, dots and all, with its end */
#define DNS_HEADER_BYTES 12
#define DNS_UDP_BYTES	 512 /* an answer that everybody takes */

enum dns_code {
	DNS_OK = 0,
	DNS_FORMAT_ERROR = 1,
	DNS_SERVER_FAILURE = 2,
	DNS_NOT_IMPLEMENTED = 4,
	DNS_REFUSED = 5,
};

struct dns_question {
	char name[DNS_NAME_BYTES]; /* in small letters, without the last dot */
	uint16_t type;
	uint16_t class;
	size_t end; /* of the question in the message */
};

/*
 * Whether somebody asks there.  What does not is not answered, not even with a refusal:
 * two that answer each other's answers never stop, and a sender's address can be made up.
 */
bool dns_asks(const void *message, size_t len);
/* False: not one plain question. */
bool dns_parse(const void *message, size_t len, struct dns_question *out);
/* The answer if @table has one, of at most @limit bytes; false: it does not know. */
bool dns_answer(const char *table, const void *message, const struct dns_question *q,
		size_t limit, unsigned turn, struct buf *out);
/* An answer without any, to a message that has a header. */
void dns_refuse(const void *message, const struct dns_question *q, enum dns_code code,
		struct buf *out);
/*
 * Does @message answer @asked, whose question is @q (RFC 5452, section 9.1)?  An error may
 * come without the question.
 */
bool dns_answers(const void *message, size_t len, const void *asked,
		 const struct dns_question *q);
/* The code of an answer. */
enum dns_code dns_code_of(const void *message);
