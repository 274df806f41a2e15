/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse - small grammars of command lines and files, to the end of the text
 * or not at all.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* Decimal digits only, at most @max. */
bool parse_u64(const char *s, uint64_t max, uint64_t *out);
/* With an optional sign, within int64. */
bool parse_i64(const char *s, int64_t *out);
/* Octal digits only. */
bool parse_octal(const char *s, uint64_t max, uint64_t *out);
/* Bytes with Docker's suffixes b, k, m, g, t (also kb, kib, any case), powers of 1024; decimals
 * allowed. */
bool parse_bytes(const char *s, uint64_t *out);
/* A decimal fraction such as --cpus=1.5, in billionths. */
bool parse_nano(const char *s, int64_t *out);
/* Go's durations: 300ms, 1.5h, 2h45m. */
bool parse_duration(const char *s, int64_t *out_ns);
/* Go's strconv.ParseBool: 1 t T true TRUE True 0 f F false FALSE False. */
bool parse_bool(const char *s, bool *out);

/* Docker's sizes: decimal units, three significant digits, "5.61MB". */
void format_size(uint64_t bytes, struct buf *out);
/* Go's Duration.String(): "1h0m0s", "1.5s", "0s". */
void format_duration(int64_t ns, struct buf *out);
