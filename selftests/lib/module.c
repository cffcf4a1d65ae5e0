// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel modules and the kernel's log, see module.h.
 */
#include "module.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "tap.h"

int module_load(const char *path, const char *parameters)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	int ret;

	CHECK(file >= 0, "%s: %m", path);
	ret = syscall(SYS_finit_module, file, parameters, 0) ? -errno : 0;
	close(file);
	return ret;
}

int module_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

bool module_is_loaded(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", name);
	return !access(path, F_OK);
}

void module_unload_soon(const char *name)
{
	int ret;

	AWAIT((ret = module_unload(name)) != -EAGAIN, "%s does not unload", name);
	CHECK(!ret, "unloading %s: %s", name, strerror(-ret));
}

/* What was logged since klog_begin(), as far as it was looked at; more is dropped. */
static int klog = -1;
static char klog_text[1 << 16];
static size_t klog_len;

void klog_begin(void)
{
	if (klog < 0)
		klog = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	CHECK(klog >= 0, "/dev/kmsg: %m");
	CHECK_OK(lseek(klog, 0, SEEK_END));
	klog_len = 0;
	klog_text[0] = '\0';
}

/* A read gives one line with its end; EPIPE: lines were overwritten before that. */
static void klog_read(void)
{
	ssize_t len;

	do {
		len = read(klog, klog_text + klog_len, sizeof(klog_text) - 1 - klog_len);
		if (len > 0)
			klog_len += len;
	} while (len > 0 || (len < 0 && errno == EPIPE));
	klog_text[klog_len] = '\0';
}

/* Calls @look with each line; true ends it. */
static bool klog_lines(bool (*look)(const char *line, void *arg), void *arg)
{
	char line[1024];
	const char *from, *end;

	klog_read();
	for (from = klog_text; (end = strchr(from, '\n')); from = end + 1) {
		snprintf(line, sizeof(line), "%.*s", (int)(end - from), from);
		if (look(line, arg))
			return true;
	}
	return false;
}

struct words {
	const char *word[8];
	size_t nr;
};

static bool has_all(const char *line, void *arg)
{
	const struct words *const words = arg;

	for (size_t i = 0; i < words->nr; i++) {
		if (!strstr(line, words->word[i]))
			return false;
	}
	return true;
}

bool klog_has_line(const char *first, ...)
{
	struct words words = { .nr = 0 };
	const char *word;
	va_list list;

	va_start(list, first);
	for (word = first; word; word = va_arg(list, const char *)) {
		CHECK(words.nr < ARRAY_SIZE(words.word), "too many words");
		words.word[words.nr++] = word;
	}
	va_end(list);
	return klog_lines(has_all, &words);
}

static bool tell(const char *line, void *word)
{
	const char *const text = strchr(line, ';');

	if (strstr(line, word))
		tap_diag("log: %s", text ? text + 1 : line);
	return false;
}

void klog_tell(const char *word)
{
	klog_lines(tell, (void *)word);
}
