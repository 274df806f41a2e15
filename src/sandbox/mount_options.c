/* SPDX-License-Identifier: Apache-2.0 */
/* Words of a mount's options: attributes of the mount, propagation, and the rest. */
#include "sandbox/sandbox_child.h"

#include <string.h>
#include <sys/mount.h>

#include "base/strlist.h"

#include "base/banned.h"

/* mount(8), runtime-spec config.md "Linux mount options" */
static const struct {
	const char *word;
	uint64_t set;
	uint64_t clear;
	uint64_t propagation;
} words[] = {
	{"ro", MOUNT_ATTR_RDONLY, 0, 0},
	{"rro", MOUNT_ATTR_RDONLY, 0, 0},
	{"rw", 0, MOUNT_ATTR_RDONLY, 0},
	{"nosuid", MOUNT_ATTR_NOSUID, 0, 0},
	{"suid", 0, MOUNT_ATTR_NOSUID, 0},
	{"nodev", MOUNT_ATTR_NODEV, 0, 0},
	{"dev", 0, MOUNT_ATTR_NODEV, 0},
	{"noexec", MOUNT_ATTR_NOEXEC, 0, 0},
	{"exec", 0, MOUNT_ATTR_NOEXEC, 0},
	{"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, 0},
	{"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME, 0},
	{"relatime", 0, MOUNT_ATTR__ATIME, 0},
	{"atime", 0, MOUNT_ATTR__ATIME, 0},
	{"norelatime", 0, 0, 0},
	{"nostrictatime", 0, 0, 0},
	{"nodiratime", MOUNT_ATTR_NODIRATIME, 0, 0},
	{"diratime", 0, MOUNT_ATTR_NODIRATIME, 0},
	{"private", 0, 0, MS_PRIVATE},
	{"rprivate", 0, 0, MS_PRIVATE},
	{"slave", 0, 0, MS_SLAVE},
	{"rslave", 0, 0, MS_SLAVE},
	{"shared", 0, 0, MS_SHARED},
	{"rshared", 0, 0, MS_SHARED},
	{"unbindable", 0, 0, MS_UNBINDABLE},
	{"runbindable", 0, 0, MS_UNBINDABLE},
	/* said by habit: the default, or without meaning for us */
	{"defaults", 0, 0, 0},
	{"async", 0, 0, 0},
	{"loud", 0, 0, 0},
	{"silent", 0, 0, 0},
	{"nomand", 0, 0, 0},
	{"newinstance", 0, 0, 0}, /* of devpts: always, since Linux 4.7 */
	{"z", 0, 0, 0},
	{"Z", 0, 0, 0},
	{"nocopy", 0, 0, 0},
};

static bool parse_word(const char *word, struct mount_options *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!str_eq(words[i].word, word))
			continue;
		out->set = (out->set & ~words[i].clear) | words[i].set;
		if (words[i].propagation)
			out->propagation = words[i].propagation;
		return true;
	}
	return false;
}

void mount_options_parse(const struct mount_spec *m, struct mount_options *out)
{
	*out = (struct mount_options){.bind = str_eq(m->type, "bind")};
	out->recursive = false;
	for (size_t i = 0; i < m->options.n; i++) {
		const char *word = m->options.items[i];

		if (str_eq(word, "bind") || str_eq(word, "rbind")) {
			out->bind = true;
			out->recursive = out->recursive || *word == 'r';
		} else if (!parse_word(word, out) && *word) {
			strlist_add(&out->data, word);
		}
	}
}
