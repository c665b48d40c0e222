/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <string.h>

#include <yaml.h>

#include "view/yaml_write.h"

static void emit(yaml_emitter_t *emitter, const json_t *value);

/* Quoted, so that no reader takes "1.0" or "0000:01" for a number. */
static void
emit_text(yaml_emitter_t *emitter, const char *text, yaml_scalar_style_t style)
{
	yaml_event_t event;

	yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
				     (int)strlen(text), 1, 1, style);
	yaml_emitter_emit(emitter, &event);
}

static void
emit_array(yaml_emitter_t *emitter, const json_t *array)
{
	yaml_event_t event;
	json_t *value;
	size_t i;

	yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_ANY_SEQUENCE_STYLE);
	yaml_emitter_emit(emitter, &event);
	json_array_foreach(array, i, value)
		emit(emitter, value);
	yaml_sequence_end_event_initialize(&event);
	yaml_emitter_emit(emitter, &event);
}

static void
emit_object(yaml_emitter_t *emitter, const json_t *object)
{
	yaml_event_t event;
	const char *key;
	json_t *value;

	yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_ANY_MAPPING_STYLE);
	yaml_emitter_emit(emitter, &event);
	json_object_foreach((json_t *)object, key, value) {
		emit_text(emitter, key, YAML_PLAIN_SCALAR_STYLE);
		emit(emitter, value);
	}
	yaml_mapping_end_event_initialize(&event);
	yaml_emitter_emit(emitter, &event);
}

/* Of JSON's types those that the command writes as YAML. */
static void
emit(yaml_emitter_t *emitter, const json_t *value)
{
	if (json_is_object(value))
		emit_object(emitter, value);
	else if (json_is_array(value))
		emit_array(emitter, value);
	else
		emit_text(emitter, json_string_value(value), YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

int
yaml_write(FILE *f, const json_t *value)
{
	yaml_emitter_t emitter;
	yaml_event_t event;
	int ok;

	yaml_emitter_initialize(&emitter);
	yaml_emitter_set_output_file(&emitter, f);
	yaml_emitter_set_width(&emitter, -1);
	yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
	yaml_emitter_emit(&emitter, &event);
	yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
	yaml_emitter_emit(&emitter, &event);
	emit(&emitter, value);
	yaml_document_end_event_initialize(&event, 1);
	yaml_emitter_emit(&emitter, &event);
	yaml_stream_end_event_initialize(&event);
	ok = yaml_emitter_emit(&emitter, &event);
	yaml_emitter_delete(&emitter);
	return ok ? 0 : -EIO;
}
