/* SPDX-License-Identifier: BSD-3-Clause */
/* What stats.json says (see stats.h). */
#include "stats.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text.h"

#define BLOCK_SIZE 4096

/* ---- members ---- */

/* Member @key of @in, or of object @group in it; NULL: there is none. */
static json_object *member(json_object *in, const char *group, const char *key)
{
	json_object *o = in;

	if (group && !json_object_object_get_ex(in, group, &o))
		return NULL;
	if (!json_object_is_type(o, json_type_object) ||
	    !json_object_object_get_ex(o, key, &o))
		return NULL;
	return o;
}

static int64_t number_of(json_object *o)
{
	if (json_object_is_type(o, json_type_int))
		return json_object_get_int64(o);
	if (json_object_is_type(o, json_type_boolean))
		return json_object_get_boolean(o);
	return STATS_MISSING;
}

static int64_t number(json_object *in, const char *group, const char *key)
{
	return number_of(member(in, group, key));
}

static const char *word(json_object *in, const char *group, const char *key)
{
	json_object *o = member(in, group, key);

	return json_object_is_type(o, json_type_string)
		       ? json_object_get_string(o)
		       : NULL;
}

/* ---- parts ---- */

static void read_tiers(struct stats *s, json_object *top)
{
	static const char *const names[NR_TIERS] = {
		[HOT] = "hot",
		[WARM] = "warm",
		[DENSE] = "dense",
		[INCOMPRESSIBLE] = "incompressible",
		[SAME_FILLED] = "same_filled",
	};
	json_object *tiers = NULL;

	json_object_object_get_ex(top, "tiers", &tiers);
	for (int i = 0; i < NR_TIERS && tiers; i++) {
		s->tier[i].bytes = number(tiers, names[i], "bytes");
		s->tier[i].ram = number(tiers, names[i], "ram");
	}
}

static int read_requests(struct stats *s, json_object *top)
{
	json_object *all = NULL;

	json_object_object_get_ex(top, "requests", &all);
	if (!json_object_is_type(all, json_type_object))
		return 0;
	s->request = calloc((size_t)json_object_object_length(all) + 1,
			    sizeof(*s->request));
	if (!s->request)
		return -ENOMEM;
	json_object_object_foreach(all, name, val)
		s->request[s->nr_requests++] =
		(struct stats_request){name, number_of(val)};
	return 0;
}

static struct stats_class read_class(json_object *o)
{
	return (struct stats_class){
		.index = number(o, NULL, "class"),
		.size = number(o, NULL, "size"),
		.pages_per_zspage = number(o, NULL, "pages_per_zspage"),
		.allocated = number(o, NULL, "obj_allocated"),
		.used = number(o, NULL, "obj_used"),
		.pages = number(o, NULL, "pages_used"),
		.freeable = number(o, NULL, "freeable"),
	};
}

static int read_classes(struct stats *s, json_object *top)
{
	json_object *all = NULL;
	size_t n;

	json_object_object_get_ex(top, "classes", &all);
	if (!json_object_is_type(all, json_type_array))
		return 0;
	n = json_object_array_length(all);
	s->class = calloc(n + 1, sizeof(*s->class));
	if (!s->class)
		return -ENOMEM;
	for (; s->nr_classes < n; s->nr_classes++)
		s->class[s->nr_classes] = read_class(
			json_object_array_get_idx(all, s->nr_classes));
	return 0;
}

/* ---- words ---- */

static size_t room_for(const char *s)
{
	return s ? strlen(s) + 1 : 0;
}

/* Anybody may mount what says it is a zsfs, and any words. */
static const char *copy(char **to, const char *s)
{
	char *at = *to;

	if (!s)
		return NULL;
	*to = stpcpy(at, s) + 1;
	return text_clean(at, '\0');
}

