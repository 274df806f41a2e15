/* SPDX-License-Identifier: Apache-2.0 */
/* Which character of a text is why it is no reference: for the hint of the error. */
#include <ctype.h>
#include <string.h>

#include "oci/oci_reference.h"

#include "base/banned.h"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@"
#define TAG_CHARACTERS	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Characters, not bytes, and from one; the character as it was written. */
static void point(const char *text, size_t at, const char *why, struct error *err)
{
	size_t number = 1, len = 1;

	for (size_t i = 0; i < at; i++)
		number += ((unsigned char)text[i] & 0xc0) != 0x80;
	while (text[at] && ((unsigned char)text[at + len] & 0xc0) == 0x80)
		len++;
	if (text[at])
		error_hint(err, "character %zu, \"%.*s\", %s", number, (int)len, text + at,
			   why);
	else
		error_hint(err, "behind character %zu something is missing", number - 1);
}

/* The first character that the component at @from cannot go on with; NULL: it is one. */
static const char *bad_in_component(const char *from, size_t n)
{
	const char *end = from + n, *at = from;

	while (at < end) {
		const char *separator;

		if (!is_word(*at))
			return at;
		while (at < end && is_word(*at))
			at++;
		if (at == end)
			return NULL;
		separator = at;
		if (*at == '-')
			at += strspn(at, "-");
		else if (*at != '.' && *at != '_')
			return at;
		else
			at += *at == '_' && at[1] == '_' ? 2 : 1;
		/* it is the separator that nothing follows */
		if (at >= end)
			return separator;
	}
	return from;
}

static bool hint_path(const char *text, const char *from, const char *end, struct error *err)
{
	while (from <= end) {
		const char *slash = memchr(from, '/', (size_t)(end - from));
		const char *stop = slash ? slash : end;
		const char *bad = bad_in_component(from, (size_t)(stop - from));

		if (bad) {
			point(text, (size_t)(bad - text),
			      "cannot be there: parts of a name begin and end with a "
			      "lower-case "
			      "letter or digit",
			      err);
			return true;
		}
		from = stop + 1;
	}
	return false;
}

static bool hint_tag(const char *text, const char *tag, size_t n, struct error *err)
{
	size_t good = strspn(tag, TAG_CHARACTERS);

	if (!n)
		error_hint(err, "behind the colon at the end a tag is missing");
	else if (*tag == '.' || *tag == '-')
		point(text, (size_t)(tag - text), "cannot begin a tag", err);
	else if (good < n)
		point(text, (size_t)(tag - text) + good, "cannot be in a tag", err);
	else if (n > REFERENCE_TAG_MAX)
		error_hint(err, "the tag has %zu characters, at most %d are allowed", n,
			   REFERENCE_TAG_MAX);
	else
		return false;
	return true;
}

static bool has_host(const char *text, size_t n)
{
	return memchr(text, '.', n) || memchr(text, ':', n);
}

void reference_hint(const char *text, struct error *err)
{
	size_t good = strspn(text, NAME_CHARACTERS "[]"), len = strcspn(text, "@");
	const char *slash = memchr(text, '/', len), *colon = NULL;
	const char *name = text;

	if (!*text) {
		error_hint(err, "the name is empty");
		return;
	}
	if (text[good]) {
		point(text, good, "cannot be in the name of an image", err);
		return;
	}
	for (const char *c = text; c < text + len; c++)
		colon = *c == ':' ? c : *c == '/' ? NULL : colon;
	if (colon && hint_tag(text, colon + 1, (size_t)(text + len - colon - 1), err))
		return;
	if (slash && has_host(text, (size_t)(slash - text)))
		name = slash + 1;
	if (hint_path(text, name, colon ? colon : text + len, err))
		return;
	if (text[len])
		point(text, len + 1,
		      "begins no digest: that is sha256: and 64 hexadecimal digits", err);
}
