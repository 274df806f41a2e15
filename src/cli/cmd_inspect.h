/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_inspect - the forms of an inspected image. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"

/* What a template sees of the image that inspect prints as @image. New reference. */
json_t *inspect_image_typed(const json_t *image);
bool inspect_is_image(const json_t *object);
/* A list of objects as JSON; images have Go's escapes of < > &. */
void inspect_array_text(const json_t *array, bool pretty, struct buf *out);
