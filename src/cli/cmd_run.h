/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_run - the options of `run` in small parts.  Private to cmd_run*.c and its test. */
#pragma once

#include "cli/cli_command.h"

/*
 * Appends NAME=value for each line, as Docker reads it: comments, blank lines, a bare NAME
 * for our own value.  "invalid env file (x): …".
 */
int run_read_env_file(const char *path, struct strlist *env, struct error *err);
/* -e NAME=value, or NAME: our value, or without one the name alone. */
int run_add_env(const char *text, struct strlist *env, struct error *err);
int run_add_label(const char *text, struct map *labels, struct error *err);
/* --security-opt. */
int run_add_security(const char *text, struct container_options *o, struct error *err);
