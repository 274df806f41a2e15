/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "engine/engine.h"

/*
 * What --attest (several), --sbom and --provenance (NULL: not given) ask for;
 * the later of the three has the word.  -ERR_INVALID names the value.
 */
int cli_build_attest(const struct strlist *attests, const char *sbom, const char *provenance,
		     struct engine_build *req, struct error *err);
