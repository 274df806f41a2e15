/* SPDX-License-Identifier: Apache-2.0 */
/* --allow: what a Dockerfile may ask for only if its user says so too. */
#include "build/build.h"

#include "base/mem.h"

#include "base/banned.h"

int build_allow_parse(const char *text, unsigned *allowed, struct error *err)
{
	static const struct {
		const char *name;
		enum build_allow allow;
	} known[] = {
		{"network.host", BUILD_ALLOW_NETWORK_HOST},
		{"security.insecure", BUILD_ALLOW_INSECURE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_eq(text, known[i].name)) {
			*allowed |= known[i].allow;
			return 0;
		}
	error_set(err, ERR_INVALID, "unknown entitlement %s", text);
	error_hint(err, "it is one of network.host, security.insecure");
	return -ERR_INVALID;
}
