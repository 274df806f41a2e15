/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of images, after the grammar of distribution/reference:
 *
 *   reference  = name [":" tag] ["@" digest]
 *   name       = [domain "/"] component *("/" component)
 *   domain     = host [":" port], host a DNS name, IPv4 or "[" IPv6 "]"
 *   component  = alnum+ *(separator alnum+), separator "." "_" "__" "-"+
 *   tag        = [A-Za-z0-9_] [A-Za-z0-9_.-]{0,127}
 */
#include "oci/oci_reference.h"

#include <ctype.h>
#include <string.h>

#include "oci/oci.h"
#include "oci/oci_json.h"

#include "base/mem.h"
#include "base/banned.h"

#define NAME_LENGTH_MAX 255
#define LEGACY_DOMAIN	"index.docker.io"
#define OFFICIAL_PREFIX "library/"

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

bool reference_tag_valid(const char *tag)
{
	size_t n = strlen(tag);

	if (!n || n > REFERENCE_TAG_MAX || *tag == '.' || *tag == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_alnum(tag[i]) && !strchr("_.-", tag[i]))
			return false;
	return true;
}

/* One label of a host name: alphanumeric at both ends, dashes inside. */
static bool label_valid(const char *s, size_t n)
{
	if (!n || !is_alnum(s[0]) || !is_alnum(s[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_alnum(s[i]) && s[i] != '-')
			return false;
	return true;
}

static bool port_valid(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

static bool domain_valid(const char *domain)
{
	const char *at = domain;

	if (*at == '[') {
		size_t n = strspn(at + 1, "0123456789abcdefABCDEF:");

		if (!n || at[n + 1] != ']')
			return false;
		at += n + 2;
		return !*at || (*at == ':' && port_valid(at + 1));
	}
	for (;;) {
		size_t n = strcspn(at, ".:");

		if (!label_valid(at, n))
			return false;
		at += n;
		if (*at == '.')
			at++;
		else
			return !*at || port_valid(at + 1);
	}
}

static bool component_valid(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t word = i;

		while (i < n && is_lower_alnum(s[i]))
			i++;
		if (i == word)
			return false;
		if (i == n)
			return true;
		if (s[i] == '.') {
			i++;
		} else if (s[i] == '_') {
			i += i + 1 < n && s[i + 1] == '_' ? 2 : 1;
		} else if (s[i] == '-') {
			while (i < n && s[i] == '-')
				i++;
		} else {
			return false;
		}
	}
	return false;
}

static bool path_valid(const char *path)
{
	for (;;) {
		size_t n = strcspn(path, "/");

		if (!component_valid(path, n))
			return false;
		if (!path[n])
			return true;
		path += n + 1;
	}
}

static int invalid(struct error *err)
{
	return error_set(err, ERR_INVALID, "invalid reference format");
}

/* Cuts "@digest" and ":tag" off @rest, which is left as the bare name. */
static int cut_suffixes(char *rest, struct reference *ref, struct error *err)
{
	char *at = strchr(rest, '@');
	char *colon;

	if (at) {
		*at = '\0';
		if (!digest_parse(at + 1, &ref->digest))
			return invalid(err);
		ref->has_digest = true;
	}
	colon = strrchr(rest, ':');
	if (colon && !strchr(colon, '/')) {
		*colon = '\0';
		if (!reference_tag_valid(colon + 1))
			return invalid(err);
		ref->tag = mem_strdup(colon + 1);
	}
	return 0;
}

/* The first component is a host when it looks like one; otherwise the name is Docker Hub's. */
static void split_domain(const char *name, struct reference *ref)
{
	size_t first = strcspn(name, "/");
	bool host = false;

	if (name[first]) {
		bool upper = false;

		for (size_t i = 0; i < first; i++)
			upper |= name[i] >= 'A' && name[i] <= 'Z';
		host = upper || memchr(name, '.', first) || memchr(name, ':', first) ||
		       (first == strlen("localhost") && strncmp(name, "localhost", first) == 0);
	}
	if (host) {
		ref->domain = mem_strndup(name, first);
		name += first + 1;
		if (str_eq(ref->domain, LEGACY_DOMAIN)) {
			free(ref->domain);
			ref->domain = mem_strdup(REFERENCE_DEFAULT_DOMAIN);
		}
	} else {
		ref->domain = mem_strdup(REFERENCE_DEFAULT_DOMAIN);
	}
	if (str_eq(ref->domain, REFERENCE_DEFAULT_DOMAIN) && *name && !strchr(name, '/'))
		ref->path = mem_printf(OFFICIAL_PREFIX "%s", name);
	else
		ref->path = mem_strdup(name);
}

static int parse(const char *text, struct reference *ref, struct error *err)
{
	AUTO(free) char *rest = mem_strdup(text);
	struct digest unused;
	int rc;

	if (digest_parse_hex(text, &unused))
		return error_set(err, ERR_INVALID,
				 "invalid repository name (%s), cannot specify 64-byte "
				 "hexadecimal strings",
				 text);
	rc = cut_suffixes(rest, ref, err);
	if (rc < 0)
		return rc;
	split_domain(rest, ref);
	for (const char *c = ref->path; *c; c++)
		if (*c >= 'A' && *c <= 'Z') {
			error_set(err, ERR_INVALID,
				  "invalid reference format: repository name (%.255s) must be "
				  "lowercase",
				  ref->path);
			return -ERR_INVALID;
		}
	if (!domain_valid(ref->domain) || !path_valid(ref->path))
		return invalid(err);
	if (strlen(ref->path) > NAME_LENGTH_MAX)
		return error_set(err, ERR_INVALID,
				 "repository name must not be more than %d characters",
				 NAME_LENGTH_MAX);
	if (!ref->tag && !ref->has_digest) {
		ref->tag = mem_strdup(REFERENCE_DEFAULT_TAG);
		ref->tag_implied = true;
	}
	return 0;
}

int reference_parse(const char *text, struct reference *out, struct error *err)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	int rc = parse(text, &ref, err);

	if (rc < 0) {
		if (err && str_eq(err->message, "invalid reference format"))
			reference_hint(text, err);
		return rc;
	}
	*out = ref;
	ref = REFERENCE_INIT;
	return 0;
}

static void add_suffixes(const struct reference *ref, struct buf *out)
{
	char digest[DIGEST_TEXT_SIZE];

	if (ref->tag)
		buf_printf(out, ":%s", ref->tag);
	if (ref->has_digest)
		buf_printf(out, "@%s", digest_text(&ref->digest, digest));
}

void reference_normal_name(const struct reference *ref, struct buf *out)
{
	buf_printf(out, "%s/%s", ref->domain, ref->path);
}

void reference_normal(const struct reference *ref, struct buf *out)
{
	reference_normal_name(ref, out);
	add_suffixes(ref, out);
}

void reference_familiar_name(const struct reference *ref, struct buf *out)
{
	const char *path = ref->path;
	size_t prefix = strlen(OFFICIAL_PREFIX);

	if (!str_eq(ref->domain, REFERENCE_DEFAULT_DOMAIN)) {
		reference_normal_name(ref, out);
		return;
	}
	if (str_starts(path, OFFICIAL_PREFIX) && !strchr(path + prefix, '/'))
		path += prefix;
	buf_addstr(out, path);
}

void reference_familiar(const struct reference *ref, struct buf *out)
{
	reference_familiar_name(ref, out);
	add_suffixes(ref, out);
}

void reference_copy(const struct reference *from, struct reference *to)
{
	struct reference copy = *from;

	copy.domain = dup_or_null(from->domain);
	copy.path = dup_or_null(from->path);
	copy.tag = dup_or_null(from->tag);
	*to = copy;
}

void reference_clear(struct reference *ref)
{
	free(ref->domain);
	free(ref->path);
	free(ref->tag);
	*ref = REFERENCE_INIT;
}
