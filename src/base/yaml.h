/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml - configuration files of other programs, as JSON trees (yaml.org, version 1.2).
 *
 * One document.  Mappings are objects whose keys are text, sequences are arrays.  Plain scalars
 * are what the core schema makes of them (null, true, 12, 0x1f, 1.5), also those with a tag of
 * YAML's own (!!str 12); all others are strings.
 * Anchors and aliases are followed, merge keys ("<<") and tags of other languages are not known
 * and refused, and so are keys that are there already.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"

/* -ERR_INVALID names the line; -ERR_LIMIT.  *out: new reference, null of an empty document. */
int yaml_parse(const char *data, size_t len, json_t **out, struct error *err);
