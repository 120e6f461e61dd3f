#include "arguments.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { HEAD_MAX = 24, FORMATTED_MAX = 1024 };

void arguments_init(struct arguments *arguments, size_t limit)
{
    *arguments = (struct arguments){0};
    buf_init(&arguments->bytes, limit);
}

void arguments_clear(struct arguments *arguments)
{
    buf_clear(&arguments->bytes);
    arguments->count = 0;
}

void arguments_reset(struct arguments *arguments)
{
    buf_reset(&arguments->bytes);
    arguments->count = 0;
}

/* "$12\r\n", the bytes, "\r\n". printf would cost as much as all the rest. */
void arguments_add(struct arguments *arguments, const void *data, size_t len)
{
    char head[HEAD_MAX];
    char *at = head + sizeof head;
    size_t left = len;

    *--at = '\n';
    *--at = '\r';
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    *--at = '$';
    arguments->count++;
    buf_append(&arguments->bytes, at, (size_t)(head + sizeof head - at));
    buf_append(&arguments->bytes, len > 0 ? data : "", len);
    buf_append(&arguments->bytes, "\r\n", 2);
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
        arguments->bytes.overflow = true;
    else
        arguments_add(arguments, text, (size_t)len);
}

void arguments_append(struct arguments *arguments, const struct arguments *from)
{
    arguments->bytes.overflow |= from->bytes.overflow;
    if (from->count > 0)
        buf_append(&arguments->bytes, from->bytes.data, from->bytes.len);
    arguments->count += from->count;
}
