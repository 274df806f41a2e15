/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json - reading untrusted documents and writing canonical ones, on jansson.
 *
 * Reading refuses duplicate keys, trailing bytes, bad UTF-8 and nesting
 * beyond LIMIT_JSON_DEPTH.  A document that has a digest is never written
 * again: keep its bytes beside the tree.  Writing keeps insertion order and
 * adds no space, so the same tree gives the same bytes.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/map.h"
#include "base/strlist.h"

/*
 * Seeds the hash tables, once in a process: left alone, the library opens and reads
 * /dev/urandom for four bytes.  json_parse() does it, too.
 */
void json_seed(void);
int json_parse(const char *data, size_t len, json_t **out, struct error *err);
/* json_parse()'s first try: NULL is no judgement. New reference. */
json_t *json_read_plain(const char *data, size_t len);
/* Compact, appended to @out. */
void json_text(const json_t *j, struct buf *out);
/* Indented by four spaces as Docker's inspect prints, no trailing newline. */
void json_pretty(const json_t *j, struct buf *out);
/*
 * Go's json.Indent of a document that json_parse() takes: its own bytes, with line ends and
 * @unit for each level between them.
 */
void json_indent(const char *data, size_t len, const char *unit, struct buf *out);
/* Appends a quoted, escaped string; Go's encoder escapes of < > & are applied if @html. */
void json_quote(const char *s, bool html, struct buf *out);

/*
 * Getters for objects.  A missing key or null leaves *out as it is and
 * returns 0; a value of another type is -ERR_INVALID naming the key.
 */
int json_get_string(const json_t *obj, const char *key, char **out_new, struct error *err);
int json_get_u64(const json_t *obj, const char *key, uint64_t *out, struct error *err);
int json_get_i64(const json_t *obj, const char *key, int64_t *out, struct error *err);
int json_get_bool(const json_t *obj, const char *key, bool *out, struct error *err);
/* Appends; @out_present (may be NULL) tells [] from absent or null. */
int json_get_strings(const json_t *obj, const char *key, struct strlist *out, bool *out_present,
		     struct error *err);
/* Borrowed object or array, NULL if absent or null. */
int json_get_object(const json_t *obj, const char *key, json_t **out, struct error *err);
int json_get_array(const json_t *obj, const char *key, json_t **out, struct error *err);
/* A string of any bytes: what is no UTF-8 becomes U+FFFD.  New reference. */
json_t *json_lossy_string(const char *s);
/* Those of the members that are there and not null, in this order.  New reference. */
json_t *json_pick(const json_t *from, const char *const *keys, size_t n);
void json_put_text(json_t *object, const char *key, const char *value);
json_t *json_from_strings(const struct strlist *l);
/* Of strings. */
json_t *json_from_map(const struct map *m);

static inline void json_auto(json_t **j)
{
	json_decref(*j);
}
