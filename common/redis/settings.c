#include "settings.h"

#include "url.h"

#include <string.h>

enum { PREFIX_MAX = 128 };

/* redis_url_read names the setting; so does the report. */
bool redis_check_url(const char *value, struct error *error)
{
    static const char name[] = "REDIS_URL: ";
    struct redis_url ignored;
    struct error inner = {0};

    if (redis_url_read(value, &ignored, &inner))
        return true;
    error_set(error, inner.code, "cannot be used: %.450s",
              inner.text + (strncmp(inner.text, name, strlen(name)) == 0 ? strlen(name) : 0));
    return false;
}

bool redis_check_prefix(const char *value, struct error *error)
{
    if (strlen(value) <= PREFIX_MAX && !strpbrk(value, "{} \t\r\n"))
        return true;
    error_set(error, ERROR_CONFIG, "has braces or white space, or is longer than %d bytes", PREFIX_MAX);
    return false;
}
