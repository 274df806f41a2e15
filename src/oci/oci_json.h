/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci_json - writes a document piece by piece, in exactly the order of the
 * calls, with Go's escapes.  A jansson tree would lose BuildKit's escapes and
 * cost an allocation for each member.
 *
 * Also the readers that all decoders share.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/strlist.h"

struct json_writer {
	struct buf *out;
	bool comma; /* the next member or element needs one in front */
};

#define JSON_WRITER(buf) ((struct json_writer){.out = (buf)})

void json_write_open(struct json_writer *w, char bracket);
void json_write_close(struct json_writer *w, char bracket);
void json_write_key(struct json_writer *w, const char *key);
void json_write_string(struct json_writer *w, const char *s);
void json_write_i64(struct json_writer *w, int64_t v);
void json_write_u64(struct json_writer *w, uint64_t v);
void json_write_bool(struct json_writer *w, bool v);
void json_write_strings(struct json_writer *w, const struct strlist *l);

/* Members; those called opt are left out when the value is empty. */
void json_member_string(struct json_writer *w, const char *key, const char *s);
void json_member_opt(struct json_writer *w, const char *key, const char *s);
void json_member_i64(struct json_writer *w, const char *key, int64_t v);
void json_member_i64_opt(struct json_writer *w, const char *key, int64_t v);
void json_member_u64(struct json_writer *w, const char *key, uint64_t v);
void json_member_bool(struct json_writer *w, const char *key, bool v);
void json_member_true_opt(struct json_writer *w, const char *key, bool v);
void json_member_digest(struct json_writer *w, const char *key, const struct digest *d);
void json_member_time(struct json_writer *w, const char *key, int64_t ns);
void json_member_strings(struct json_writer *w, const char *key, const struct strlist *l);
void json_member_strings_opt(struct json_writer *w, const char *key, const struct strlist *l);
/* Strings by name, sorted by name; left out when empty. */
void json_member_map_opt(struct json_writer *w, const char *key, const struct map *m);
/* Go's map[string]struct{}, sorted; left out when empty. */
void json_member_set_opt(struct json_writer *w, const char *key, const struct strlist *set);

/* An object of strings into @out, whose values are owned; a null value counts as "". */
int json_read_map(const json_t *obj, const char *key, struct map *out, struct error *err);
/* The keys of an object, sorted. */
int json_read_set(const json_t *obj, const char *key, struct strlist *out, struct error *err);
/* "sha256:…"; @out_has false when absent or empty. */
int json_read_digest(const json_t *obj, const char *key, struct digest *out, bool *out_has,
		     struct error *err);
int json_read_time(const json_t *obj, const char *key, int64_t *out, bool *out_has,
		   struct error *err);
/* Parses and demands an object at the top; @what names the document in messages. */
int json_read_document(const char *data, size_t len, const char *what, json_t **out,
		       struct error *err);
/*
 * The same for the runtime specification, whose numbers are 64 bits wide without a sign:
 * UINT64_MAX ("unlimited"), which jansson cannot hold, arrives as -1.  json_read_wide() reads
 * such a member.
 */
int json_read_wide_document(const char *data, size_t len, const char *what, json_t **out,
			    struct error *err);
int json_read_wide(const json_t *obj, const char *key, uint64_t *out, struct error *err);
/* The elements of @array must be objects. */
int json_read_element(const json_t *array, size_t i, const char *key, json_t **out,
		      struct error *err);

/* Copies a map of owned strings into a fresh one. */
void map_copy_strings(const struct map *from, struct map *to);

static inline char *dup_or_null(const char *s)
{
	return s ? mem_strdup(s) : NULL;
}
