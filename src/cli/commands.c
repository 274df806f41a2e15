/* SPDX-License-Identifier: Apache-2.0 */
/* The one list of commands, and the groups that only hold others. */
#include "cli/cli_command.h"

#include "base/banned.h"

const struct command cmd_builder = {
	.path = "builder", .summary = "Manage builds", .flags = COMMAND_GROUP};
const struct command cmd_buildx = {
	.path = "buildx", .summary = "Manage builds", .flags = COMMAND_GROUP | COMMAND_HIDDEN};
const struct command cmd_container = {
	.path = "container", .summary = "Manage containers", .flags = COMMAND_GROUP};
const struct command cmd_image = {
	.path = "image", .summary = "Manage images", .flags = COMMAND_GROUP};
const struct command cmd_system = {
	.path = "system", .summary = "Manage stave", .flags = COMMAND_GROUP};

const struct command cmd_network = {
	.path = "network", .summary = "Manage networks", .flags = COMMAND_GROUP};
const struct command cmd_volume = {
	.path = "volume", .summary = "Manage volumes", .flags = COMMAND_GROUP};

static const struct command *const all[] = {
	&cmd_attach,
	&cmd_build,
	&cmd_build_diff,
	&cmd_build_log,
	&cmd_build_why,
	&cmd_builder,
	&cmd_builder_du,
	&cmd_builder_history,
	&cmd_builder_prune,
	&cmd_buildx,
	&cmd_commit,
	&cmd_container,
	&cmd_container_inspect,
	&cmd_container_prune,
	&cmd_cp,
	&cmd_create,
	&cmd_diff,
	&cmd_events,
	&cmd_exec,
	&cmd_export,
	&cmd_history,
	&cmd_image,
	&cmd_image_copy,
	&cmd_image_diff,
	&cmd_image_flatten,
	&cmd_image_inspect,
	&cmd_image_prune,
	&cmd_image_rebase,
	&cmd_image_verify,
	&cmd_image_why_big,
	&cmd_images,
	&cmd_imagetools,
	&cmd_imagetools_create,
	&cmd_imagetools_inspect,
	&cmd_import,
	&cmd_info,
	&cmd_inspect,
	&cmd_kill,
	&cmd_load,
	&cmd_login,
	&cmd_logout,
	&cmd_logs,
	&cmd_manifest,
	&cmd_manifest_annotate,
	&cmd_manifest_create,
	&cmd_manifest_inspect,
	&cmd_manifest_push,
	&cmd_manifest_referrers,
	&cmd_manifest_rm,
	&cmd_monitor,
	&cmd_network,
	&cmd_network_connect,
	&cmd_network_create,
	&cmd_network_disconnect,
	&cmd_network_inspect,
	&cmd_network_ls,
	&cmd_network_prune,
	&cmd_network_rm,
	&cmd_pause,
	&cmd_port,
	&cmd_ps,
	&cmd_pull,
	&cmd_push,
	&cmd_rename,
	&cmd_restart,
	&cmd_rm,
	&cmd_rmi,
	&cmd_run,
	&cmd_start,
	&cmd_stats,
	&cmd_stop,
	&cmd_system,
	&cmd_save,
	&cmd_system_check,
	&cmd_system_df,
	&cmd_system_prune,
	&cmd_system_start,
	&cmd_tag,
	&cmd_top,
	&cmd_unpause,
	&cmd_update,
	&cmd_version,
	&cmd_volume,
	&cmd_volume_create,
	&cmd_volume_inspect,
	&cmd_volume_ls,
	&cmd_volume_prune,
	&cmd_volume_rm,
	&cmd_wait,
};

const struct command *const *cli_commands(size_t *out_n)
{
	*out_n = ARRAY_SIZE(all);
	return all;
}
