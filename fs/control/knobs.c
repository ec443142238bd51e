/* SPDX-License-Identifier: BSD-3-Clause */
/* The rows of knobs.h as a table. */
#include "knobs.h"

#define OF_OPTION(name, what, by_default, how, text)                           \
	.option = #name, .kind = KIND_##what, .fallback = by_default,          \
	.arg = how, .help = text

/* clang-format off */
#define OPTION(id, name, kind, set, field, by_default, arg, help)              \
	[KNOB_##id] = {OF_OPTION(name, kind, by_default, arg, help)},
#define FIXED(id, name, kind, set, field, by_default, arg, help)               \
	[KNOB_##id] = {OF_OPTION(name, kind, by_default, arg, help),           \
		       .shown = true},
#define LIVE(id, name, kind, set, field, by_default, arg, help, in)            \
	[KNOB_##id] = {OF_OPTION(name, kind, by_default, arg, help),           \
		       .shown = true, .file = #in, .mode = KNOB_LIVE_MODE},
#define CONTROL(id, name, what, bits, text)                                    \
	[KNOB_##id] = {.file = #name, .mode = bits, .kind = KIND_##what,       \
		       .help = text},
/* clang-format on */

const struct knob knobs[KNOB_NR] = {KNOBS(OPTION, FIXED, LIVE, CONTROL)};

void knobs_list_live(struct textbuf *t)
{
	size_t start = t->len;

	for (enum knob_id id = 0; id < KNOB_NR; id++)
		if (knob_is_live(&knobs[id]))
			textbuf_add(t, "%s%s", t->len > start ? ", " : "",
				    knobs[id].option);
}
