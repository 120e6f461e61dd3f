#include "absence.h"

void absence_init(struct absence *absence, int64_t limit_ms)
{
    *absence = (struct absence){.limit_ms = limit_ms};
}

void absence_end(struct absence *absence)
{
    absence->away = false;
}

void absence_note(struct absence *absence, int64_t now_ms)
{
    if (!absence->away)
        absence->since_ms = now_ms;
    absence->away = true;
}

bool absence_too_long(const struct absence *absence, int64_t now_ms)
{
    return absence->away && now_ms - absence->since_ms >= absence->limit_ms;
}
