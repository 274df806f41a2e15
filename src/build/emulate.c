/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Can this machine run programs of another architecture?  The kernel says so
 * by its list of handlers (Documentation/admin-guide/binfmt-misc.rst): each
 * has the bytes that a file must begin with, and which bits of them count.
 */
#include "build/emulate.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/root.h"
#include "base/strlist.h"

#include "base/banned.h"

#define HANDLERS      "/proc/sys/fs/binfmt_misc"
#define HANDLER_BYTES 8192
#define MAGIC_MAX     128

/* What an executable of each architecture begins with: class, byte order, machine (elf.h). */
static const struct machine {
	const char *architecture;
	unsigned char wide, big;
	unsigned short number;
} machines[] = {
	{"386", 0, 0, 3},     {"amd64", 1, 0, 62},    {"arm", 0, 0, 40},
	{"arm64", 1, 0, 183}, {"loong64", 1, 0, 258}, {"mips", 0, 1, 8},
	{"mips64", 1, 1, 8},  {"mips64le", 1, 0, 8},  {"mipsle", 0, 0, 8},
	{"ppc64", 1, 1, 21},  {"ppc64le", 1, 0, 21},  {"riscv64", 1, 0, 243},
	{"s390x", 1, 1, 22},
};

static void elf_header(const struct machine *m, unsigned char out[20])
{
	memcpy(out, "\177ELF", 4);
	memset(out + 4, 0, 16);
	out[4] = m->wide ? 2 : 1;
	out[5] = m->big ? 2 : 1;
	out[6] = 1;
	out[m->big ? 17 : 16] = 2; /* ET_EXEC */
	out[m->big ? 19 : 18] = (unsigned char)(m->number & 0xff);
	out[m->big ? 18 : 19] = (unsigned char)(m->number >> 8);
}

static size_t read_hex(const char *text, unsigned char out[MAGIC_MAX])
{
	size_t n = 0;

	for (; n < MAGIC_MAX && text[0] && text[0] != '\n' && text[1]; text += 2, n++) {
		int value = 0;

		for (int i = 0; i < 2; i++) {
			const char *digits = "0123456789abcdef", *at = strchr(digits, text[i]);

			if (!at)
				return 0;
			value = value * 16 + (int)(at - digits);
		}
		out[n] = (unsigned char)value;
	}
	return n;
}

bool emulate_handler_takes(const char *handler, const char *architecture)
{
	unsigned char magic[MAGIC_MAX], mask[MAGIC_MAX], header[20];
	const char *m = strstr(handler, "\nmagic "), *k = strstr(handler, "\nmask ");
	size_t n = m ? read_hex(m + strlen("\nmagic "), magic) : 0;
	const struct machine *machine = NULL;

	if (strncmp(handler, "enabled\n", 8) != 0 || !strstr(handler, "\noffset 0\n"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (str_eq(machines[i].architecture, architecture))
			machine = &machines[i];
	if (!machine || n < sizeof(header))
		return false;
	memset(mask, 0xff, sizeof(mask));
	if (k && read_hex(k + strlen("\nmask "), mask) != n)
		return false;
	elf_header(machine, header);
	for (size_t i = 0; i < sizeof(header); i++)
		if ((header[i] ^ magic[i]) & mask[i])
			return false;
	return true;
}

static bool has_handler(const char *architecture)
{
	AUTO(dir_list) struct dir_list list = {0};
	AUTO(fd) int dir = open(HANDLERS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || dir_list_read(dir, &list, NULL) < 0)
		return false;
	for (size_t i = 0; i < list.n; i++) {
		AUTO(buf) struct buf text = BUF_INIT;

		if (str_eq(list.items[i].name, "register") ||
		    io_read_file(dir, list.items[i].name, HANDLER_BYTES, &text, NULL) < 0)
			continue;
		if (emulate_handler_takes(buf_str(&text), architecture))
			return true;
	}
	return false;
}

/* An amd64 kernel runs 386 programs, and so on: the same table that images are chosen by. */
int emulate_check(const struct platform *platform, struct error *err)
{
	AUTO(platform) struct platform host = PLATFORM_INIT;
	AUTO(buf) struct buf text = BUF_INIT;

	platform_host(&host);
	if (platform_match(&host, platform) || has_handler(platform->architecture))
		return 0;
	platform_format(platform, &text);
	error_set(err, ERR_UNSUPPORTED,
		  "RUN for %s: this machine is linux/%s, and " HANDLERS
		  " has no handler for %s programs",
		  buf_str(&text), host.architecture, platform->architecture);
	error_hint(err,
		   "install qemu-user-static and binfmt-support, or let RUN happen in a stage "
		   "FROM --platform=$BUILDPLATFORM");
	return -ERR_UNSUPPORTED;
}
