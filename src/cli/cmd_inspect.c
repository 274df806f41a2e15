/* SPDX-License-Identifier: Apache-2.0 */
/* inspect, image inspect, container inspect: one document for each name. */
#include "cli/cmd_inspect.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli_command.h"
#include "cli/cli_template.h"

#include "base/json.h"
#include "base/mem.h"

#include "base/banned.h"

/* The Docker command leaves with this when a template cannot be read. */
#define EXIT_TEMPLATE 64

enum inspect_type {
	INSPECT_ANY = 0,
	INSPECT_CONTAINER,
	INSPECT_IMAGE,
	INSPECT_VOLUME,
};

struct inspect_options {
	char *format;
	bool size;
	char *type;
	char *platform;
};

static const struct option_def options_any[] = {
	OPTION('f', "format", STRING, inspect_options, format, cli_help_format),
	OPTION('s', "size", BOOL, inspect_options, size,
	       "Display total file sizes if the type is container"),
	OPTION(0, "type", STRING, inspect_options, type,
	       "Only inspect objects of the given type"),
};
static const struct option_def options_container[] = {
	OPTION('f', "format", STRING, inspect_options, format, cli_help_format),
	OPTION('s', "size", BOOL, inspect_options, size, "Display total file sizes"),
};
static const struct option_def options_image[] = {
	OPTION('f', "format", STRING, inspect_options, format, cli_help_format),
	OPTION(0, "platform", STRING, inspect_options, platform,
	       "Inspect a specific platform of the multi-platform image, "
	       "'os[/arch[/variant]]' (eg. linux/amd64)"),
};

static int find_container(struct engine *e, const char *name, bool size, json_t **out,
			  struct error *err)
{
	AUTO(store_container) struct store_container c = {0};
	uint64_t rw = 0, root = 0;
	int r = engine_container(e, name, &c, err);

	if (r == 0 && size)
		r = engine_container_size(e, &c, &rw, &root, err);
	if (r < 0)
		return r;
	*out = engine_inspect_container(e, &c);
	if (!size)
		return 0;
	json_object_set_new(*out, "SizeRw", json_integer((json_int_t)rw));
	json_object_set_new(*out, "SizeRootFs", json_integer((json_int_t)root));
	return 0;
}

static int find_image(struct engine *e, const char *name, const char *platform, json_t **out,
		      struct error *err)
{
	AUTO(image) struct image i = {.config = IMAGE_CONFIG_INIT};
	int r = engine_image(e, name, &i, err);

	if (r == 0)
		r = engine_check_platform(&i, name, platform, err);
	if (r == 0)
		*out = engine_inspect_image(e, &i);
	return r;
}

static int find_volume(struct engine *e, const char *name, json_t **out, struct error *err)
{
	AUTO(store_volume) struct store_volume v = STORE_VOLUME_INIT;
	int r = engine_volume(e, name, &v, err);

	if (r == 0)
		*out = engine_inspect_volume(e, &v);
	return r;
}

static int find(struct engine *e, enum inspect_type type, const char *name,
		const struct inspect_options *o, json_t **out, struct error *err)
{
	int r;

	if (type == INSPECT_CONTAINER)
		return find_container(e, name, o->size, out, err);
	if (type == INSPECT_IMAGE)
		return find_image(e, name, o->platform, out, err);
	if (type == INSPECT_VOLUME)
		return find_volume(e, name, out, err);
	if (!*name)
		return error_set(err, ERR_INVALID,
				 "invalid container name or ID: value is empty");
	r = find_container(e, name, o->size, out, err);
	if (r != -ERR_NOT_FOUND)
		return r;
	error_clear(err);
	r = find_image(e, name, NULL, out, err);
	if (r == -ERR_NOT_FOUND || r == -ERR_INVALID) {
		error_clear(err);
		r = find_volume(e, name, out, err);
	}
	if (r == -ERR_NOT_FOUND) {
		error_clear(err);
		r = error_set(err, ERR_NOT_FOUND, "No such object: %s", name);
	}
	return r;
}

/* An object's text goes out even if a later one fails, as does a line begun by a template. */
static int print_one(const struct cli_invocation *inv, const struct cli_template *t,
		     const json_t *object, struct error *err)
{
	AUTO(json)
	json_t *typed = inspect_is_image(object) ? inspect_image_typed(object) : NULL;
	AUTO(buf) struct buf text = BUF_INIT;
	int r = cli_template_execute(t, typed ? typed : object, NULL, &text, err);

	buf_addch(&text, '\n');
	cli_print(inv, &text);
	return r;
}

static void print_array(const struct cli_invocation *inv, const json_t *array)
{
	const struct inspect_options *o = inv->options;
	AUTO(buf) struct buf text = BUF_INIT;

	inspect_array_text(array, !str_eq(o->format, "json"), &text);
	buf_addch(&text, '\n');
	cli_print(inv, &text);
}

