// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linked into the kernel's KVM selftests by scripts/kvm-selftests (ld --wrap): what they
 * wait for may take sixty times as long as they allow. Their limits are meant for real
 * processors, ten seconds for what takes an idle emulated machine three, and a program
 * that hangs still ends.
 */
#include <semaphore.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 60
#define SECOND 1000000000LL

unsigned int __real_alarm(unsigned int seconds);
unsigned int __wrap_alarm(unsigned int seconds);
int __real_sem_timedwait(sem_t *sem, const struct timespec *end);
int __wrap_sem_timedwait(sem_t *sem, const struct timespec *end);

unsigned int __wrap_alarm(unsigned int seconds)
{
	return __real_alarm(seconds * PATIENCE);
}

int __wrap_sem_timedwait(sem_t *sem, const struct timespec *end)
{
	struct timespec t;
	long long left;

	clock_gettime(CLOCK_REALTIME, &t);
	left = (end->tv_sec - t.tv_sec) * SECOND + end->tv_nsec - t.tv_nsec;
	left = t.tv_nsec + (left > 0 ? left * PATIENCE : 0);
	t.tv_sec += left / SECOND;
	t.tv_nsec = left % SECOND;
	return __real_sem_timedwait(sem, &t);
}
