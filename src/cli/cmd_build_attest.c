/* SPDX-License-Identifier: Apache-2.0 */
/* The values of --attest, --sbom and --provenance. */
#include "cli/cmd_build_attest.h"

#include <string.h>

#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

enum wish {
	WISH_NONE = 0,
	WISH_SBOM,
	WISH_PROVENANCE,
};

static int bad(const char *text, const char *why, struct error *err)
{
	return error_set(err, ERR_INVALID, "invalid argument \"%s\": %s", text, why);
}

struct attest {
	enum wish wish;
	bool disabled;
	enum build_provenance mode;
};

static int take_mode(const char *text, const char *mode, struct attest *out, struct error *err)
{
	if (str_eq(mode, "max"))
		out->mode = BUILD_PROVENANCE_MAX;
	else if (str_eq(mode, "min"))
		out->mode = BUILD_PROVENANCE_MIN;
	else
		return bad(text, "mode is min or max", err);
	return 0;
}

/* One "key=value", or "true" and "false" alone. */
static int take_part(const char *text, const char *part, struct attest *out, struct error *err)
{
	const char *eq = strchr(part, '=');
	AUTO(free) char *key = eq ? mem_strndup(part, (size_t)(eq - part)) : NULL;
	bool on;

	if (!eq && parse_bool(part, &on))
		out->disabled = !on;
	else if (str_eq(key, "type") && str_eq(eq + 1, "sbom"))
		out->wish = WISH_SBOM;
	else if (str_eq(key, "type") && str_eq(eq + 1, "provenance"))
		out->wish = WISH_PROVENANCE;
	else if (str_eq(key, "disabled") && parse_bool(eq + 1, &on))
		out->disabled = on;
	else if (str_eq(key, "mode") && out->wish != WISH_SBOM)
		return take_mode(text, eq + 1, out, err);
	else
		return bad(text,
			   "it takes type=sbom or type=provenance, mode= and disabled=", err);
	return 0;
}

static int take(const char *text, enum wish wish, struct engine_build *req, struct error *err)
{
	struct attest a = {.wish = wish, .mode = BUILD_PROVENANCE_MIN};
	AUTO(strlist) struct strlist parts = STRLIST_INIT;

	strlist_split(&parts, text, ',');
	for (size_t i = 0; i < parts.n; i++) {
		int r = take_part(text, parts.items[i], &a, err);

		if (r < 0)
			return r;
	}
	if (a.wish == WISH_NONE)
		return bad(text, "attestation type not specified", err);
	if (a.wish == WISH_SBOM)
		req->sbom = !a.disabled;
	else
		req->provenance = a.disabled ? BUILD_PROVENANCE_NONE : a.mode;
	return 0;
}

int cli_build_attest(const struct strlist *attests, const char *sbom, const char *provenance,
		     struct engine_build *req, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < attests->n; i++)
		r = take(attests->items[i], WISH_NONE, req, err);
	if (r == 0 && sbom)
		r = take(sbom, WISH_SBOM, req, err);
	if (r == 0 && provenance)
		r = take(provenance, WISH_PROVENANCE, req, err);
	return r;
}
