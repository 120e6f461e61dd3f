#include "log_limiter.h"

#include <stdio.h>
#include <string.h>

bool log_limiter_is_news(struct log_limiter *limiter, const char *text, int64_t now_ms)
{
    struct logged *place = &limiter->kept[0];

    for (int i = 0; i < LOG_LIMITER_KEPT; i++) {
        struct logged *kept = &limiter->kept[i];

        if (kept->text[0] != '\0' && strcmp(kept->text, text) == 0) {
            if (now_ms - kept->said_ms < LOG_LIMITER_AGAIN_MS)
                return false;
            place = kept;
            break;
        }
        if (place->text[0] != '\0' && (kept->text[0] == '\0' || kept->said_ms < place->said_ms))
            place = kept;
    }
    (void)snprintf(place->text, sizeof place->text, "%s", text);
    place->said_ms = now_ms;
    return true;
}

void log_limiter_forget(struct log_limiter *limiter)
{
    memset(limiter, 0, sizeof *limiter);
}
