/* SPDX-License-Identifier: Apache-2.0 */
/* The renderers: events in, text out. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/cli_progress.h"
#include "cli/cli_renderer.h"

#include "base/auto.h"
#include "base/mem.h"

#define MS 1000000ll

static int64_t now_ns;

static int64_t fake_now(void)
{
	return now_ns;
}

struct scene {
	int fd;
	struct cli_progress *p;
};

static void begin_scene(struct scene *s, enum cli_progress_mode mode, unsigned columns,
			unsigned rows)
{
	struct cli_progress_options o = {.mode = mode,
					 .verb = "Building",
					 .columns = columns,
					 .rows = rows,
					 .now = fake_now};
	AUTO(error) struct error err = ERROR_INIT;

	setenv("NO_COLOR", "1", 1);
	now_ns = 1000 * MS;
	s->fd = memfd_create("progress", MFD_CLOEXEC);
	assert_true(s->fd >= 0);
	o.fd = s->fd;
	assert_int_equal(cli_progress_new(&o, &s->p, &err), 0);
}

static void tell(struct scene *s, struct progress_event e)
{
	progress_emit(cli_progress_sink(s->p), &e);
}

static void begin(struct scene *s, unsigned task, const char *title)
{
	tell(s, (struct progress_event){.kind = PROGRESS_BEGIN, .task = task, .text = title});
}

static void say(struct scene *s, unsigned task, const char *text, int64_t after)
{
	tell(s, (struct progress_event){.kind = PROGRESS_LOG,
					.task = task,
					.text = text,
					.len = strlen(text),
					.stream = 1,
					.duration_ns = after});
}

static void end(struct scene *s, unsigned task, enum progress_kind kind, const char *text,
		int64_t took)
{
	tell(s, (struct progress_event){
			.kind = kind, .task = task, .text = text, .duration_ns = took});
}

/* All that was written since the last call. */
static char *written(struct scene *s)
{
	static char text[65536];
	off_t size = lseek(s->fd, 0, SEEK_CUR);
	ssize_t n = pread(s->fd, text, sizeof(text) - 1, 0);

	assert_int_equal(n, size);
	text[n] = '\0';
	assert_int_equal(ftruncate(s->fd, 0), 0);
	lseek(s->fd, 0, SEEK_SET);
	return text;
}

static void end_scene(struct scene *s)
{
	cli_progress_free(s->p);
	close(s->fd);
}

/* ---- plain ---- */

static void test_plain(void **state)
{
	struct scene s;

	(void)state;
	begin_scene(&s, CLI_PROGRESS_PLAIN, 0, 0);
	begin(&s, 1, "[1/2] FROM alpine");
	end(&s, 1, PROGRESS_CACHED, NULL, 0);
	begin(&s, 2, "[2/2] RUN make");
	say(&s, 2, "one\ntw", 213 * MS);
	say(&s, 2, "o\nrest", 10500 * MS);
	end(&s, 2, PROGRESS_DONE, NULL, 10600 * MS);
	begin(&s, 3, "exporting to image");
	end(&s, 3, PROGRESS_STATUS, "writing image sha256:00", 0);
	end(&s, 3, PROGRESS_STATUS, "exporting layers", 40 * MS);
	end(&s, 3, PROGRESS_DONE, NULL, 40 * MS);
	cli_progress_finish(s.p);
	assert_string_equal(written(&s),
			    "#1 [1/2] FROM alpine\n#1 CACHED\n\n"
			    "#2 [2/2] RUN make\n#2 0.213 one\n#2 10.50 two\n"
			    "#2 10.60 rest\n#2 DONE 10.6s\n\n"
			    "#3 exporting to image\n#3 writing image sha256:00 done\n"
			    "#3 exporting layers 0.0s done\n#3 DONE 0.0s\n");
	end_scene(&s);
}

static void test_plain_failure(void **state)
{
	struct scene s;

	(void)state;
	begin_scene(&s, CLI_PROGRESS_PLAIN, 0, 0);
	tell(&s,
	     (struct progress_event){.kind = PROGRESS_WARNING, .text = "Rule: why (line 3)"});
	begin(&s, 1, "[1/1] RUN x");
	for (int i = 1; i <= 12; i++) {
		AUTO(free) char *line = mem_printf("line %d\n", i);

		say(&s, 1, line, 5 * MS);
	}
	written(&s);
	end(&s, 1, PROGRESS_FAILED, "exit code: 3", 7 * MS);
	cli_progress_finish(s.p);
	assert_string_equal(written(&s),
			    "#1 ERROR: exit code: 3\n------\n > [1/1] RUN x:\n"
			    "0.005 line 3\n0.005 line 4\n0.005 line 5\n0.005 line 6\n"
			    "0.005 line 7\n0.005 line 8\n0.005 line 9\n0.005 line 10\n"
			    "0.005 line 11\n0.005 line 12\n------\n"
			    "\n 1 warning found (use stave build --check to expand):\n - Rule: "
			    "why (line 3)\n");
	end_scene(&s);
}

