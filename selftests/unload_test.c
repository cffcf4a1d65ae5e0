// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ends of a consumer's module, a file, its VM and gmem.ko, in every order, while
 * a guest faults and the file is punched. A module that is still needed cannot be
 * unloaded; in the end both can. gmem.ko is not loaded before and afterwards.
 *
 * Tests: kapi/takeover.c, gmem/consumers.cc.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "guest.h"
#include "module.h"
#include "orders.h"

#define CONSUMER_PATH	"/sys/kernel/debug/gmem_consumer"
#define FILE_SIZE	SZ_2M

enum step { UNLOAD_CONSUMER, CLOSE_FILE, FREE_VM, UNLOAD_GMEM, NR_STEPS };

static void load(const char *path)
{
	MUST(module_load(path, ""));
}

static void bind_all_of(int fd)
{
	int consumer = open(CONSUMER_PATH, O_RDWR | O_CLOEXEC);
	char text[80];

	CHECK_OK(consumer);
	snprintf(text, sizeof(text), "%d 0 8 %lu 1", fd, FILE_SIZE / PAGE_SIZE / 8);
	CHECK_OK(write(consumer, text, strlen(text)));
	close(consumer);
}

struct scene {
	struct vm *vm;
	int fd;
	bool consumer_loaded, gmem_loaded;
	atomic_bool stop_guest, stop_punches;
	pthread_t guest, punches;
};

static void *fault(void *arg)
{
	struct scene *s = arg;

	while (!atomic_load(&s->stop_guest)) {
		enum vm_exit how = guest_touch_write(&s->vm->vcpus[0], TEST_GPA, 8, PAGE_SIZE,
						     FILE_SIZE / PAGE_SIZE, 1);

		CHECK(how == EXIT_DONE || how == EXIT_MEMORY_FAULT, "%s",
		      vcpu_exit_text(&s->vm->vcpus[0]));
	}
	return NULL;
}

static void *punch(void *arg)
{
	struct scene *s = arg;

	while (!atomic_load(&s->stop_punches)) {
		MUST(gmem_punch(s->fd, SZ_1M, SZ_1M));
		let_pass(500);
	}
	return NULL;
}

static void take_step(struct scene *s, enum step step)
{
	int ret;

	switch (step) {
	case UNLOAD_CONSUMER:
		ret = module_unload("gmem_consumer_test");
		/* The module can go with its bindings as soon as their file is gone. */
		if (s->fd >= 0)
			CHECK_EQ(ret, -EAGAIN);
		s->consumer_loaded = ret != 0;
		break;
	case CLOSE_FILE:
		atomic_store(&s->stop_punches, true);
		thread_join(s->punches);
		CHECK_OK(close(s->fd));
		s->fd = -1;
		break;
	case FREE_VM:
		atomic_store(&s->stop_guest, true);
		thread_join(s->guest);
		vm_free(s->vm);
		break;
	default:
		ret = module_unload("gmem");
		if (s->consumer_loaded || s->fd >= 0)
			CHECK_EQ(ret, -EAGAIN);
		s->gmem_loaded = ret != 0;
	}
	let_pass(2000);
}

static void play(const int *steps)
{
	struct scene s = { .consumer_loaded = true, .gmem_loaded = true };

	load(GMEM_KO);
	load("/add/gmem_consumer_test.ko");
	s.vm = vm_create_private(1);
	s.fd = vm_add_private(s.vm, FILE_SIZE);
	bind_all_of(s.fd);
	s.guest = thread_start(fault, &s);
	s.punches = thread_start(punch, &s);
	let_pass(20000);
	for (int i = 0; i < NR_STEPS; i++)
		take_step(&s, steps[i]);
	if (s.consumer_loaded)
		module_unload_soon("gmem_consumer_test");
	if (s.gmem_loaded)
		module_unload_soon("gmem");
}

static void test_every_order(void)
{
	int steps[NR_STEPS] = { UNLOAD_CONSUMER, CLOSE_FILE, FREE_VM, UNLOAD_GMEM };

	play_every_order(steps, NR_STEPS, 0, play);
}

/* A consumer's module is loaded and unloaded beside a guest; gmem.ko stays. */
static void test_consumers_come_and_go(void)
{
	struct scene s = {};

	load(GMEM_KO);
	load("/add/gmem_consumer_test.ko");
	s.vm = vm_create_private(1);
	s.fd = vm_add_private(s.vm, FILE_SIZE);
	s.guest = thread_start(fault, &s);
	s.punches = thread_start(punch, &s);
	for (int round = 0; round < 20; round++) {
		int consumer;

		bind_all_of(s.fd);
		CHECK_EQ(module_unload("gmem_consumer_test"), -EAGAIN);
		CHECK_EQ(module_unload("gmem"), -EAGAIN);
		consumer = open(CONSUMER_PATH, O_RDWR | O_CLOEXEC);
		CHECK_OK(consumer);
		CHECK_OK(write(consumer, "unbind", 6));
		close(consumer);
		module_unload_soon("gmem_consumer_test");
		CHECK_EQ(module_unload("gmem"), -EAGAIN);
		load("/add/gmem_consumer_test.ko");
	}
	take_step(&s, CLOSE_FILE);
	take_step(&s, FREE_VM);
	module_unload_soon("gmem_consumer_test");
	module_unload_soon("gmem");
}

static const struct tap_test tests[] = {
	{ .name = "test_every_order", .fn = test_every_order, .timeout = 300 },
	{ .name = "test_consumers_come_and_go", .fn = test_consumers_come_and_go, .timeout = 120 },
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
