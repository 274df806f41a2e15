/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quick reader of JSON.  Law: what it accepts, jansson accepts, and both mean the same,
 * to the order of the members.
 */
#include "fuzz.h"

#include "base/json.h"

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(json) json_t *quick = json_read_plain((const char *)data, size);
	AUTO(json) json_t *slow = NULL;
	AUTO(buf) struct buf a = BUF_INIT;
	AUTO(buf) struct buf b = BUF_INIT;

	if (!quick)
		return 0;
	slow = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	demand(slow != NULL);
	json_text(quick, &a);
	json_text(slow, &b);
	demand(str_eq(buf_str(&a), buf_str(&b)));
	return 0;
}
