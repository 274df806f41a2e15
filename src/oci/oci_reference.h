/* SPDX-License-Identifier: Apache-2.0 */
/* oci_reference - what reference*.c share. */
#pragma once

#include "base/error.h"

#define REFERENCE_TAG_MAX 128

/* Gives the error of @text, which is no reference, the hint that says where. */
void reference_hint(const char *text, struct error *err);
