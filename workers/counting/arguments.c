#include "arguments.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256, FORMATTED_MAX = 1024 };

void arguments_init(struct arguments *arguments, size_t limit)
{
    *arguments = (struct arguments){0};
    buf_init(&arguments->bytes, limit);
}

void arguments_clear(struct arguments *arguments)
{
    buf_clear(&arguments->bytes);
    free(arguments->ends);
    free(arguments->argv);
    free(arguments->argv_len);
    arguments->ends = arguments->argv_len = NULL;
    arguments->argv = NULL;
    arguments->count = arguments->capacity = 0;
}

void arguments_reset(struct arguments *arguments)
{
    buf_reset(&arguments->bytes);
    arguments->count = 0;
    arguments->failed = false;
}

static bool grow(struct arguments *arguments)
{
    size_t capacity = arguments->capacity > 0 ? 2 * arguments->capacity : FIRST_CAPACITY;
    size_t *ends = realloc(arguments->ends, capacity * sizeof *ends);
    const char **argv = realloc(arguments->argv, capacity * sizeof *argv);
    size_t *argv_len = realloc(arguments->argv_len, capacity * sizeof *argv_len);

    arguments->ends = ends ? ends : arguments->ends;
    arguments->argv = argv ? argv : arguments->argv;
    arguments->argv_len = argv_len ? argv_len : arguments->argv_len;
    if (!ends || !argv || !argv_len)
        return false;
    arguments->capacity = capacity;
    return true;
}

void arguments_add(struct arguments *arguments, const void *data, size_t len)
{
    if (arguments->failed)
        return;
    if ((arguments->count == arguments->capacity && !grow(arguments)) ||
        !buf_append(&arguments->bytes, len > 0 ? data : "", len)) {
        arguments->failed = true;
        return;
    }
    arguments->ends[arguments->count++] = arguments->bytes.len;
}

void arguments_add_text(struct arguments *arguments, const char *text)
{
    arguments_add(arguments, text, strlen(text));
}

void arguments_add_number(struct arguments *arguments, int64_t number)
{
    arguments_printf(arguments, "%" PRId64, number);
}

void arguments_printf(struct arguments *arguments, const char *format, ...)
{
    char text[FORMATTED_MAX];
    va_list list;
    int len;

    va_start(list, format);
    len = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (len < 0 || (size_t)len >= sizeof text)
        arguments->failed = true;
    else
        arguments_add(arguments, text, (size_t)len);
}

void arguments_patch(struct arguments *arguments, size_t index, const void *data, size_t len)
{
    if (!arguments->failed)
        memcpy(arguments->bytes.data + (index > 0 ? arguments->ends[index - 1] : 0), data, len);
}

bool arguments_finish(struct arguments *arguments)
{
    size_t begin = 0;

    if (arguments->failed)
        return false;
    for (size_t i = 0; i < arguments->count; i++) {
        arguments->argv[i] = arguments->bytes.data + begin;
        arguments->argv_len[i] = arguments->ends[i] - begin;
        begin = arguments->ends[i];
    }
    return true;
}
