/* SPDX-License-Identifier: Apache-2.0 */
/* resources - limits as the user writes them, checked as Docker checks them. */
#pragma once

#include "base/error.h"
#include "runtime/runtime.h"

int runtime_resources(const struct container_options *o, struct resources_spec *out,
		      struct error *err);
