/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration files.  Laws: a failure names a line that there is and leaves nothing behind;
 * what is accepted is an object that jansson can write, and is the same without the last
 * line end.
 */
#include <jansson.h>
#include <stdlib.h>

#include "base/toml.h"
#include "fuzz.h"

#include "base/banned.h"

static unsigned lines_of(const char *data, size_t size)
{
	unsigned n = 1;

	for (size_t i = 0; i < size; i++)
		n += data[i] == '\n';
	return n;
}

static void check_error(const struct error *err, const char *data, size_t size)
{
	unsigned long line;

	demand(err->code == ERR_INVALID && str_starts(err->message, "line "));
	line = strtoul(err->message + 5, NULL, 10);
	demand(line >= 1 && line <= lines_of(data, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(free) char *text = mem_strndup((const char *)data, size);
	AUTO(error) struct error err = ERROR_INIT;
	json_t *tree = NULL, *again = NULL;
	char *written;

	if (toml_parse((const char *)data, size, &tree, &err) < 0) {
		demand(!tree);
		check_error(&err, (const char *)data, size);
		return 0;
	}
	demand(json_is_object(tree));
	written = json_dumps(tree, 0);
	demand(written != NULL);
	if (size && text[size - 1] == '\n' && (size < 2 || text[size - 2] != '\r')) {
		demand(toml_parse(text, size - 1, &again, NULL) == 0);
		demand(json_equal(tree, again));
	}
	free(written);
	json_decref(tree);
	json_decref(again);
	return 0;
}