/* What another task says waits for its turn, and is not lost. */
static void test_plain_parallel(void **state)
{
	struct scene s;

	(void)state;
	begin_scene(&s, CLI_PROGRESS_PLAIN, 0, 0);
	begin(&s, 1, "A");
	begin(&s, 2, "B");
	begin(&s, 3, "C");
	say(&s, 1, "a1\n", MS);
	say(&s, 2, "b1\nb2\nb", MS);
	say(&s, 1, "a2\n", MS);
	end(&s, 3, PROGRESS_DONE, NULL, MS);
	assert_string_equal(written(&s), "#1 A\n#1 0.001 a1\n#1 0.001 a2\n");
	end(&s, 1, PROGRESS_DONE, NULL, MS);
	assert_string_equal(written(&s), "#1 DONE 0.0s\n\n#3 C\n#3 DONE 0.0s\n\n"
					 "#2 B\n#2 0.001 b1\n#2 0.001 b2\n");
	say(&s, 2, "3\n", 2 * MS);
	assert_string_equal(written(&s), "#2 0.002 b3\n");
	/* a task that rests gives way */
	begin(&s, 4, "D");
	assert_string_equal(written(&s), "");
	now_ns += 1500 * MS;
	say(&s, 4, "d1\n", MS);
	assert_string_equal(written(&s), "#2 ...\n\n#4 D\n#4 0.001 d1\n");
	end(&s, 4, PROGRESS_DONE, NULL, MS);
	end(&s, 2, PROGRESS_CANCELLED, NULL, MS);
	assert_string_equal(written(&s), "#4 DONE 0.0s\n\n#2 B\n#2 CANCELED\n");
	/* late */
	say(&s, 2, "late\npart", 9 * MS);
	cli_progress_finish(s.p);
	assert_string_equal(written(&s), "\n#2 B\n#2 0.009 late\n\n#2 B\n#2 0.001 part\n");
	end_scene(&s);
}

static void test_plain_endless_line(void **state)
{
	AUTO(free) char *text = mem_alloc(300001);
	struct scene s;

	(void)state;
	memset(text, 'x', 300000);
	text[300000] = '\0';
	begin_scene(&s, CLI_PROGRESS_PLAIN, 0, 0);
	begin(&s, 1, "A");
	for (int i = 0; i < 20; i++)
		say(&s, 1, text, MS);
	end(&s, 1, PROGRESS_DONE, NULL, MS);
	assert_true(lseek(s.fd, 0, SEEK_CUR) > 20 * 300000);
	end_scene(&s);
}

/* ---- tty ---- */

static void test_tty(void **state)
{
	struct scene s;

	(void)state;
	begin_scene(&s, CLI_PROGRESS_TTY, 40, 24);
	tell(&s, (struct progress_event){.kind = PROGRESS_TOTAL, .total = 2});
	begin(&s, 1, "[1/2] FROM alpine");
	assert_string_equal(written(&s), "\033[?25l[+] Building 0.0s (0/2)\033[K\n"
					 " => [1/2] FROM alpine              0.0s\033[K\n"
					 "\033[J\033[?25h");
	end(&s, 1, PROGRESS_CACHED, NULL, 0);
	begin(&s, 2, "[2/2] RUN something that is long enough");
	written(&s);
	now_ns += 1200 * MS;
	say(&s, 2, "\033[31mred\033[0m\033]0;title\007\tx\n50%\r100%", MS);
	assert_string_equal(written(&s), "\033[?25l\r\033[3A[+] Building 1.2s (1/2)\033[K\n"
					 " => CACHED [1/2] FROM alpine       0.0s\033[K\n"
					 " => [2/2] RUN something that is l… 1.2s\033[K\n"
					 " => => # red     x\033[K\n"
					 " => => # 100%\033[K\n"
					 "\033[J\033[?25h");
	end(&s, 2, PROGRESS_FAILED, "exit code: 1", 1200 * MS);
	written(&s);
	cli_progress_finish(s.p);
	assert_string_equal(written(&s),
			    "\033[?25l\r\033[3A[+] Building 1.2s (2/2) FINISHED\033[K\n"
			    " => CACHED [1/2] FROM alpine       0.0s\033[K\n"
			    " => ERROR [2/2] RUN something tha… 1.2s\033[K\n"
			    "\033[J\033[?25h------\n"
			    " > [2/2] RUN something that is long enough:\n"
			    "0.001 red     x\n1.200 100%\n------\n");
	end_scene(&s);
}