/* "Error: No such object: x" is the command's own finding; the rest is the engine's. */
static void print_error(const struct cli_invocation *inv, enum inspect_type type,
			const struct error *err)
{
	if (type == INSPECT_ANY && err->code == ERR_NOT_FOUND) {
		fflush(inv->program->out);
		fprintf(inv->program->err, "Error: %s\n", err->message);
	} else {
		cli_fail(inv, err);
	}
}

static void note_size(const struct cli_invocation *inv, enum inspect_type type,
		      const json_t *object)
{
	const struct inspect_options *o = inv->options;

	if (type == INSPECT_ANY && o->size && inspect_is_image(object))
		fprintf(inv->program->err, "WARNING: --size ignored for image\n");
}

static int inspect(struct cli_invocation *inv, enum inspect_type type,
		   const struct cli_template *t)
{
	AUTO(engine) struct engine *e = NULL;
	AUTO(json) json_t *found = json_array();
	struct error *errors = mem_zalloc((size_t)inv->argc * sizeof(*errors));
	const struct inspect_options *o = inv->options;
	bool any = false;
	int status = 0;

	if (!cli_open_engine(inv, &e)) {
		free(errors);
		return CLI_EXIT_ERROR;
	}
	/* what a template prints may have to wait for its reader */
	if (!t)
		engine_view_begin(e, NULL);
	for (int i = 0; i < inv->argc; i++) {
		AUTO(json) json_t *object = NULL;

		if (find(e, type, inv->argv[i], o, &object, &errors[i]) < 0)
			continue;
		any = true;
		note_size(inv, type, object);
		if (!t) {
			json_array_append(found, object);
		} else if (print_one(inv, t, object, &errors[i]) < 0) {
			fflush(inv->program->out);
			fprintf(inv->program->err, "%s\n", errors[i].message);
			error_clear(&errors[i]);
			status = CLI_EXIT_ERROR;
			break;
		}
	}
	engine_view_end(e);
	if (!t)
		print_array(inv, found);
	else if (!any)
		fputc('\n', inv->program->out);
	for (int i = 0; i < inv->argc; i++) {
		if (errors[i].code) {
			print_error(inv, type, &errors[i]);
			status = CLI_EXIT_ERROR;
		}
		error_clear(&errors[i]);
	}
	free(errors);
	return status;
}

static int run_type(struct cli_invocation *inv, enum inspect_type type)
{
	const struct inspect_options *o = inv->options;
	AUTO(cli_template) struct cli_template *t = NULL;
	AUTO(error) struct error err = ERROR_INIT;

	if (str_empty(o->format) || str_eq(o->format, "json"))
		return inspect(inv, type, NULL);
	if (cli_template_parse(o->format, &t, &err) < 0) {
		fprintf(inv->program->err, "%s\n", err.message);
		return EXIT_TEMPLATE;
	}
	return inspect(inv, type, t);
}

static int run_any(struct cli_invocation *inv)
{
	const struct inspect_options *o = inv->options;

	if (str_empty(o->type))
		return run_type(inv, INSPECT_ANY);
	if (str_eq(o->type, "container"))
		return run_type(inv, INSPECT_CONTAINER);
	if (str_eq(o->type, "image"))
		return run_type(inv, INSPECT_IMAGE);
	if (str_eq(o->type, "volume"))
		return run_type(inv, INSPECT_VOLUME);
	fprintf(inv->program->err,
		"%s: unknown type: \"%s\": must be one of \"container\", \"image\", "
		"\"volume\"\n",
		inv->program->name, o->type);
	return CLI_EXIT_ERROR;
}

static int run_container(struct cli_invocation *inv)
{
	return run_type(inv, INSPECT_CONTAINER);
}

static int run_volume(struct cli_invocation *inv)
{
	return run_type(inv, INSPECT_VOLUME);
}

static int run_image(struct cli_invocation *inv)
{
	return run_type(inv, INSPECT_IMAGE);
}

const struct command cmd_inspect = {
	.path = "inspect",
	.summary = "Return low-level information on containers, images and volumes",
	.usage = "[OPTIONS] NAME|ID [NAME|ID...]",
	COMMAND_OPTIONS(options_any, inspect_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run_any,
};

const struct command cmd_container_inspect = {
	.path = "container inspect",
	.summary = "Display detailed information on one or more containers",
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	COMMAND_OPTIONS(options_container, inspect_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run_container,
};

const struct command cmd_image_inspect = {
	.path = "image inspect",
	.summary = "Display detailed information on one or more images",
	.usage = "[OPTIONS] IMAGE [IMAGE...]",
	COMMAND_OPTIONS(options_image, inspect_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run_image,
};

const struct command cmd_volume_inspect = {
	.path = "volume inspect",
	.summary = "Display detailed information on one or more volumes",
	.usage = "[OPTIONS] VOLUME [VOLUME...]",
	COMMAND_OPTIONS(options_image, inspect_options),
	.min_args = 1,
	.max_args = ARGS_ANY,
	.run = run_volume,
};
