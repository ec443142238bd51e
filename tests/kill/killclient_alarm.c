/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: the signals that interrupt a worker's calls. */
#include "killclient_alarm.h"

#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "killclient_record.h"

static void nothing(int sig)
{
}

void alarm_start(unsigned interval_us, bool restart)
{
	struct sigaction sa = {.sa_handler = nothing};
	struct itimerval it = {
		.it_interval = {interval_us / 1000000, interval_us % 1000000},
	};

	if (!interval_us)
		return;
	sa.sa_flags = restart ? SA_RESTART : 0;
	it.it_value = it.it_interval;
	interruptible = true;
	if (sigaction(SIGALRM, &sa, NULL) < 0 ||
	    setitimer(ITIMER_REAL, &it, NULL) < 0)
		fail("killclient has no timer: %s", strerror(errno));
}

static void mask(int how)
{
	sigset_t alarms;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	sigprocmask(how, &alarms, NULL);
}

void alarm_block(void)
{
	mask(SIG_BLOCK);
}

void alarm_unblock(void)
{
	mask(SIG_UNBLOCK);
}
