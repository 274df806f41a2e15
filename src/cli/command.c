/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_command.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli_error.h"
#include "cli/cli_template.h"

#include "base/json.h"
#include "base/mem.h"

#include "base/banned.h"

/* The Docker command leaves with this when a template cannot be read. */
#define EXIT_TEMPLATE 64

const char cli_help_list_format[] =
	"Format output using a custom template:\n"
	"'table':            Print output in table format with column headers (default)\n"
	"'table TEMPLATE':   Print output in table format using the given Go template\n"
	"'json':             Print in JSON format\n"
	"'TEMPLATE':         Print output using the given Go template";

const char cli_help_format[] = "Format output using a custom template:\n"
			       "'json':             Print in JSON format\n"
			       "'TEMPLATE':         Print output using the given Go template";

const char *cli_root(const struct cli_invocation *inv)
{
	const struct cli_globals *g = inv->globals;

	return str_empty(g->root) ? NULL : g->root;
}

bool cli_open_engine(const struct cli_invocation *inv, struct engine **out)
{
	AUTO(error) struct error err = ERROR_INIT;

	if (engine_open(cli_root(inv), out, &err) == 0)
		return true;
	cli_error_print(inv->program->err, inv->program->name, &err);
	return false;
}

struct engine *cli_engine_for_registry(const struct cli_invocation *inv)
{
	return engine_for_registry(cli_root(inv));
}

int cli_fail(const struct cli_invocation *inv, const struct error *err)
{
	bool template = str_starts(err->message ? err->message : "", "template parsing error");

	fflush(inv->program->out);
	cli_error_print(inv->program->err, template ? NULL : inv->program->name, err);
	return err->exit_code ? err->exit_code : CLI_EXIT_ERROR;
}

int cli_fail_run(const struct cli_invocation *inv, const struct error *err)
{
	fflush(inv->program->out);
	cli_error_print(inv->program->err, inv->program->name, err);
	fprintf(inv->program->err, "\nRun '%s %s --help' for more information\n",
		inv->program->name, inv->name);
	return err->exit_code ? err->exit_code : CLI_EXIT_USAGE;
}

void cli_print(const struct cli_invocation *inv, const struct buf *text)
{
	fwrite(buf_str(text), 1, text->len, inv->program->out);
}

int cli_print_format(const struct cli_invocation *inv, const char *format,
		     const json_t *document)
{
	AUTO(cli_template) struct cli_template *t = NULL;
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(free) char *plain = cli_template_unescape(format);

	if (str_eq(format, "json")) {
		json_text(document, &text);
	} else if (cli_template_parse(plain, &t, &err) < 0) {
		fprintf(inv->program->err, "%s\n", err.message);
		return EXIT_TEMPLATE;
	} else if (cli_template_execute(t, document, NULL, &text, &err) < 0) {
		fprintf(inv->program->err, "%s\n", err.message);
		return CLI_EXIT_ERROR;
	}
	buf_addch(&text, '\n');
	cli_print(inv, &text);
	return 0;
}

bool cli_confirm(const struct cli_invocation *inv, const char *question)
{
	char line[64];

	fprintf(inv->program->out, "%s [y/N] ", question);
	fflush(inv->program->out);
	if (!fgets(line, sizeof(line), stdin))
		return false;
	line[strcspn(line, "\r\n")] = '\0';
	return str_ieq(line, "y") || str_ieq(line, "yes");
}

bool cli_is_address(const char *text)
{
	struct in6_addr address;

	return inet_pton(AF_INET, text, &address) == 1 ||
	       inet_pton(AF_INET6, text, &address) == 1;
}

int cli_add_host(const char *text, struct strlist *out, struct error *err)
{
	const char *split = strpbrk(text, "=:"), *value = split ? split + 1 : "";
	size_t len = strlen(value);
	AUTO(free) char *address = NULL;

	if (!split || split == text || !len)
		return error_set(err, ERR_INVALID, "bad format for add-host: \"%s\"", text);
	if (value[0] == '[' && value[len - 1] == ']')
		address = mem_strndup(value + 1, len - 2);
	else
		address = mem_strdup(value);
	if (!str_eq(address, "host-gateway") && !cli_is_address(address))
		return error_set(err, ERR_INVALID, "invalid IP address in add-host: \"%s\"",
				 value);
	strlist_printf(out, "%.*s:%s", (int)(split - text), text, address);
	return 0;
}

int cli_parse_filter(const char *text, char **out_key, const char **out_value,
		     struct error *err)
{
	const char *eq = strchr(text, '=');
	AUTO(free) char *key = NULL;

	if (!eq)
		return error_set(err, ERR_INVALID,
				 "bad format of filter (expected name=value)");
	key = mem_strndup(text, (size_t)(eq - text));
	*out_key = str_lower(key);
	*out_value = eq + 1;
	return 0;
}
