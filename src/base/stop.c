/* SPDX-License-Identifier: PostgreSQL */
#include "base/stop.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t asked;

static void note(int number)
{
	asked = number;
}

void stop_catch(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP };
	struct sigaction action, before;
	size_t i;

	memset(&action, 0, sizeof(action));
	sigemptyset(&action.sa_mask);
	action.sa_handler = note;
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		sigaction(numbers[i], NULL, &before);
		if (numbers[i] != SIGHUP || before.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
	}
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

int stop_asked(void)
{
	return asked;
}
