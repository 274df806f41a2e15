/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_command - what the commands share: the global options, the engine, how
 * an error becomes an exit status.
 *
 * Each cmd_X.c exports one or a few `const struct command`; cli_commands()
 * lists them all.  A command opens the engine itself, so that `--help` and
 * `version` touch nothing.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/cli_option.h"
#include "engine/engine.h"

struct cli_globals {
	char *root; /* --root; NULL: STAVE_ROOT or the default place */
	bool debug;
	bool version;
};

/* One line of an option table; more fields may follow: .type = "dir". */
#define OPTION(letter_, name_, kind_, owner, field, help_, ...)                      \
	{                                                                            \
		.letter = (letter_), .name = (name_), .kind = OPTION_##kind_,        \
		.offset = OPTION_FIELD(owner, field), .help = (help_), ##__VA_ARGS__ \
	}

/* All commands, in the order of --help. */
const struct command *const *cli_commands(size_t *out_n);

extern const struct command cmd_events, cmd_port, cmd_stats, cmd_system_start, cmd_top,
	cmd_update;
extern const struct command cmd_attach, cmd_cp, cmd_create, cmd_exec, cmd_logs, cmd_kill,
	cmd_monitor, cmd_pause, cmd_rename, cmd_restart, cmd_start, cmd_stop, cmd_unpause,
	cmd_wait;
extern const struct command cmd_build;
extern const struct command cmd_build_diff;
extern const struct command cmd_build_log;
extern const struct command cmd_build_why;
extern const struct command cmd_builder;
extern const struct command cmd_builder_du;
extern const struct command cmd_builder_history;
extern const struct command cmd_builder_prune;
extern const struct command cmd_buildx;
extern const struct command cmd_container;
extern const struct command cmd_container_inspect;
extern const struct command cmd_container_prune;
extern const struct command cmd_commit, cmd_image_diff, cmd_image_verify, cmd_diff, cmd_export,
	cmd_history;
extern const struct command cmd_image;
extern const struct command cmd_image_copy;
extern const struct command cmd_image_inspect;
extern const struct command cmd_image_flatten, cmd_image_rebase;
extern const struct command cmd_image_why_big;
extern const struct command cmd_image_prune;
extern const struct command cmd_images;
extern const struct command cmd_imagetools, cmd_imagetools_create, cmd_imagetools_inspect;
extern const struct command cmd_import;
extern const struct command cmd_info;
extern const struct command cmd_inspect;
extern const struct command cmd_load;
extern const struct command cmd_login, cmd_logout, cmd_pull, cmd_push;
extern const struct command cmd_manifest, cmd_manifest_annotate, cmd_manifest_create,
	cmd_manifest_inspect, cmd_manifest_push, cmd_manifest_referrers, cmd_manifest_rm;
extern const struct command cmd_network, cmd_network_connect, cmd_network_create,
	cmd_network_disconnect, cmd_network_inspect, cmd_network_ls, cmd_network_prune,
	cmd_network_rm;
extern const struct command cmd_ps;
extern const struct command cmd_rm;
extern const struct command cmd_rmi;
extern const struct command cmd_run;
extern const struct command cmd_save;
extern const struct command cmd_system;
extern const struct command cmd_system_check;
extern const struct command cmd_system_df;
extern const struct command cmd_system_prune;
extern const struct command cmd_tag;
extern const struct command cmd_version;
extern const struct command cmd_volume, cmd_volume_create, cmd_volume_inspect, cmd_volume_ls,
	cmd_volume_prune, cmd_volume_rm;

/* Opens the store that the global options name; prints its own error and returns false. */
bool cli_open_engine(const struct cli_invocation *inv, struct engine **out);
/* --root; NULL: it was not given. */
const char *cli_root(const struct cli_invocation *inv);
/* engine_for_registry() where --root says. */
struct engine *cli_engine_for_registry(const struct cli_invocation *inv);
/* "stave: message"; the exit status: err->exit_code, or 1. */
int cli_fail(const struct cli_invocation *inv, const struct error *err);
/* Docker's shape for `run`: the message and how to get help; err->exit_code, or 125. */
int cli_fail_run(const struct cli_invocation *inv, const struct error *err);
void cli_print(const struct cli_invocation *inv, const struct buf *text);
/* A value that scripts read is printed by `--format`: "json" or a template.  Exit status. */
int cli_print_format(const struct cli_invocation *inv, const char *format,
		     const json_t *document);
/* "[y/N]" behind @question; false also at the end of input. */
bool cli_confirm(const struct cli_invocation *inv, const char *question);

/* The help of --format, which has two forms: of lists, and of documents. */
extern const char cli_help_list_format[];
extern const char cli_help_format[];

/* An IPv4 or IPv6 address. */
bool cli_is_address(const char *text);
/*
 * --add-host NAME:IP or NAME=IP (an IPv6 address may be in brackets; "host-gateway" for this
 * machine): appends "NAME:IP".  -ERR_INVALID with Docker's words.
 */
int cli_add_host(const char *text, struct strlist *out, struct error *err);

/* --since, --until: a time, seconds since 1970, or a duration back from now. 0 if not given. */
int cli_parse_moment(const char *option, const char *text, int64_t *out_ns, struct error *err);

/* --filter KEY=VALUE: lower-case key (owned), value borrowed from @text; Docker's message. */
int cli_parse_filter(const char *text, char **out_key, const char **out_value,
		     struct error *err);
