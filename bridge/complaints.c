#include "complaints.h"

#include <stdio.h>
#include <string.h>

bool complaints_are_new(struct complaints *complaints, const char *text, int64_t now_ms)
{
    struct complaint *place = &complaints->kept[0];

    for (int i = 0; i < COMPLAINTS_KEPT; i++) {
        struct complaint *kept = &complaints->kept[i];

        if (kept->text[0] != '\0' && strcmp(kept->text, text) == 0) {
            if (now_ms - kept->said_ms < COMPLAINT_AGAIN_MS)
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

void complaints_forget(struct complaints *complaints)
{
    memset(complaints, 0, sizeof *complaints);
}
