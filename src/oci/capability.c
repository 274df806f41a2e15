/* SPDX-License-Identifier: Apache-2.0 */
/* Names of capabilities by their bit, as <linux/capability.h> numbers them. */
#include "oci/oci.h"

#include <string.h>

#include "base/mem.h"
#include "base/banned.h"

static const char *const names[CAPABILITY_COUNT] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

const char *capability_name(unsigned bit)
{
	return bit < CAPABILITY_COUNT ? names[bit] : NULL;
}

int capability_parse(const char *text, uint64_t *out_mask, struct error *err)
{
	AUTO(free) char *upper = NULL;

	if (str_ieq(text, "ALL") || str_ieq(text, "CAP_ALL")) {
		*out_mask = CAPABILITY_ALL;
		return 0;
	}
	for (unsigned bit = 0; bit < CAPABILITY_COUNT; bit++) {
		if (!str_ieq(text, names[bit]) && !str_ieq(text, names[bit] + strlen("CAP_")))
			continue;
		*out_mask = UINT64_C(1) << bit;
		return 0;
	}
	upper = str_upper(text);
	return error_set(err, ERR_INVALID, "unknown capability: \"%s%.60s\"",
			 str_starts(upper, "CAP_") ? "" : "CAP_", upper);
}

static int collect(const struct strlist *l, bool *all, uint64_t *mask, struct error *err)
{
	for (size_t i = 0; l && i < l->n; i++) {
		uint64_t one = 0;
		int rc = capability_parse(l->items[i], &one, err);

		if (rc < 0)
			return rc;
		if (one == CAPABILITY_ALL)
			*all = true;
		else
			*mask |= one;
	}
	return 0;
}

int capability_apply(uint64_t base, const struct strlist *add, const struct strlist *drop,
		     uint64_t *out_mask, struct error *err)
{
	bool add_all = false, drop_all = false;
	uint64_t added = 0, dropped = 0;
	int rc;

	if ((rc = collect(add, &add_all, &added, err)) < 0)
		return error_wrap(err, "invalid CapAdd");
	if ((rc = collect(drop, &drop_all, &dropped, err)) < 0)
		return error_wrap(err, "invalid CapDrop");
	/* Added names survive --cap-drop=ALL; dropped ones are taken out of --cap-add=ALL. */
	if (add_all)
		*out_mask = CAPABILITY_ALL & ~dropped;
	else if (drop_all)
		*out_mask = added;
	else
		*out_mask = (base & ~dropped) | added;
	return 0;
}
