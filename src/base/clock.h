/* SPDX-License-Identifier: Apache-2.0 */
/* clock - points in time as nanoseconds since 1970 (UTC), and their RFC 3339 text. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

int64_t clock_now_ns(void); /* CLOCK_REALTIME */
int64_t clock_monotonic_ns(void);
/* "2026-11-21T06:01:25.123456789Z", trailing zeros of the fraction dropped as Go does. */
void clock_format(int64_t ns, struct buf *out);
/* Accepts a fraction of up to nine digits, "Z" or an offset. */
bool clock_parse(const char *text, int64_t *out_ns);
/* "3 weeks", "About an hour", "Less than a second": Docker's words, without "ago". */
void clock_format_span(int64_t span_ns, struct buf *out);