/* Copies of their own: the objects they are in take ten times the memory. */
static int copy_words(struct stats *s)
{
	size_t len = 1;
	char *to;

#define WORD(name, in, json) len += room_for(s->name);
	STATS_WORDS(WORD)
#undef WORD
	for (size_t i = 0; i < s->nr_requests; i++)
		len += room_for(s->request[i].name);
	s->text = to = malloc(len);
	if (!to)
		return -ENOMEM;
#define WORD(name, in, json) s->name = copy(&to, s->name);
	STATS_WORDS(WORD)
#undef WORD
	for (size_t i = 0; i < s->nr_requests; i++)
		s->request[i].name = copy(&to, s->request[i].name);
	return 0;
}

/* ---- all ---- */

void stats_init(struct stats *s)
{
	memset(s, 0, sizeof(*s));
#define NUMBER(name, in, json) s->name = STATS_MISSING;
	STATS_NUMBERS(NUMBER)
#undef NUMBER
	for (int i = 0; i < NR_TIERS; i++)
		s->tier[i] = (struct stats_form){STATS_MISSING, STATS_MISSING};
}

static json_object *parse_text(const char *text, size_t len)
{
	json_tokener *tok = json_tokener_new();
	json_object *o = NULL;

	if (tok && len < INT32_MAX)
		o = json_tokener_parse_ex(tok, text, (int)len);
	if (tok)
		json_tokener_free(tok);
	return o;
}

static int read_all(struct stats *s, json_object *top)
{
	if (!json_object_is_type(top, json_type_object))
		return -EINVAL;
#define NUMBER(name, in, json) s->name = number(top, in, json);
#define WORD(name, in, json)   s->name = word(top, in, json);
	STATS_NUMBERS(NUMBER)
	STATS_WORDS(WORD)
#undef NUMBER
#undef WORD
	read_tiers(s, top);
	if (read_requests(s, top) || read_classes(s, top))
		return -ENOMEM;
	return copy_words(s);
}

int stats_parse(struct stats *s, const char *text, size_t len)
{
	json_object *top = parse_text(text, len);
	int err;

	stats_init(s);
	err = read_all(s, top);
	json_object_put(top);
	if (err)
		stats_free(s);
	return err;
}

size_t stats_cut_classes(char *text, size_t len)
{
	static const char head[] = ",\n\"classes\":[";
	char *at = memmem(text, len, head, sizeof(head) - 1);

	if (!at)
		return len;
	strcpy(at, "}\n");
	return (size_t)(at - text) + 2;
}

void stats_free(struct stats *s)
{
	free(s->text);
	free(s->request);
	free(s->class);
	stats_init(s);
}

/* ---- made of them ---- */

int64_t stats_requests(const struct stats *s)
{
	int64_t sum = 0;

	if (!s->nr_requests)
		return STATS_MISSING;
	for (size_t i = 0; i < s->nr_requests; i++)
		sum += s->request[i].nr > 0 ? s->request[i].nr : 0;
	return sum;
}

double stats_percent(int64_t part, int64_t all)
{
	if (part < 0 || all <= 0)
		return -1;
	return 100.0 * (double)part / (double)all;
}

int64_t stats_saved(const struct stats *s)
{
	if (s->data < 0 || s->ram < 0 || s->ram > s->data)
		return STATS_MISSING;
	return s->data - s->ram;
}

double stats_saved_percent(const struct stats *s)
{
	return stats_percent(stats_saved(s), s->data);
}

double stats_ratio(int64_t bytes, int64_t ram)
{
	if (bytes <= 0 || ram <= 0)
		return -1;
	return (double)bytes / (double)ram;
}

int64_t stats_age(const struct stats *s)
{
	int64_t now = time(NULL);

	return s->created < 0 || s->created > now ? STATS_MISSING
						  : now - s->created;
}

int64_t stats_size_used(const struct stats *s)
{
	if (s->blocks < 0)
		return s->data;
	/* Those that are reserved are among them. */
	return s->blocks * BLOCK_SIZE;
}
