#include "error.h"

#include <stdarg.h>
#include <stdio.h>

void error_set(struct error *error, enum error_code code, const char *format, ...)
{
    if (!error)
        return;
    va_list arguments;
    va_start(arguments, format);
    error->code = code;
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    /* Texts of brokers and libraries go in here: one line stays one line. */
    for (char *c = error->text; *c != '\0'; c++) {
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    }
}

int error_exit_status(enum error_code code)
{
    switch (code) {
    case ERROR_NONE:
        return 0;
    case ERROR_USAGE:
        return 64;
    case ERROR_NOT_YET:
    case ERROR_UNAVAILABLE:
    case ERROR_REFUSED:
    case ERROR_NEWER:
        return 69;
    case ERROR_NO_MEMORY:
    case ERROR_INTERNAL:
        return 70;
    case ERROR_CONFIG:
        return 78;
    }
    return 70;
}
