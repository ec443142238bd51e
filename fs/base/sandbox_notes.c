/* SPDX-License-Identifier: BSD-3-Clause */
/* See sandbox_notes.h. */
#include "sandbox_notes.h"

#include <unistd.h>

/* One process that also mounts is not; workers say otherwise. */
struct sandbox_notes sandbox_notes = {.off = "nosurvive",
				      .capabilities = "kept"};

void sandbox_end_thread(void)
{
	while (sandbox_notes.filter)
		sleep(1000);
}