static unsigned count(const char *text, char c)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == c;
	return n;
}

/* The block never gets higher than the screen, until the end; many events are not all drawn. */
static void test_tty_limits(void **state)
{
	unsigned drawn = 0;
	struct scene s;

	(void)state;
	begin_scene(&s, CLI_PROGRESS_TTY, 40, 10);
	for (unsigned i = 1; i <= 12; i++) {
		begin(&s, i, "task");
		if (i < 12)
			end(&s, i, PROGRESS_DONE, NULL, MS);
		now_ns += 1000 * MS;
		assert_true(count(written(&s), '\n') <= 2 * 9);
	}
	for (int i = 0; i < 1000; i++) {
		say(&s, 12, "line\n", MS);
		drawn += *written(&s) != '\0';
		now_ns += MS;
	}
	assert_in_range(drawn, 10, 32);
	cli_progress_finish(s.p);
	assert_int_equal(count(written(&s), '\n'), 1 + 12 + TASK_TAIL);
	end_scene(&s);
}

/* ---- text ---- */

static void test_clean(void **state)
{
	static const struct {
		const char *text;
		const char *clean;
	} cases[] = {
		{"plain", "plain"},
		{"a\033[2J\033[1;31mb\033(Bc", "abc"},
		{"\033]8;;http://x\033\\link\033]8;;\033\\", "link"},
		{"\033[31", ""},
		{"a\bb\a\177c", "abc"},
		{"one\rtwo", "two"},
		{"one\r", "one"},
		{"a\tb", "a       b"},
		{"h\xc3\xa9 \xff\xc0\xaf", "h\xc3\xa9 ???"},
		{"a\xc2\x9b"
		 "2Jb",
		 "a2Jb"}, /* CSI of eight bits */
		{"a\xe2\x80\xae"
		 "b",
		 "ab"},			    /* right-to-left override */
		{"e\xcc\x81", "e\xcc\x81"}, /* combining acute */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf) struct buf out = BUF_INIT;

		progress_clean(cases[i].text, strlen(cases[i].text), &out);
		assert_string_equal(buf_str(&out), cases[i].clean);
	}
}

static void test_fit(void **state)
{
	AUTO(buf) struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(progress_width("a\xe6\xbc\xa2z"), 4);
	assert_int_equal(progress_fit("abcdef", 6, &out), 6);
	assert_string_equal(buf_str(&out), "abcdef");
	buf_reset(&out);
	assert_int_equal(progress_fit("abcdef", 4, &out), 4);
	assert_string_equal(buf_str(&out), "abc…");
	buf_reset(&out);
	/* a wide character does not fit into half of its place */
	assert_int_equal(progress_fit("a\xe6\xbc\xa2zzz", 3, &out), 2);
	assert_string_equal(buf_str(&out), "a…");
}

static void test_parse(void **state)
{
	enum cli_progress_mode mode;
	AUTO(error) struct error err = ERROR_INIT;

	(void)state;
	unsetenv("BUILDKIT_PROGRESS");
	assert_int_equal(cli_progress_parse(NULL, &mode, &err), 0);
	assert_int_equal(mode, CLI_PROGRESS_AUTO);
	setenv("BUILDKIT_PROGRESS", "plain", 1);
	assert_int_equal(cli_progress_parse("", &mode, &err), 0);
	assert_int_equal(mode, CLI_PROGRESS_PLAIN);
	assert_int_equal(cli_progress_parse("tty", &mode, &err), 0);
	assert_int_equal(mode, CLI_PROGRESS_TTY);
	unsetenv("BUILDKIT_PROGRESS");
	assert_int_equal(cli_progress_parse("foo", &mode, &err), -ERR_INVALID);
	assert_string_equal(err.message, "invalid progress mode foo");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_plain_failure),
		cmocka_unit_test(test_plain_parallel),
		cmocka_unit_test(test_plain_endless_line),
		cmocka_unit_test(test_tty),
		cmocka_unit_test(test_tty_limits),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
